//! How far a watch has handed changes over. Invariant: revisions that are handed over rise; an event that comes twice, late or
//! behind a snapshot that already has it is dropped.

use std::collections::BTreeMap;

use super::{Change, Changes};
use crate::Revision;

#[derive(Debug)]
pub(crate) struct Cursor {
    /// The last revision handed over; `None`: a snapshot comes first.
    at: Option<Revision>,
}

impl Cursor {
    pub(crate) const fn new(at: Option<Revision>) -> Self {
        Self { at }
    }

    /// The revision to go on from; `None`: everything is to be listed.
    pub(crate) const fn at(&self) -> Option<Revision> {
        self.at
    }

    /// A snapshot was handed over.
    pub(crate) const fn list(&mut self, revision: Revision) {
        self.at = Some(revision);
    }

    /// Changes may be missing: a snapshot comes next.
    pub(crate) const fn forget(&mut self) {
        self.at = None;
    }

    /// What of these events is new, one [`Changes`] for each revision.
    pub(crate) fn accept(&mut self, events: impl IntoIterator<Item = (Revision, Change)>) -> Vec<Changes> {
        let mut new: BTreeMap<Revision, Vec<Change>> = BTreeMap::new();
        for (revision, change) in events {
            if Some(revision) > self.at {
                new.entry(revision).or_default().push(change);
            }
        }
        if let Some(last) = new.keys().next_back() {
            self.at = Some(*last);
        }
        new.into_iter().map(|(revision, changes)| Changes { revision, changes }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(revision: u64, key: &str) -> (Revision, Change) {
        (Revision(revision), Change::Deleted(key.into()))
    }

    fn shown(batches: &[Changes]) -> Vec<(u64, usize)> {
        batches.iter().map(|batch| (batch.revision.0, batch.changes.len())).collect()
    }

    #[test]
    fn changes_of_one_revision_come_together_and_in_order() {
        let mut cursor = Cursor::new(Some(Revision(3)));
        let batches = cursor.accept([gone(5, "a"), gone(4, "b"), gone(5, "c")]);
        assert_eq!(shown(&batches), [(4, 1), (5, 2)]);
        assert_eq!(cursor.at(), Some(Revision(5)));
    }

    #[test]
    fn what_came_before_or_is_in_the_snapshot_is_dropped() {
        let mut cursor = Cursor::new(None);
        cursor.list(Revision(7));
        assert_eq!(shown(&cursor.accept([gone(6, "a"), gone(7, "b"), gone(8, "c")])), [(8, 1)]);
        assert_eq!(shown(&cursor.accept([gone(8, "c")])), []);
        assert_eq!(cursor.at(), Some(Revision(8)));
    }
}
