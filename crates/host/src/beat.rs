//! Beats: a thread of its own ticks the ledger, so that a node whose other threads are busy still says that it lives, and still
//! notices who does not.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use drl_core::caps::BEAT_MILLIS;
use drl_store::faults::{Plant, is_planted};

use crate::clock;
use crate::inner::Inner;

/// The thread: runs until `until` is dropped, or the host has stopped: without a journal nothing is acknowledged, and others
/// should notice soon.
pub(crate) fn run(inner: &Arc<Inner>, until: &mpsc::Receiver<()>) {
    while let Err(mpsc::RecvTimeoutError::Timeout) = until.recv_timeout(Duration::from_millis(BEAT_MILLIS)) {
        if inner.progress.stopped().is_some() {
            return;
        }
        if is_planted(Plant::BeatOfCommitter) {
            continue;
        }
        let Ok(mut state) = inner.lock() else { return };
        state.ledger.tick(clock::monotonic());
        inner.deliver(&mut state);
    }
}
