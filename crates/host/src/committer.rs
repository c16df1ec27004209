//! Group commit: one thread takes the open frame, journals it and tells everybody who waits. While it writes, the next frame
//! fills, so a slow disk makes frames larger and not the queue longer. Copies on other nodes are sent their sections before the write,
//! so both journals are written at the same time.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use drl_core::CommitNo;
use drl_core::caps::BEAT_MILLIS;
use drl_store::faults::{Plant, is_planted, point};
use drl_store::{CommitSync, WriteError};

use crate::clock;
use crate::error::Stopped;
use crate::inner::{Committer, Inner, Phase, State};
use crate::options::JournalSync;
use crate::stand_in;

/// How long a commit that is not synced may stay off the disk: what a power cut costs is bounded by it, and one fsync per 50 ms
/// takes well under a percent of the disk's time.
const SYNC_EVERY: Duration = Duration::from_millis(50);

/// The reason of a stop that was asked for.
pub(crate) const CLOSED: &str = "closed";

/// A sealed frame that waits to be written.
pub(crate) struct Sealed {
    pub(crate) commit: CommitNo,
    rows: u64,
    sync: CommitSync,
}

/// The committer's thread: runs until the host closes or a write fails.
pub(crate) fn run(inner: &Arc<Inner>) {
    let mut frame = Vec::new();
    let mut written = None;
    loop {
        match next_frame(inner, written, &mut frame) {
            Err(_) => return,
            Ok(None) => return close(inner),
            Ok(Some(sealed)) => {
                if let Err(failed) = commit(inner, &sealed, &frame) {
                    return inner.stop(&failed.to_string());
                }
                written = Some(sealed.commit);
            }
        }
    }
}

/// Says what was written, waits for something to commit and encodes it. `None` when the host closes and everything is committed.
fn next_frame(inner: &Arc<Inner>, written: Option<CommitNo>, frame: &mut Vec<u8>) -> Result<Option<Sealed>, Stopped> {
    let mut state = inner.lock()?;
    if let Some(commit) = written {
        answer(inner, &mut state, commit);
    }
    loop {
        if is_planted(Plant::BeatOfCommitter) {
            state.ledger.tick(clock::monotonic());
            inner.deliver(&mut state);
        }
        // One writes at a time, so that frames reach the journal in order; who writes now rings when it is done.
        if state.committer != Committer::StoodIn {
            state.committer = Committer::Busy;
            if let Some(sealed) = seal(inner, &mut state, frame) {
                drop(state);
                inner.progress.take();
                return Ok(Some(sealed));
            }
            if state.phase == Phase::Closing {
                return Ok(None);
            }
            state.committer = Committer::Idle;
        }
        state = if is_planted(Plant::BeatOfCommitter) {
            let beat = Duration::from_millis(BEAT_MILLIS);
            inner.work.wait_timeout(state, beat).map_err(|_| inner.panicked())?.0
        } else {
            inner.work.wait(state).map_err(|_| inner.panicked())?
        };
    }
}

/// Tells everybody who waits for a frame that is in the journal.
pub(crate) fn answer(inner: &Arc<Inner>, state: &mut State, commit: CommitNo) {
    point("ack");
    state.ledger.committed(commit, clock::monotonic());
    inner.deliver(state);
    point("acked");
}

/// Takes the open frame and encodes it; `None` when it is empty. Its order in the journal is the order of these calls.
pub(crate) fn seal(inner: &Arc<Inner>, state: &mut State, frame: &mut Vec<u8>) -> Option<Sealed> {
    let rows = state.ledger.open_rows() as u64;
    let commit = state.ledger.seal(inner.configuration.revision(), frame)?;
    state.open_since = (!state.ledger.is_clean()).then(clock::monotonic);
    let sealed =
        Sealed { commit, rows: rows - state.ledger.open_rows() as u64, sync: sync(inner, state.ledger.is_backed()) };
    if is_planted(Plant::AckBeforeJournal) {
        answer(inner, state, commit);
        inner.progress.advance(commit);
    }
    inner.carry(state);
    Some(sealed)
}

/// Whether a frame must be on disk before anybody is answered: a shard that has a copy on another node (`is_backed`: all of them
/// have) loses nothing when one machine loses power.
pub(crate) fn sync(inner: &Inner, is_backed: bool) -> CommitSync {
    match inner.options.journal_sync {
        JournalSync::Commit => CommitSync::Now,
        JournalSync::Auto if !is_backed => CommitSync::Now,
        JournalSync::Auto | JournalSync::Interval => CommitSync::Later,
    }
}

/// Writes a frame and tells those who wait for its place in the journal.
pub(crate) fn commit(inner: &Inner, sealed: &Sealed, frame: &[u8]) -> Result<(), WriteError> {
    let began = clock::monotonic();
    point("journal");
    inner.store.append(sealed.commit, frame, sealed.sync)?;
    point("journaled");
    if sealed.sync == CommitSync::Later {
        inner.progress.leaves_unsynced(sealed.commit);
    }
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

/// The syncer's thread (not with `commit`): puts the journal on disk every 50 ms until `until` is dropped or a write fails. A frame that
/// waits for a stand-in waits for no longer than that.
pub(crate) fn sync_at_intervals(inner: &Arc<Inner>, until: &mpsc::Receiver<()>) {
    let mut synced = CommitNo::default();
    while let Err(mpsc::RecvTimeoutError::Timeout) = until.recv_timeout(SYNC_EVERY) {
        stand_in::has_had_time(inner);
        let unsynced = inner.progress.unsynced();
        if unsynced == synced || inner.progress.stopped().is_some() {
            continue;
        }
        if let Err(failed) = inner.store.sync() {
            return inner.stop(&failed.to_string());
        }
        synced = unsynced;
    }
}
