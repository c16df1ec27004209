//! Group commit: one thread takes the open frame, journals it and tells everybody who waits. While it writes, the next frame
//! fills, so a slow disk makes frames larger and not the queue longer.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, mpsc};
use std::time::Duration;

use drl_core::CommitNo;
use drl_store::{CommitSync, WriteError};

use crate::clock;
use crate::error::Stopped;
use crate::inner::{Committer, Inner, Phase};
use crate::options::JournalSync;

/// How long a commit may stay off the disk with `interval`: what a power cut costs is bounded by it, and one fsync per 50 ms
/// takes well under a percent of the disk's time.
const SYNC_EVERY: Duration = Duration::from_millis(50);

/// The reason of a stop that was asked for.
pub(crate) const CLOSED: &str = "closed";

/// A sealed frame that waits to be written.
struct Sealed {
    commit: CommitNo,
    rows: u64,
}

/// The committer's thread: runs until the host closes or a write fails.
pub(crate) fn run(inner: &Arc<Inner>) {
    let sync = match inner.options.journal_sync {
        JournalSync::Auto | JournalSync::Commit => CommitSync::Now,
        JournalSync::Interval => CommitSync::Later,
    };
    let mut frame = Vec::new();
    loop {
        match next_frame(inner, &mut frame) {
            Err(_) => return,
            Ok(None) => return close(inner),
            Ok(Some(sealed)) => {
                if let Err(failed) = commit(inner, &sealed, &frame, sync) {
                    return inner.stop(&failed.to_string());
                }
            }
        }
    }
}

/// Waits for something to commit and encodes it. `None` when the host closes and everything is committed.
fn next_frame(inner: &Inner, frame: &mut Vec<u8>) -> Result<Option<Sealed>, Stopped> {
    let mut state = inner.lock()?;
    loop {
        let rows = state.ledger.open_rows() as u64;
        if let Some(commit) = state.ledger.seal(inner.configuration.revision(), frame) {
            state.open_since = (!state.ledger.is_clean()).then(clock::monotonic);
            let sealed = Sealed { commit, rows: rows - state.ledger.open_rows() as u64 };
            drop(state);
            inner.progress.take();
            return Ok(Some(sealed));
        }
        if state.phase == Phase::Closing {
            return Ok(None);
        }
        state.committer = Committer::Idle;
        state = inner.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.committer = Committer::Busy;
    }
}

fn commit(inner: &Inner, sealed: &Sealed, frame: &[u8], sync: CommitSync) -> Result<(), WriteError> {
    let began = clock::monotonic();
    inner.store.append(sealed.commit, frame, sync)?;
    let took = clock::monotonic().0.saturating_sub(began.0);
    inner.counts.frames.fetch_add(1, Ordering::Relaxed);
    inner.counts.frame_rows.fetch_add(sealed.rows, Ordering::Relaxed);
    inner.counts.frame_bytes.fetch_add(frame.len() as u64, Ordering::Relaxed);
    inner.counts.commit_nanos.store(took, Ordering::Relaxed);
    inner.progress.advance(sealed.commit);
    Ok(())
}

fn close(inner: &Inner) {
    match inner.store.close() {
        Ok(()) => inner.progress.stop(CLOSED),
        Err(failed) => inner.stop(&failed.to_string()),
    }
}

/// The syncer's thread (`interval` only): puts the journal on disk every 50 ms until `until` is dropped or a write fails.
pub(crate) fn sync_at_intervals(inner: &Arc<Inner>, until: &mpsc::Receiver<()>) {
    let mut synced = CommitNo::default();
    while let Err(mpsc::RecvTimeoutError::Timeout) = until.recv_timeout(SYNC_EVERY) {
        let committed = inner.progress.committed();
        if committed == synced || inner.progress.stopped().is_some() {
            continue;
        }
        if let Err(failed) = inner.store.sync() {
            return inner.stop(&failed.to_string());
        }
        synced = committed;
    }
}
