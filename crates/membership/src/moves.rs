//! What changed last about each shard and why, as far as this node saw it: for people who ask what happened. Every node reads every
//! record, so each can tell; nothing is decided by it.
//!
//! What happened is read from two records, one before and one after. Why a follower was dropped only its owner knows for certain; here
//! it is what the list of nodes said at that moment.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use drl_core::caps::SHARD_MOVES_KEPT;
use drl_core::{Epoch, NodeId, ShardCount, ShardId, ShardTime};
use drl_engine::ownership::{Holder, ShardRecord};

/// A change of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Since this epoch it is so.
    pub epoch: Epoch,
    /// When this node learned of it, by its wall clock.
    pub at: ShardTime,
    pub what: What,
}

/// What happened to a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Claimed { by: NodeId },
    Resumed { by: NodeId },
    TakenWarm { by: NodeId, from: NodeId },
    TakenCold { by: NodeId, from: NodeId },
    HandedOver { to: NodeId, from: NodeId, why: Why },
    Named { follower: NodeId },
    InSync { follower: NodeId },
    Replaced { follower: NodeId, before: NodeId, why: Why },
    Dropped { follower: NodeId, why: Why },
}

/// Why a node has something no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The plan gives it to somebody else, or the node did not keep up.
    Serves,
    Drains,
    /// It has no session, or is another process by now.
    IsGone,
}

/// The last moves of every shard.
#[derive(Debug)]
pub(crate) struct Moves(Mutex<Vec<VecDeque<Move>>>);

impl Moves {
    pub(crate) fn new(shards: ShardCount) -> Self {
        Self(Mutex::new(shards.iter().map(|_| VecDeque::new()).collect()))
    }

    pub(crate) fn note(&self, shard: ShardId, latest: Move) {
        let mut rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ring) = rings.get_mut(shard.index()) else { return };
        // The same change is learned from a transaction of one's own and from the watch.
        if ring.front().is_some_and(|last| (last.epoch, &last.what) == (latest.epoch, &latest.what)) {
            return;
        }
        ring.truncate(SHARD_MOVES_KEPT - 1);
        ring.push_front(latest);
    }

    /// Newest first.
    pub(crate) fn of(&self, shard: ShardId) -> Vec<Move> {
        let rings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rings.get(shard.index()).map(|ring| ring.iter().cloned().collect()).unwrap_or_default()
    }
}

/// What leads from one record to the next; `None`: nothing that anybody asks for. `lot` says how a holder stands.
pub(crate) fn between(old: &ShardRecord, new: &ShardRecord, lot: impl Fn(&Holder) -> Why) -> Option<What> {
    let (by, from) = (new.owner.node.clone(), old.owner.node.clone());
    if new.epoch < old.epoch {
        return None;
    }
    if new.owner == old.owner {
        return of_followers(old, new, lot);
    }
    let is_swap = new.in_sync && new.follower.as_ref() == Some(&old.owner);
    let is_followers = old.in_sync_follower() == Some(&new.owner);
    Some(match (is_swap, is_followers) {
        (false, true) => What::TakenWarm { by, from },
        (false, false) if new.cold && !(old.cold && by == from) => What::TakenCold { by, from },
        (false, false) if lot(&old.owner) == Why::IsGone || by == from => What::Resumed { by },
        (true, _) | (false, false) => What::HandedOver { to: by, from, why: lot(&old.owner) },
    })
}

fn of_followers(old: &ShardRecord, new: &ShardRecord, lot: impl Fn(&Holder) -> Why) -> Option<What> {
    match (&old.follower, &new.follower) {
        (Some(before), Some(now)) if before == now => {
            (new.in_sync && !old.in_sync).then(|| What::InSync { follower: now.node.clone() })
        }
        (Some(before), Some(now)) => {
            Some(What::Replaced { follower: now.node.clone(), before: before.node.clone(), why: lot(before) })
        }
        (None, Some(now)) => Some(What::Named { follower: now.node.clone() }),
        (Some(before), None) => Some(What::Dropped { follower: before.node.clone(), why: lot(before) }),
        (None, None) => None,
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claimed { by } => write!(f, "{by} claimed it; nobody had owned it"),
            Self::Resumed { by } => write!(f, "{by} started again and resumed it from its disk"),
            Self::TakenWarm { by, from } => {
                write!(f, "{by} took over from {from}, which was silent, with its counters")
            }
            Self::TakenCold { by, from } if by == from => {
                write!(f, "{by} started again without a whole journal; the counters count as used up")
            }
            Self::TakenCold { by, from } => {
                write!(f, "{by} took over from {from}, which is gone, without its counters; they count as used up")
            }
            Self::HandedOver { to, from, why: Why::Drains } => write!(f, "{from} drains and handed it over to {to}"),
            Self::HandedOver { to, from, .. } => write!(f, "{from} handed it over to {to}, as planned"),
            Self::Named { follower } => write!(f, "{follower} is to have a copy"),
            Self::InSync { follower } => write!(f, "the copy on {follower} is in sync"),
            Self::Replaced { follower, before, why } => {
                write!(f, "the copy on {before} was replaced by one on {follower}: {}", cause(*why, "as planned"))
            }
            Self::Dropped { follower, why } => {
                write!(
                    f,
                    "the copy on {follower} was dropped: {}",
                    cause(*why, "the node was silent or too far behind")
                )
            }
        }
    }
}

const fn cause(why: Why, otherwise: &'static str) -> &'static str {
    match why {
        Why::Serves => otherwise,
        Why::Drains => "the node drains",
        Why::IsGone => "the node is gone",
    }
}

#[cfg(test)]
mod tests {
    use drl_core::Generation;

    use super::*;

    fn holder(node: &str, generation: u64) -> Holder {
        Holder { node: NodeId::new(node).unwrap(), generation: Generation(generation) }
    }

    /// Everybody serves but `n8`, which drains, and `n9`, which is gone.
    fn lot(holder: &Holder) -> Why {
        match holder.node.as_str() {
            "n8" => Why::Drains,
            "n9" => Why::IsGone,
            _ => Why::Serves,
        }
    }

    #[test]
    fn every_change_of_a_record_is_told_as_what_it_was() {
        let alone = ShardRecord::first(holder("n1", 1));
        let learning = alone.with_learner(holder("n2", 1));
        let in_sync = learning.marked_in_sync();
        let drained = ShardRecord::first(holder("n8", 1)).with_learner(holder("n2", 1)).marked_in_sync();
        let gone = ShardRecord::first(holder("n9", 1));
        let cold = gone.taken_cold_by(holder("n2", 1));
        for (old, new, told) in [
            (&alone, learning.clone(), "n2 is to have a copy"),
            (&learning, in_sync.clone(), "the copy on n2 is in sync"),
            (&in_sync, in_sync.without_follower(), "the copy on n2 was dropped: the node was silent or too far behind"),
            (
                &in_sync,
                in_sync.with_replacement(holder("n3", 1)),
                "the copy on n2 was replaced by one on n3: as planned",
            ),
            (&in_sync, in_sync.swapped().unwrap(), "n1 handed it over to n2, as planned"),
            (&drained, drained.swapped().unwrap(), "n8 drains and handed it over to n2"),
            (
                &in_sync,
                in_sync.resumed_by(holder("n2", 1)),
                "n2 took over from n1, which was silent, with its counters",
            ),
            (&in_sync, in_sync.resumed_by(holder("n1", 2)), "n1 started again and resumed it from its disk"),
            (&alone, alone.handed_to(holder("n3", 1)), "n1 handed it over to n3, as planned"),
            (&gone, cold.clone(), "n2 took over from n9, which is gone, without its counters; they count as used up"),
            (
                &alone,
                alone.taken_cold_by(holder("n1", 2)),
                "n1 started again without a whole journal; the counters count as used up",
            ),
            (&cold, cold.resumed_by(holder("n2", 2)), "n2 started again and resumed it from its disk"),
        ] {
            assert_eq!(between(old, &new, lot).map(|what| what.to_string()).as_deref(), Some(told));
        }
        let let_go = alone.with_learner(holder("n8", 1));
        let dropped = between(&let_go, &let_go.without_follower(), lot).map(|what| what.to_string());
        assert_eq!(dropped.as_deref(), Some("the copy on n8 was dropped: the node drains"));
    }

    #[test]
    fn what_changes_nothing_is_not_told_and_neither_is_what_is_older() {
        let cold = ShardRecord::first(holder("n1", 1)).taken_cold_by(holder("n1", 2));
        assert_eq!(between(&cold, &cold.settled(), lot), None);
        assert_eq!(between(&cold, &cold, lot), None);
        assert_eq!(between(&cold, &ShardRecord::first(holder("n1", 1)), lot), None);
    }

    #[test]
    fn the_last_moves_are_kept_newest_first_and_each_once() {
        let moves = Moves::new(ShardCount::new(1).unwrap());
        let shard = ShardId::new(0);
        let what = || What::Named { follower: NodeId::new("n2").unwrap() };
        for epoch in 1..=9 {
            for at in [epoch, epoch + 100] {
                moves.note(shard, Move { epoch: Epoch(epoch), at: ShardTime(at), what: what() });
            }
        }
        let kept = moves.of(shard);
        let epochs: Vec<u64> = kept.iter().map(|kept| kept.epoch.0).collect();
        assert_eq!(epochs, [9, 8, 7, 6]);
        assert_eq!((kept[0].at, moves.of(ShardId::new(1))), (ShardTime(9), vec![]));
    }
}
