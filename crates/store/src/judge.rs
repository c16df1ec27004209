//! Is the journal whole? A pure function from what was found to the doubts. A doubt too many costs the counters of one node;
//! a doubt too few admits more than a limit, so every unexplained difference is a doubt.
//!
//! Source: the resume rule of the ownership protocol (an owner may go on only from a whole journal: every completed write
//! intact, and the same boot as its last unsynced write). Invariant: no doubt means that every write that was answered is there.

use drl_core::CommitNo;

use crate::mark::Mark;
use crate::run::Run;
use crate::{Doubt, Wholeness};

/// What recovery found.
pub(crate) struct Evidence<'a> {
    /// The last run, `None` when there never was one.
    pub(crate) last_run: Option<&'a Run>,
    /// The boot of the machine now.
    pub(crate) boot_id: &'a str,
    /// `None` when missing or unreadable; a directory is created with one.
    pub(crate) mark: Option<Mark>,
    /// The highest commit that has a frame or lies behind the checkpoint, damaged or not.
    pub(crate) reached: CommitNo,
    /// The number of the last write in the database.
    pub(crate) sequence: u64,
    /// Damage met on the way.
    pub(crate) damage: Vec<Doubt>,
}

pub(crate) fn wholeness(evidence: Evidence<'_>) -> Wholeness {
    let mut doubts = evidence.damage;
    match evidence.mark {
        None => doubts.push(Doubt::MarkUnreadable),
        Some(mark) if evidence.reached < mark.commit => {
            doubts.push(Doubt::TailMissing { found: evidence.reached, completed: mark.commit });
        }
        Some(mark) if evidence.sequence < mark.sequence => doubts.push(Doubt::WritesMissing),
        // The mark counts the first run record, so a marked database without one has lost it.
        Some(mark) if mark.sequence > 0 && evidence.last_run.is_none() => doubts.push(Doubt::WritesMissing),
        Some(_) => {}
    }
    if let Some(run) = evidence.last_run {
        if run.lax && !run.is_same_boot(evidence.boot_id) {
            doubts.push(Doubt::PowerCut);
        }
        if let Some(reason) = run.doubt.as_ref().filter(|_| doubts.is_empty()) {
            doubts.push(Doubt::Unsettled { reason: reason.clone() });
        }
    }
    if doubts.is_empty() { Wholeness::Whole } else { Wholeness::Doubtful(doubts) }
}

/// The doubts as one sentence, for the run record; `None` when there is none.
pub(crate) fn summary(wholeness: &Wholeness) -> Option<String> {
    match wholeness {
        Wholeness::Whole => None,
        Wholeness::Doubtful(doubts) => Some(match doubts.as_slice() {
            // An unsettled doubt is carried on as it was, not wrapped once more at every start.
            [Doubt::Unsettled { reason }] => reason.clone(),
            [] => String::new(),
            [first] => first.to_string(),
            [first, rest @ ..] => format!("{first}, and {} more", rest.len()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lineage;

    fn run() -> Run {
        Run::begin(Lineage::from_bytes([1; 16]), "boot", None)
    }

    fn judged(last_run: Option<&Run>, mark: Mark, boot_id: &str) -> Vec<Doubt> {
        let evidence =
            Evidence { last_run, boot_id, mark: Some(mark), reached: CommitNo(9), sequence: 20, damage: Vec::new() };
        match wholeness(evidence) {
            Wholeness::Whole => Vec::new(),
            Wholeness::Doubtful(doubts) => doubts,
        }
    }

    const fn mark(commit: u64, sequence: u64) -> Mark {
        Mark { commit: CommitNo(commit), sequence }
    }

    #[test]
    fn everything_marked_is_there() {
        assert_eq!(judged(Some(&run()), mark(9, 20), "boot"), []);
        assert_eq!(judged(Some(&run()), mark(8, 19), "boot"), []);
    }

    #[test]
    fn one_commit_below_the_mark_is_a_missing_tail() {
        let expected = Doubt::TailMissing { found: CommitNo(9), completed: CommitNo(10) };
        assert_eq!(judged(Some(&run()), mark(10, 20), "boot"), [expected]);
    }

    #[test]
    fn one_write_below_the_mark_is_a_missing_write() {
        assert_eq!(judged(Some(&run()), mark(9, 21), "boot"), [Doubt::WritesMissing]);
        assert_eq!(judged(None, mark(0, 1), "boot"), [Doubt::WritesMissing]);
    }

    #[test]
    fn new_directory_is_whole() {
        assert_eq!(judged(None, mark(0, 0), "boot"), []);
    }

    #[test]
    fn another_boot_is_a_power_cut_only_after_unsynced_commits() {
        assert_eq!(judged(Some(&run()), mark(9, 20), "other"), []);
        assert_eq!(judged(Some(&run().with_lax()), mark(9, 20), "boot"), []);
        assert_eq!(judged(Some(&run().with_lax()), mark(9, 20), "other"), [Doubt::PowerCut]);
    }

    #[test]
    fn doubt_stays_until_it_is_settled() {
        let doubtful = Run { doubt: Some("torn".to_owned()), ..run() };
        let carried = judged(Some(&doubtful), mark(9, 20), "boot");
        assert_eq!(carried, [Doubt::Unsettled { reason: "torn".to_owned() }]);
        assert_eq!(summary(&Wholeness::Doubtful(carried)), Some("torn".to_owned()));
        assert_eq!(judged(Some(&doubtful.without_doubt()), mark(9, 20), "boot"), []);
    }
}
