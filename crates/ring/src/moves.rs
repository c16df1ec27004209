//! The way from one placement to another: one move for each shard whose seats differ, in the order of least disruption. Moves
//! know neither who lives, nor what is under way, nor how many may be. When the owner is gone, a swap is a take-over and a
//! handoff a cold one.
//!
//! A move names where the shard should end. A handoff or a swap leaves the old owner as the follower, and then the plan may
//! ask for another one: that is the next move of this shard, and nothing comes after it.

use drl_core::{NodeId, ShardId};

use crate::placement::{Placement, Seats};

/// What one shard needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub shard: ShardId,
    pub kind: MoveKind,
    pub from: Seats,
    pub to: Seats,
}

/// What a move does to callers and to the network, least disruption first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MoveKind {
    /// Nobody owns the shard: whoever should, claims it. Its callers wait for that.
    Claim,
    /// There is one copy, and a second one is made. Callers notice nothing; until then nothing else is safe to do.
    Protect,
    /// The follower becomes the owner: a short pause, and no counter is sent. What stays behind is the old owner as the follower.
    Swap,
    /// The follower is replaced: counters are sent, callers notice nothing.
    Refollow,
    /// The owner becomes one without a copy: counters are sent, then a short pause.
    Handoff,
    /// The second copy is given up: no other machine is left to keep it.
    Unfollow,
}

impl Move {
    /// The nodes that must be sent the shard's counters.
    pub fn copies(&self) -> impl Iterator<Item = &NodeId> {
        self.to.nodes().filter(|node| !self.from.names(node))
    }
}

impl MoveKind {
    /// `None` when nothing is to be done, or nobody is there to do it.
    fn of(from: &Seats, to: &Seats) -> Option<Self> {
        let owner = to.owner.as_ref()?;
        if from == to {
            return None;
        }
        Some(match (&from.owner, &from.follower, &to.follower) {
            (None, ..) => Self::Claim,
            (Some(before), follower, _) if before != owner => {
                if follower.as_ref() == Some(owner) {
                    Self::Swap
                } else {
                    Self::Handoff
                }
            }
            (_, None, _) => Self::Protect,
            (_, Some(_), Some(_)) => Self::Refollow,
            (_, Some(_), None) => Self::Unfollow,
        })
    }
}

/// The moves from `present` to `planned`, least disruption first. Within a kind they go by shard, which spreads them over the
/// nodes: neighbours in number are not neighbours on the ring.
#[must_use]
pub fn moves(present: &Placement, planned: &Placement) -> Vec<Move> {
    let mut moves: Vec<Move> = present
        .iter()
        .zip(planned.iter())
        .filter_map(|((shard, from), (_, to))| {
            let kind = MoveKind::of(from, to)?;
            Some(Move { shard, kind, from: from.clone(), to: to.clone() })
        })
        .collect();
    moves.sort_by_key(|step| (step.kind, step.shard));
    moves
}

#[cfg(test)]
mod tests {
    use drl_core::ShardCount;

    use super::*;

    fn node(name: &str) -> Option<NodeId> {
        NodeId::new(name).ok()
    }

    /// `-` is nobody.
    fn placement(seats: &[[&str; 2]]) -> Placement {
        let mut placement = Placement::empty(ShardCount::new(seats.len() as u64).unwrap());
        for ((_, empty), [owner, follower]) in placement.iter_mut().zip(seats) {
            *empty = Seats {
                owner: node(owner).filter(|_| *owner != "-"),
                follower: node(follower).filter(|_| *follower != "-"),
            };
        }
        placement
    }

    #[test]
    fn moves_come_in_the_order_of_least_disruption() {
        let present = placement(&[["a", "b"], ["a", "b"], ["a", "b"], ["a", "b"], ["a", "-"], ["-", "-"], ["a", "b"]]);
        let planned = placement(&[["a", "b"], ["a", "-"], ["c", "a"], ["a", "c"], ["a", "b"], ["a", "b"], ["b", "a"]]);
        let found: Vec<_> = moves(&present, &planned).iter().map(|step| (step.kind, step.shard.get())).collect();
        let expected = [
            (MoveKind::Claim, 5),
            (MoveKind::Protect, 4),
            (MoveKind::Swap, 6),
            (MoveKind::Refollow, 3),
            (MoveKind::Handoff, 2),
            (MoveKind::Unfollow, 1),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn only_nodes_without_a_copy_are_sent_one() {
        let present = placement(&[["a", "b"], ["a", "b"], ["a", "b"]]);
        let planned = placement(&[["b", "a"], ["c", "a"], ["b", "c"]]);
        let sent = |step: &Move| step.copies().map(NodeId::to_string).collect::<Vec<_>>();
        let mut found = moves(&present, &planned);
        found.sort_by_key(|step| step.shard);
        assert_eq!(found.iter().map(sent).collect::<Vec<_>>(), [vec![], vec!["c"], vec!["c"]]);
    }

    #[test]
    fn without_a_plan_there_is_no_move() {
        assert_eq!(moves(&placement(&[["a", "b"]]), &placement(&[["-", "-"]])), []);
    }
}
