//! Writes what is in force to the disk, behind the changes: beside the runtime, in batches, one after the other. A save that fails is
//! said and tried again, and nothing waits for it.
//!
//! Invariant: what is saved of a key is never older than what was saved of it before. A change of a key that still waits replaces the
//! one that waits. The mark goes with the batch that leaves nothing waiting.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drl_configuration::Entry;
use drl_coordination::Key;
use drl_core::caps::{LAST_GOOD_SAVE_RECORDS_MAX, LISTING_KEYS_MAX};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::record::{self, Mark};
use crate::{LastGood, LastGoodError};

/// The longest pause between two tries of a save that fails.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What waits to be saved. Shared by whoever changes policies and the task that saves.
#[derive(Debug)]
pub(crate) struct Unsaved {
    waiting: Mutex<Waiting>,
    state: watch::Sender<SaveState>,
    /// Whether the disk may be written yet.
    saving: watch::Sender<Saving>,
}

/// When the first save may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saving {
    AtOnce,
    /// Not before [`crate::ClusterPolicies::allow_saving`]: for a store that has to recover before it takes writes.
    WhenAllowed,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By key in etcd; `None` deletes. At most as many as a listing may have.
    changes: BTreeMap<Key, Option<Entry>>,
    mark: Option<Mark>,
}

/// How far saving is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SaveState {
    /// Changes that are not on disk, the one of the mark included.
    pub(crate) unsaved: usize,
    /// Why the last save failed; `None` when it did not.
    pub(crate) trouble: Option<LastGoodError>,
    /// What was in force up to this revision of the service waits or is saved.
    upto: u64,
}

#[derive(Debug, Clone)]
struct Batch {
    changes: BTreeMap<Key, Option<Entry>>,
    mark: Option<Mark>,
}

impl Unsaved {
    /// What is in force at `revision` of the service is on disk.
    pub(crate) fn new(revision: u64, saving: Saving) -> Self {
        let state = SaveState { upto: revision, ..SaveState::default() };
        Self { waiting: Mutex::default(), state: watch::Sender::new(state), saving: watch::Sender::new(saving) }
    }

    pub(crate) fn allow(&self) {
        self.saving.send_replace(Saving::AtOnce);
    }

    /// Changes that are in force since `revision` of the service, and the mark of what they lead to.
    pub(crate) fn push(
        &self,
        changes: impl IntoIterator<Item = (Key, Option<Entry>)>,
        mark: Option<Mark>,
        revision: u64,
    ) {
        let mut waiting = self.waiting();
        for (key, entry) in changes {
            // A disk that fails for so long is said all the time; what it misses it gets after the next start, by comparison.
            if waiting.changes.len() < LISTING_KEYS_MAX || waiting.changes.contains_key(&key) {
                waiting.changes.insert(key, entry);
            }
        }
        waiting.mark = mark.or(waiting.mark);
        let unsaved = waiting.len();
        // Under the lock, as in `report`, so that the number that is said last is the one that came last.
        self.state.send_modify(|state| {
            state.upto = revision;
            // A batch that is being saved still counts.
            state.unsaved = state.unsaved.max(unsaved);
        });
    }

    pub(crate) fn state(&self) -> SaveState {
        self.state.borrow().clone()
    }

    /// Resolves when nothing waits of what was in force at `revision` of the service.
    pub(crate) async fn until_saved(&self, revision: u64) {
        // The sender lives as long as `self`, so that the wait cannot fail.
        let _ = self.state.subscribe().wait_for(|state| state.upto >= revision && state.unsaved == 0).await;
    }

    fn take(&self) -> Option<Batch> {
        let mut waiting = self.waiting();
        // One place is for the mark.
        let full = LAST_GOOD_SAVE_RECORDS_MAX.saturating_sub(1);
        let mut changes = BTreeMap::new();
        while changes.len() < full
            && let Some((key, entry)) = waiting.changes.pop_first()
        {
            changes.insert(key, entry);
        }
        let mark = if waiting.changes.is_empty() { waiting.mark.take() } else { None };
        let is_empty = changes.is_empty() && mark.is_none();
        (!is_empty).then_some(Batch { changes, mark })
    }

    /// A batch that was not saved waits again, but for what has changed meanwhile.
    fn put_back(&self, batch: Batch) {
        let mut waiting = self.waiting();
        for (key, entry) in batch.changes {
            waiting.changes.entry(key).or_insert(entry);
        }
        waiting.mark = waiting.mark.or(batch.mark);
    }

    fn report(&self, trouble: Option<LastGoodError>) {
        let waiting = self.waiting();
        self.state.send_modify(|state| {
            state.unsaved = waiting.len();
            state.trouble = trouble;
        });
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn len(&self) -> usize {
        self.changes.len().saturating_add(usize::from(self.mark.is_some()))
    }
}

/// Saves for as long as it runs. A failed save is tried again after `pause`, then after twice that, and so on.
pub(crate) async fn run(unsaved: Arc<Unsaved>, last_good: Arc<dyn LastGood>, pause: Duration) {
    // The senders live as long as `unsaved`, so that no wait can fail.
    let _ = unsaved.saving.subscribe().wait_for(|saving| *saving == Saving::AtOnce).await;
    let mut state = unsaved.state.subscribe();
    let mut next_pause = pause;
    while state.wait_for(|state| state.unsaved > 0).await.is_ok() {
        let Some(batch) = unsaved.take() else {
            unsaved.report(None);
            continue;
        };
        match save(&last_good, batch.clone()).await {
            Ok(()) => {
                next_pause = pause;
                unsaved.report(None);
            }
            Err(error) => {
                tracing::error!(%error, retry_in = ?next_pause, "policies are in force and not on disk");
                unsaved.put_back(batch);
                unsaved.report(Some(error));
                let _ = timeout(next_pause, std::future::pending::<()>()).await;
                next_pause = next_pause.saturating_mul(2).min(PAUSE_MAX);
            }
        }
    }
}

async fn save(last_good: &Arc<dyn LastGood>, batch: Batch) -> Result<(), LastGoodError> {
    let last_good = Arc::clone(last_good);
    let saving = tokio::task::spawn_blocking(move || last_good.save(&batch.records()));
    saving.await.unwrap_or_else(|stopped| Err(LastGoodError { reason: stopped.to_string() }))
}

impl Batch {
    fn records(&self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let changes =
            self.changes.iter().map(|(key, entry)| (key.as_bytes().to_vec(), entry.as_ref().map(record::value)));
        let mark = self.mark.map(|mark| (record::MARK_KEY.to_vec(), Some(mark.value())));
        changes.chain(mark).collect()
    }
}

#[cfg(test)]
mod tests {
    use drl_configuration::PolicyDocument;
    use drl_coordination::{ClusterId, Revision};

    use super::*;

    fn entry(revision: u64) -> Entry {
        let policy = PolicyDocument::parse(br#"{"limits":[{"requests":5,"window":"1m"}]}"#).unwrap();
        Entry { policy: Arc::new(policy), revision }
    }

    fn mark(revision: u64) -> Mark {
        Mark { cluster: ClusterId(7), revision: Revision(revision) }
    }

    #[test]
    fn a_batch_that_was_not_saved_does_not_replace_what_came_after_it() {
        let unsaved = Unsaved::new(0, Saving::AtOnce);
        unsaved.push([(Key::from("/a"), Some(entry(1))), (Key::from("/b"), Some(entry(1)))], Some(mark(1)), 1);
        let batch = unsaved.take().unwrap();
        unsaved.push([(Key::from("/a"), None), (Key::from("/c"), Some(entry(2)))], Some(mark(2)), 2);
        unsaved.put_back(batch);
        let next = unsaved.take().unwrap();
        let revisions: Vec<_> = next.changes.values().map(|entry| entry.as_ref().map(|entry| entry.revision)).collect();
        assert_eq!(revisions, [None, Some(1), Some(2)]);
        assert_eq!(next.mark, Some(mark(2)));
        assert!(unsaved.take().is_none());
    }

    #[test]
    fn a_batch_is_bounded_and_the_mark_goes_with_the_last_one() {
        let unsaved = Unsaved::new(0, Saving::AtOnce);
        let many = (0..LAST_GOOD_SAVE_RECORDS_MAX).map(|number| (Key::from(format!("/{number:04}")), Some(entry(1))));
        unsaved.push(many, Some(mark(1)), 1);
        let (first, last) = (unsaved.take().unwrap(), unsaved.take().unwrap());
        assert_eq!((first.records().len(), first.mark), (LAST_GOOD_SAVE_RECORDS_MAX - 1, None));
        assert_eq!((last.records().len(), last.mark), (2, Some(mark(1))));
        assert_eq!(last.records().last().unwrap().0, record::MARK_KEY);
    }

    #[tokio::test]
    async fn what_is_being_saved_is_not_saved_yet() {
        let unsaved = Unsaved::new(0, Saving::AtOnce);
        unsaved.push([(Key::from("/a"), Some(entry(1)))], None, 1);
        let batch = unsaved.take().unwrap();
        unsaved.push([], None, 2);
        assert_eq!(unsaved.state().unsaved, 1);
        assert!(timeout(Duration::from_millis(1), unsaved.until_saved(2)).await.is_err());
        drop(batch);
        unsaved.report(None);
        unsaved.until_saved(2).await;
    }
}
