//! The planner: from the members and the present placement to the placement that everybody should work towards. A pure
//! function, so that every node computes the same plan from the same records, without a coordinator.
//!
//! Owners are planned first, followers for them afterwards (`plan/owners.rs`, `plan/followers.rs`), by the same steps: whoever holds a
//! shard keeps it while the [`Band`](crate::Band) allows; what nobody holds, and what must move, is offered along the ring
//! order (`plan/offer.rs`) to the nodes that have room for it (`plan/quotas.rs`). It keeps, whatever the present placement says:
//!
//! * owner and follower of a shard run on different machines; with one machine there is no follower
//! * a node that is not in the ring (gone, or draining) holds nothing, unless everybody drains: then only what nobody holds is given out
//! * owners are within the band; followers too, or within the bands that the machines leave possible (`plan/followers.rs`)
//! * no plan within the band takes fewer shards from living owners
//! * planning again from its own plan changes nothing
//!
//! It does not know which shards are in sync, were ever written, or are about to move.

mod followers;
mod known;
mod offer;
mod owners;
mod quotas;
mod relay;
mod seating;

use crate::placement::Placement;
use crate::plan::known::Known;
use crate::ring::Ring;

/// The placement to work towards. Empty when the ring is.
#[must_use]
pub fn plan(ring: &Ring, present: &Placement) -> Placement {
    let known = Known::of(ring, present);
    let owners = owners::seat(ring, &known);
    let followers = followers::seat(ring, &known, &owners);
    let mut planned = present.clone();
    for (shard, seats) in planned.iter_mut() {
        seats.owner = owners.node_at(shard).map(|slot| ring.node(slot).clone());
        seats.follower = followers.node_at(shard).map(|slot| ring.node(slot).clone());
    }
    planned
}
