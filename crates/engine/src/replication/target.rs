//! A copy of one shard on another process lifetime, as the shard's owner knows it.
//!
//! ```text
//!  Invited(Anew) --join--> Seeding --last part sent--> Live
//!  Invited(Continues) --join------------------------^
//! ```
//!
//! From the join on the copy gets every section; a snapshot travels in order with them. "Near" is said when the snapshot is
//! acknowledged and the copy counts, "caught up" when everything is that was sent until replies began to wait for this copy (the joint rule: a record says
//! in sync only after the owner requires the acknowledgements).

use drl_core::Nanos;

use super::message::Start;
use crate::ownership::Holder;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) to: Holder,
    pub(crate) stage: Stage,
    /// When it was invited.
    pub(crate) invited: Nanos,
    /// Which invitation of this lifetime it answers.
    pub(crate) attempt: u64,
    /// That invitation was said.
    pub(crate) is_told: bool,
    /// Replies wait for its acknowledgements; the last frame that was sent when they began to.
    pub(crate) required: Option<u64>,
    pub(crate) told: Told,
    /// It refused a section, or fell too far behind: it gets nothing more and nothing counts as acknowledged by it.
    pub(crate) is_broken: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Invited(Start),
    /// The next page to send, when the part that went with this frame is acknowledged.
    Seeding {
        next: u8,
        sent: u64,
    },
    /// Everything was sent; the copy was complete with this frame.
    Live {
        complete_by: u64,
    },
}

/// What the machine that decides about the record was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Told {
    Nothing,
    Near,
    CaughtUp,
    Broken,
}

impl Target {
    pub(crate) const fn new(to: Holder, start: Start, attempt: u64) -> Self {
        Self {
            to,
            stage: Stage::Invited(start),
            invited: Nanos::ZERO,
            attempt,
            is_told: false,
            required: None,
            told: Told::Nothing,
            is_broken: false,
        }
    }

    /// Whether sections go there.
    pub(crate) const fn gets_sections(&self) -> bool {
        !self.is_broken && !matches!(self.stage, Stage::Invited(_))
    }

    /// Whether decisions wait for it to join: they could not be sent to it later.
    pub(crate) fn is_awaited(&self) -> bool {
        self.stage == Stage::Invited(Start::Continues) && !self.is_broken
    }

    /// What could be said of it when everything up to `acked` is acknowledged. `counts`: its marker is on disk if it is complete by then.
    pub(crate) fn standing(&self, acked: u64, counts: bool) -> Told {
        match (self.is_broken, self.stage, self.required) {
            (true, ..) => Told::Broken,
            (_, Stage::Live { complete_by }, Some(since)) if counts && acked >= complete_by.max(since) => {
                Told::CaughtUp
            }
            (_, Stage::Live { complete_by }, _) if counts && acked >= complete_by => Told::Near,
            _ => Told::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use drl_core::{Generation, NodeId};

    use super::*;

    fn target(stage: Stage, required: Option<u64>) -> Target {
        let to = Holder { node: NodeId::new("n2").unwrap(), generation: Generation(1) };
        Target { stage, required, ..Target::new(to, Start::Anew, 1) }
    }

    #[test]
    fn near_is_when_the_snapshot_is_acknowledged() {
        assert_eq!(target(Stage::Seeding { next: 3, sent: 0 }, None).standing(9, true), Told::Nothing);
        assert_eq!(target(Stage::Live { complete_by: 9 }, None).standing(8, true), Told::Nothing);
        assert_eq!(
            target(Stage::Live { complete_by: 9 }, None).standing(9, false),
            Told::Nothing,
            "its marker is not on disk"
        );
        assert_eq!(target(Stage::Live { complete_by: 9 }, None).standing(9, true), Told::Near);
    }

    #[test]
    fn caught_up_is_when_everything_is_acknowledged_that_was_sent_before_it_was_required() {
        assert_eq!(target(Stage::Live { complete_by: 9 }, Some(12)).standing(11, true), Told::Near);
        assert_eq!(target(Stage::Live { complete_by: 9 }, Some(12)).standing(12, true), Told::CaughtUp);
    }
}
