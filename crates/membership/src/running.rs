//! The thread of a membership. A look at all shards takes a millisecond or more while nodes come and go; on the runtime of the doors every
//! check would wait for it, because that may have a single thread.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Work that runs. Dropping it ends the work where it is, without waiting.
pub(crate) struct Running {
    /// The work goes on as long as this is there.
    stop: oneshot::Sender<Infallible>,
    /// Resolves when the thread has ended.
    ended: oneshot::Receiver<Infallible>,
}

impl Running {
    /// Runs what `begin` makes, which is called on the thread; whatever it spawns ends with it.
    ///
    /// # Errors
    /// The system has no thread or no poll for it.
    pub(crate) fn start<W>(begin: impl FnOnce() -> W + Send + 'static) -> io::Result<Self>
    where
        W: Future<Output = ()>,
    {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let (stop, mut until) = oneshot::channel();
        let (end, ended) = oneshot::channel::<Infallible>();
        thread::Builder::new().name("drl-membership".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    _ = &mut until => {}
                    () = begin() => {}
                }
            });
            // A write to the disk that is under way is not waited for.
            runtime.shutdown_background();
            drop(end);
        })?;
        Ok(Self { stop, ended })
    }

    /// Waits until the work has ended by itself. Whether it did within that time; if not, it is ended where it is.
    pub(crate) async fn end(self, within: Duration) -> bool {
        let Self { stop, ended } = self;
        let has_ended = timeout(within, ended).await.is_ok();
        drop(stop);
        has_ended
    }
}
