//! One call to etcd, within its deadline: on the present connection, and once more elsewhere if it surely did not happen.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use etcd_client::Client;
use tokio::time::timeout;

use super::Shared;
use super::classify::{Effect, Kind, Trouble, classify};
use crate::Fault;

/// How often each member is tried: a second time, since a member that restarts refuses for a moment.
const ROUNDS: usize = 2;

/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(50);

/// What is known of a try that has not ended.
#[derive(Debug, Default)]
struct Progress {
    /// The connection that it is on.
    number: AtomicU64,
    /// Whether anything of it may have reached etcd.
    is_sent: AtomicBool,
}

impl Shared {
    /// Calls `run` with a connection. What it may have done is told by the [`Trouble`]: after a deadline anything that was sent may
    /// have happened.
    pub(super) async fn call<T, F, Fut>(&self, within: Duration, run: F) -> Result<T, Trouble>
    where
        F: Fn(Client) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, etcd_client::Error>> + Send,
        T: Send,
    {
        let progress = Progress::default();
        // Boxed: the client's futures are large.
        match timeout(within, Box::pin(self.tries(&run, &progress))).await {
            Ok(answer) => answer,
            Err(_) => {
                // A connection that is dead without saying so looks like this.
                self.link.give_up(progress.number.load(Ordering::Relaxed));
                let is_sent = progress.is_sent.load(Ordering::Relaxed);
                let effect = if is_sent { Effect::Possible } else { Effect::None };
                Err(Trouble { fault: Fault::NoAnswer { within }, effect, kind: Kind::Connection })
            }
        }
    }

    async fn tries<T, F, Fut>(&self, run: &F, progress: &Progress) -> Result<T, Trouble>
    where
        F: Fn(Client) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, etcd_client::Error>> + Send,
        T: Send,
    {
        let mut left = self.link.endpoints().saturating_mul(ROUNDS);
        loop {
            let trouble = match self.try_once(run, progress).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            left = left.saturating_sub(1);
            let is_worth_it = trouble.kind == Kind::Connection && trouble.effect == Effect::None;
            if !is_worth_it || left == 0 {
                return Err(trouble);
            }
            if left == self.link.endpoints() {
                let _ = timeout(PAUSE, std::future::pending::<()>()).await;
            }
        }
    }

    async fn try_once<T, F, Fut>(&self, run: &F, progress: &Progress) -> Result<T, Trouble>
    where
        F: Fn(Client) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, etcd_client::Error>> + Send,
        T: Send,
    {
        progress.number.store(self.link.number(), Ordering::Relaxed);
        let (trouble, number) = match self.link.lend().await {
            Ok(lent) => {
                progress.number.store(lent.number, Ordering::Relaxed);
                progress.is_sent.store(true, Ordering::Relaxed);
                match run(lent.client).await {
                    Ok(answer) => return Ok(answer),
                    Err(error) => (classify(&error, lent.asked), lent.number),
                }
            }
            // Asking for a token changes nothing.
            Err(lost) => (Trouble { effect: Effect::None, ..classify(&lost.error, lost.asked) }, lost.number),
        };
        if trouble.effect == Effect::None {
            progress.is_sent.store(false, Ordering::Relaxed);
        }
        if matches!(trouble.fault, Fault::PasswordRequired { .. }) {
            self.link.use_password();
        }
        if trouble.kind == Kind::Connection {
            self.link.give_up(number);
        }
        Err(trouble)
    }
}
