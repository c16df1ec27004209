//! Whom to ask next about a check that was not decided. Functions of what was heard, nothing else.
//!
//! Rule (protocol, suspicion, failover, handoff): an owner that names another one under a newer epoch than ours is believed at
//! once; one that names an older epoch knows less than we do, and everything else passes by itself: ask again a little later,
//! beginning with this node. Nobody is followed more than three times.
//!
//! A node that cannot be reached may have started anew just now, and its key not be here yet: that passes too. After a moment it
//! is taken for dead, and from then on its checks cost nobody any time.

use std::time::Duration;

use drl_core::caps::FORWARD_REDIRECTS_MAX;
use drl_core::{Epoch, NodeId};
use drl_host::NotHere;

use drl_membership::Seat;

/// How long a check waits for a shard that changes hands: a planned move takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a check waits for a shard that nobody may answer for. A new owner needs some milliseconds to begin; without an owner
/// nothing comes of waiting.
const PATIENCE_WITHOUT_OWNER: Duration = Duration::from_millis(300);

/// How long a node may have been out of reach while its checks still wait for it. Started anew, it is there as soon as the watches
/// tell its new address, which takes milliseconds.
const PATIENCE_OUT_OF_REACH: Duration = Duration::from_millis(300);

/// What to do about a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask this node now, which should be the owner since this epoch.
    Ask(NodeId, Epoch),
    /// Ask again, from the beginning, unless so much time has passed since the check came.
    Later(Duration),
    Refuse,
}

/// After this node said that it does not decide. `seat` is what the placement says of the shard.
pub(super) fn after_here(not_here: &NotHere, me: &NodeId, seat: Option<&Seat>) -> Next {
    match (not_here, seat) {
        (NotHere::NotOwner { epoch, owner, .. }, _) if owner.node != *me => Next::Ask(owner.node.clone(), *epoch),
        // It has not heard of this shard yet, and the placement has.
        (NotHere::Unavailable { .. }, Some(seat)) if seat.owner.node != *me => {
            Next::Ask(seat.owner.node.clone(), seat.epoch)
        }
        _ => Next::Later(patience(not_here)),
    }
}

/// After a peer, asked as the owner since `epoch`, said that it does not decide.
pub(super) fn after_peer(not_here: &NotHere, me: &NodeId, asked: Epoch, redirects: u8) -> Next {
    match not_here {
        NotHere::NotOwner { epoch, owner, .. } if *epoch > asked && owner.node != *me => {
            if redirects < FORWARD_REDIRECTS_MAX { Next::Ask(owner.node.clone(), *epoch) } else { Next::Refuse }
        }
        _ => Next::Later(patience(not_here)),
    }
}

/// After an owner said nothing while the shard got another one, which `seat` names.
pub(super) fn after_silence(seat: Option<&Seat>, me: &NodeId, redirects: u8) -> Next {
    match seat {
        Some(_) if redirects >= FORWARD_REDIRECTS_MAX => Next::Refuse,
        Some(seat) if seat.owner.node != *me => Next::Ask(seat.owner.node.clone(), seat.epoch),
        _ => Next::Later(PATIENCE),
    }
}

/// After nothing could be sent to a node, which has been out of reach for so long.
pub(super) fn after_out_of_reach(so_long: Duration) -> Next {
    if so_long < PATIENCE_OUT_OF_REACH { Next::Later(PATIENCE) } else { Next::Refuse }
}

const fn patience(not_here: &NotHere) -> Duration {
    match not_here {
        NotHere::Unavailable { .. } => PATIENCE_WITHOUT_OWNER,
        NotHere::NotOwner { .. } | NotHere::Moving { .. } | NotHere::Behind { .. } => PATIENCE,
    }
}

#[cfg(test)]
mod tests {
    use drl_core::{Generation, ShardId};
    use drl_engine::ownership::Holder;

    use super::*;

    const SHARD: ShardId = ShardId::new(3);

    fn node(id: &str) -> NodeId {
        NodeId::new(id).unwrap()
    }

    fn owned_by(id: &str, epoch: u64) -> NotHere {
        let owner = Holder { node: node(id), generation: Generation(1) };
        NotHere::NotOwner { shard: SHARD, epoch: Epoch(epoch), owner }
    }

    #[test]
    fn the_owner_that_this_node_names_is_asked() {
        assert_eq!(after_here(&owned_by("n2", 5), &node("n1"), None), Next::Ask(node("n2"), Epoch(5)));
        assert_eq!(
            after_here(&owned_by("n1", 5), &node("n1"), None),
            Next::Later(PATIENCE),
            "an earlier lifetime of it"
        );
    }

    #[test]
    fn a_shard_that_this_node_has_not_heard_of_is_looked_up() {
        let unavailable = NotHere::Unavailable { shard: SHARD };
        let owner = Holder { node: node("n2"), generation: Generation(1) };
        let seat = Seat { epoch: Epoch(4), owner, follower: None, in_sync: false, cold: false };
        assert_eq!(after_here(&unavailable, &node("n1"), Some(&seat)), Next::Ask(node("n2"), Epoch(4)));
        let waits = Next::Later(PATIENCE_WITHOUT_OWNER);
        assert_eq!(after_here(&unavailable, &node("n2"), Some(&seat)), waits);
        assert_eq!(after_here(&unavailable, &node("n1"), None), waits);
    }

    #[test]
    fn only_a_newer_epoch_is_followed_and_only_so_often() {
        let after = |epoch, redirects| after_peer(&owned_by("n3", epoch), &node("n1"), Epoch(5), redirects);
        assert_eq!(after(6, 0), Next::Ask(node("n3"), Epoch(6)));
        assert_eq!(after(5, 0), Next::Later(PATIENCE));
        assert_eq!(after(6, FORWARD_REDIRECTS_MAX), Next::Refuse);
    }

    #[test]
    fn whoever_owns_the_shard_now_is_asked_instead_of_an_owner_that_says_nothing() {
        let owner = Holder { node: node("n2"), generation: Generation(1) };
        let seat = Seat { epoch: Epoch(4), owner, follower: None, in_sync: false, cold: false };
        assert_eq!(after_silence(Some(&seat), &node("n1"), 0), Next::Ask(node("n2"), Epoch(4)));
        assert_eq!(after_silence(Some(&seat), &node("n2"), 0), Next::Later(PATIENCE), "this node");
        assert_eq!(after_silence(Some(&seat), &node("n1"), FORWARD_REDIRECTS_MAX), Next::Refuse);
        assert_eq!(after_silence(None, &node("n1"), 0), Next::Later(PATIENCE));
    }

    #[test]
    fn a_node_is_out_of_reach_for_a_moment_before_it_is_taken_for_dead() {
        assert_eq!(after_out_of_reach(Duration::ZERO), Next::Later(PATIENCE));
        assert_eq!(after_out_of_reach(Duration::from_millis(299)), Next::Later(PATIENCE));
        assert_eq!(after_out_of_reach(Duration::from_millis(300)), Next::Refuse);
    }

    #[test]
    fn what_passes_is_waited_for() {
        for passing in [NotHere::Moving { shard: SHARD }, NotHere::Behind { shard: SHARD }, owned_by("n1", 9)] {
            assert_eq!(after_peer(&passing, &node("n1"), Epoch(5), 0), Next::Later(PATIENCE), "{passing:?}");
        }
    }
}
