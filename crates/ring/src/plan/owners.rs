//! Who should own each shard. Living owners keep theirs within the band. The shards of an owner that is gone or drains go to their
//! followers, who have the counters already, as far as these are not above the others then; the rest, and what must move, goes
//! along the ring order.
//!
//! A follower that takes over from a silent owner does not ask the plan. What it took it keeps, like any owner.

use drl_core::ShardId;

use crate::band::Band;
use crate::plan::known::Known;
use crate::plan::offer::{Terms, offer};
use crate::plan::quotas::Quotas;
use crate::plan::seating::Seating;
use crate::ring::{Ring, Slot};

struct OwnerTerms<'a> {
    known: &'a Known,
}

impl Terms for OwnerTerms<'_> {
    /// An owner and its follower change places without sending a counter.
    fn first_choice(&self, shard: ShardId) -> Option<Slot> {
        self.known.follower(shard)
    }

    fn may_hold(&self, _: ShardId, _: Slot) -> bool {
        true
    }
}

pub(super) fn seat(ring: &Ring, known: &Known) -> Seating {
    let even = Band::of(known.shards(), ring.nodes().len());
    let band = if ring.everyone_drains() { even.without_ends() } else { even };
    let bands = vec![band; ring.nodes().len()];
    let mut seating = Seating::empty(ring, known.shards());
    for shard in seating.shards() {
        if let Some(owner) = known.owner(shard) {
            seating.seat(shard, owner);
        }
    }
    let mut quotas = Quotas::of(seating.loads(), &bands, seating.vacant());
    offer(ring, &OwnerTerms { known }, &mut seating, &mut quotas);
    seating
}
