//! What every command that serves needs from the process: a runtime, and the signals that end it.

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A runtime for the doors.
///
/// # Errors
/// When the system gives no threads.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(door_threads()).enable_all().build().context("cannot start the runtime")
}

/// One core is left to the thread that writes the journal: where every core had a door thread as well, the two would take turns
/// at each request (measured in docs/benchmarks.md).
fn door_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    cores.saturating_sub(1).max(1)
}

/// SIGTERM and Ctrl-C.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on they no longer end the process by themselves. To be called in a runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn listen() -> anyhow::Result<Self> {
        Ok(Self { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    /// Until one of them comes.
    pub(super) async fn come(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn on(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("cannot listen for signals")
}
