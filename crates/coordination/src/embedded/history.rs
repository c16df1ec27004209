//! What changed lately, for watches. A bounded number of revisions; what is older is known no more, as after a compaction of etcd.

use std::collections::VecDeque;

use drl_core::caps::EMBEDDED_HISTORY_MAX;

use crate::{Changes, Revision};

#[derive(Debug)]
pub(super) struct History {
    /// Every change behind this revision is here.
    complete_after: Revision,
    changes: VecDeque<Changes>,
}

impl History {
    pub(super) const fn new(revision: Revision) -> Self {
        Self { complete_after: revision, changes: VecDeque::new() }
    }

    pub(super) fn push(&mut self, changes: Changes) {
        if self.changes.len() >= EMBEDDED_HISTORY_MAX
            && let Some(oldest) = self.changes.pop_front()
        {
            self.complete_after = oldest.revision;
        }
        self.changes.push_back(changes);
    }

    pub(super) fn compact(&mut self) {
        if let Some(newest) = self.changes.back() {
            self.complete_after = newest.revision;
        }
        self.changes.clear();
    }

    /// `None` when some of the changes behind `revision` are not here any more.
    pub(super) fn after(&self, revision: Revision) -> Option<Vec<Changes>> {
        if revision < self.complete_after {
            return None;
        }
        let from = self.changes.partition_point(|changes| changes.revision <= revision);
        Some(self.changes.range(from..).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Change;

    fn history(revisions: std::ops::RangeInclusive<u64>) -> History {
        let mut history = History::new(Revision(1));
        for revision in revisions {
            history.push(Changes { revision: Revision(revision), changes: vec![Change::Deleted("k".into())] });
        }
        history
    }

    #[test]
    fn the_history_is_bounded_and_says_what_it_has_forgotten() {
        let history = history(2..=EMBEDDED_HISTORY_MAX as u64 + 3);
        assert_eq!(history.after(Revision(2)), None);
        assert_eq!(history.after(Revision(3)).map(|changes| changes.len()), Some(EMBEDDED_HISTORY_MAX));
    }

    #[test]
    fn a_compaction_forgets_all_but_the_present() {
        let mut history = history(2..=5);
        assert_eq!(history.after(Revision(3)).map(|changes| changes.len()), Some(2));
        history.compact();
        assert_eq!(history.after(Revision(4)), None);
        assert_eq!(history.after(Revision(5)), Some(Vec::new()));
    }
}
