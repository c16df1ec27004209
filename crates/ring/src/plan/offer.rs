//! Shards that must find another node offer themselves along their ring order: every shard to its first choice, then those
//! that are left to their second choice, and so on. A node takes while its quota has room. So a shard ends as near to the
//! ring's proposal as the loads allow, and no shard's third choice takes the place of another's first.

use drl_core::ShardId;

use crate::plan::quotas::Quotas;
use crate::plan::seating::Seating;
use crate::ring::{Ring, Slot};

/// What a role asks of a node, beyond its load.
pub(super) trait Terms {
    /// Whom the shard asks before it follows the ring order: whoever has a copy already.
    fn first_choice(&self, _: ShardId) -> Option<Slot> {
        None
    }

    fn may_hold(&self, shard: ShardId, node: Slot) -> bool;
}

/// Seats what is vacant and what nodes must give, as far as quotas and terms allow.
pub(super) fn offer(ring: &Ring, terms: &impl Terms, seating: &mut Seating, quotas: &mut Quotas) {
    let may_leave =
        |seating: &Seating, quotas: &Quotas, shard| seating.node_at(shard).is_none_or(|node| quotas.gives(node));
    let mut offers: Vec<_> = seating
        .shards()
        .filter(|shard| may_leave(seating, quotas, *shard))
        .map(|shard| (shard, terms.first_choice(shard).into_iter().chain(ring.walk(shard))))
        .collect();
    while quotas.anybody_takes() && !offers.is_empty() {
        offers.retain_mut(|(shard, choices)| {
            if !may_leave(seating, quotas, *shard) {
                return false;
            }
            let Some(node) = choices.next() else { return false };
            let taken = quotas.takes(node) && terms.may_hold(*shard, node);
            if taken {
                quotas.pass(seating.node_at(*shard), node);
                seating.seat(*shard, node);
            }
            !taken
        });
    }
}
