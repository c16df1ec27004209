//! Checkpoints in the background: changed counters go out as pages, expired ones vanish, the journal is cut behind them. It takes
//! the lock for one shard at a time.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use drl_core::CommitNo;
use drl_core::caps::JOURNAL_BYTES_MAX;
use drl_store::faults::point;
use drl_store::{PageId, WriteError};

use crate::clock;
use crate::inner::Inner;

/// How often it looks whether a checkpoint is due.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A changed policy lies in the database's log alone, which damage may cut, until a checkpoint moves it into a table. One a second
/// is soon enough for one change and seldom enough for thousands.
const POLICIES_AFTER: Duration = Duration::from_secs(1);

/// Pages are handed to the store in portions of about this size.
const PORTION_BYTES: usize = 1 << 20;

/// The checkpointer's thread: runs until `until` is dropped or a write fails.
pub(crate) fn run(inner: &Arc<Inner>, until: &mpsc::Receiver<()>) {
    let look_every = LOOK_EVERY.min(inner.options.checkpoint_every);
    let every = inner.options.checkpoint_every;
    let mut last = clock::monotonic();
    let mut covered = CommitNo::default();
    while let Err(mpsc::RecvTimeoutError::Timeout) = until.recv_timeout(look_every) {
        if inner.progress.stopped().is_some() {
            return;
        }
        let since = Duration::from_nanos(clock::monotonic().0.saturating_sub(last.0));
        let is_due = since >= every || (since >= POLICIES_AFTER && inner.store.has_loose_policies());
        if !is_due && inner.store.journal_bytes() < JOURNAL_BYTES_MAX {
            continue;
        }
        match checkpoint(inner, covered) {
            Ok(upto) => covered = upto,
            Err(failed) => return inner.stop(&failed.to_string()),
        }
        last = clock::monotonic();
    }
}

/// Writes what changed since the last checkpoint and cuts the journal. Returns the commit that the pages now cover.
fn checkpoint(inner: &Inner, covered: CommitNo) -> Result<CommitNo, WriteError> {
    // Taken before the first page: everything up to it is in the tables, hence in the pages.
    let upto = inner.progress.committed();
    let mut portion: Vec<(PageId, Vec<u8>)> = Vec::new();
    let (mut bytes, mut written) = (0, 0);
    for shard in inner.shards().iter() {
        let Ok(mut state) = inner.lock() else { return Ok(covered) };
        let now = state.ledger.time_of(shard, clock::monotonic());
        let pages = state.ledger.take_pages(shard, now);
        drop(state);
        bytes += pages.iter().map(|page| page.payload.len()).sum::<usize>();
        portion.extend(pages.into_iter().map(|page| (PageId { shard, bucket: page.bucket }, page.payload)));
        if bytes >= PORTION_BYTES {
            point("pages");
            inner.store.write_pages(&portion)?;
            written += portion.len();
            portion.clear();
            bytes = 0;
        }
    }
    if !portion.is_empty() {
        point("pages");
        inner.store.write_pages(&portion)?;
        written += portion.len();
    }
    if written == 0 && upto == covered && !inner.store.has_loose_policies() {
        return Ok(covered);
    }
    point("checkpoint");
    inner.store.checkpoint(upto)?;
    point("checkpointed");
    inner.counts.checkpoints.fetch_add(1, Ordering::Relaxed);
    tracing::debug!(upto = upto.0, pages = written, "checkpoint");
    Ok(upto)
}
