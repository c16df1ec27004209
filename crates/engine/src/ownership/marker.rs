//! What a directory says of one shard: which ownership its journal holds, and which one it was about to take.
//!
//! Rule (protocol, resume): only a whole journal with the role marker of the record's epoch is resumed from. Two ownerships fit:
//! the one that was held, and the one that was wanted: it is written down before the transaction that takes it, so that a crash
//! between the transaction and the first answer loses nothing. A directory that knows neither (empty, or copied under an earlier
//! epoch) is not resumed from. `cold` without a floor in the journal is exhausted again.
//!
//! What was held may be one epoch behind: an owner changes its follower, hands over, or replaces, in one transaction, and is
//! still named by it in the same lifetime. Nothing was answered under the new epoch that is not here, because the marker of
//! a lifetime is raised before that lifetime answers or acknowledges anything under the new epoch. Not so under a cold record: an owner
//! changes no follower before the loss is off its record, so a cold record of the next epoch is a take-over by somebody who had a part of a
//! copy at most, a learner for example.

use drl_core::{Epoch, Generation, NodeId};

use super::clock::ShardClock;
use super::record::ShardRecord;

/// The marker of one shard. The default: this directory never held it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoleMarker {
    pub held: Option<Held>,
    pub wanted: Option<Wanted>,
}

/// An ownership that was adopted: everything that was answered under it is in this directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub epoch: Epoch,
    pub generation: Generation,
    pub clock: ShardClock,
    pub floor: FloorState,
}

/// Whether the journal says itself what it lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloorState {
    /// The journal holds the shard as it is: its counters, and its floor if it has one.
    Journaled,
    /// The shard starts exhausted, and that is not in the journal yet.
    Pending,
}

/// An ownership that a transaction may have taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub epoch: Epoch,
    pub generation: Generation,
    pub origin: Origin,
}

/// Where an owner's counters come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The shard was never written to.
    Empty,
    /// This directory's own journal.
    Resume,
    /// Lost; they count as exhausted.
    Cold,
}

impl RoleMarker {
    /// How the ownership of `record`, which names `node` in this lifetime or an earlier one, as owner or as follower in sync, may
    /// go on from this directory. `None`: it may not, and the rules for a cold take-over apply to this node too.
    #[must_use]
    pub fn resumes(&self, record: &ShardRecord, node: &NodeId) -> Option<Origin> {
        let mut named = record.fences().filter(|holder| holder.node == *node);
        let generation = named.next()?.generation;
        let is_of = |epoch: Epoch, of: Generation| (record.epoch, generation) == (epoch, of);
        let is_next = |held: &Held| !record.cold && is_of(held.epoch.next(), held.generation);
        let held = self.held.filter(|held| is_of(held.epoch, held.generation) || is_next(held));
        if let Some(held) = held {
            return Some(match held.floor {
                FloorState::Pending => Origin::Cold,
                FloorState::Journaled => Origin::Resume,
            });
        }
        let wanted = self.wanted.filter(|wanted| is_of(wanted.epoch, wanted.generation))?;
        Some(wanted.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Holder;
    use super::*;

    fn n1() -> NodeId {
        NodeId::new("n1").unwrap()
    }

    fn record(epoch: u64, generation: u64) -> ShardRecord {
        let owner = Holder { node: NodeId::new("n1").unwrap(), generation: Generation(generation) };
        ShardRecord { epoch: Epoch(epoch), ..ShardRecord::first(owner) }
    }

    fn held(epoch: u64, generation: u64, floor: FloorState) -> RoleMarker {
        let (epoch, generation) = (Epoch(epoch), Generation(generation));
        RoleMarker { held: Some(Held { epoch, generation, clock: ShardClock::default(), floor }), wanted: None }
    }

    #[test]
    fn a_directory_that_held_the_very_ownership_resumes() {
        let marker = held(4, 9, FloorState::Journaled);
        assert_eq!(marker.resumes(&record(4, 9), &n1()), Some(Origin::Resume));
        assert_eq!(marker.resumes(&record(5, 9), &n1()), Some(Origin::Resume), "its own change of followers");
        assert_eq!(marker.resumes(&record(6, 9), &n1()), None, "copied under an earlier epoch");
        assert_eq!(marker.resumes(&record(4, 8), &n1()), None, "another lifetime");
        assert_eq!(RoleMarker::default().resumes(&record(4, 9), &n1()), None, "empty");
    }

    #[test]
    fn a_crash_between_transaction_and_activation_loses_nothing() {
        let wanted = Some(Wanted { epoch: Epoch(5), generation: Generation(10), origin: Origin::Resume });
        let marker = RoleMarker { wanted, ..held(4, 9, FloorState::Journaled) };
        assert_eq!(marker.resumes(&record(5, 10), &n1()), Some(Origin::Resume));
        assert_eq!(marker.resumes(&record(4, 9), &n1()), Some(Origin::Resume), "the transaction did not happen");
        assert_eq!(marker.resumes(&record(5, 11), &n1()), None, "it happened for a later lifetime");
        assert_eq!(marker.resumes(&record(6, 10), &n1()), None, "and went on from there");
    }

    #[test]
    fn a_learner_that_takes_over_cold_does_not_resume_from_what_it_had() {
        let wanted = Some(Wanted { epoch: Epoch(5), generation: Generation(9), origin: Origin::Cold });
        let marker = RoleMarker { wanted, ..held(4, 9, FloorState::Journaled) };
        let cold = ShardRecord { cold: true, ..record(5, 9) };
        assert_eq!(marker.resumes(&cold, &n1()), Some(Origin::Cold));
        assert_eq!(marker.resumes(&record(5, 9), &n1()), Some(Origin::Resume), "taken warm, or handed over");
    }

    #[test]
    fn cold_without_a_journaled_floor_is_exhausted_again() {
        let cold = ShardRecord { cold: true, ..record(4, 9) };
        assert_eq!(
            held(4, 9, FloorState::Pending).resumes(&cold, &n1()),
            Some(Origin::Cold),
            "`cold` goes only after that"
        );
        assert_eq!(held(4, 9, FloorState::Journaled).resumes(&cold, &n1()), Some(Origin::Resume));
    }
}
