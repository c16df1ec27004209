//! Who should follow each shard, given who should own it. The follower stays while it may; after a handoff the old owner is the
//! follower, as the handoff itself leaves it; the rest is offered along the ring order. Never on the owner's machine.
//!
//! A machine with more than half of the nodes leaves the others more to follow than their even share: they, and nobody else,
//! can follow what it owns. Then there are two bands, around the mean of what must be followed inside and outside of it. In every other case
//! the even band can be kept: a machine with at most half of the nodes owns at most what the others can follow (Hall's
//! condition), and where the direct way is barred, shards are passed on in a chain (`plan/relay.rs`).

use std::collections::BTreeMap;

use drl_core::ShardId;

use crate::band::Band;
use crate::plan::known::Known;
use crate::plan::offer::{Terms, offer};
use crate::plan::quotas::Quotas;
use crate::plan::relay::Relay;
use crate::plan::seating::Seating;
use crate::ring::{Machine, Ring, Slot};

/// What a follower has to be.
pub(super) struct FollowerTerms<'a> {
    ring: &'a Ring,
    known: &'a Known,
    owners: &'a Seating,
}

impl FollowerTerms<'_> {
    /// The machine that may not hold the second copy.
    pub(super) fn barred(&self, shard: ShardId) -> Option<Machine> {
        self.owners.node_at(shard).map(|owner| self.ring.machine(owner))
    }

    pub(super) fn has_copy(&self, shard: ShardId, node: Slot) -> bool {
        self.known.owner(shard) == Some(node) || self.known.follower(shard) == Some(node)
    }

    fn is_handed_over(&self, shard: ShardId) -> bool {
        self.owners.node_at(shard) != self.known.owner(shard)
    }
}

impl Terms for FollowerTerms<'_> {
    fn may_hold(&self, shard: ShardId, node: Slot) -> bool {
        self.barred(shard).is_some_and(|barred| barred != self.ring.machine(node))
    }
}

pub(super) fn seat(ring: &Ring, known: &Known, owners: &Seating) -> Seating {
    let mut seating = Seating::empty(ring, known.shards());
    if ring.machine_count() < 2 {
        return seating;
    }
    let terms = FollowerTerms { ring, known, owners };
    let bands = bands(ring, known.shards(), owners);
    keep(&terms, &mut seating);
    keep_after_handoff(&terms, &bands, &mut seating);
    let mut quotas = Quotas::of(seating.loads(), &bands, seating.vacant());
    offer(ring, &terms, &mut seating, &mut quotas);
    let relay = Relay { ring, terms: &terms, bands: &bands };
    relay.place_the_rest(&mut seating);
    relay.relieve(&mut seating);
    seating
}

fn bands(ring: &Ring, shards: usize, owners: &Seating) -> Vec<Band> {
    let nodes = ring.nodes().len();
    let even = Band::of(shards, nodes);
    if ring.everyone_drains() {
        return vec![even.without_ends(); nodes];
    }
    let Some((big, inside)) = crowded_machine(ring) else { return vec![even; nodes] };
    let is_inside = |slot: &Slot| ring.machine(*slot) == big;
    let owned_inside: usize = ring.slots().filter(is_inside).map(|slot| owners.load(slot)).sum();
    let within = Band::of(shards - owned_inside, inside);
    let without = Band::of(owned_inside, nodes - inside);
    ring.slots().map(|slot| if is_inside(&slot) { within } else { without }).collect()
}

/// The machine that runs more than half of the nodes, and how many.
fn crowded_machine(ring: &Ring) -> Option<(Machine, usize)> {
    let mut nodes: BTreeMap<Machine, usize> = BTreeMap::new();
    for slot in ring.slots() {
        *nodes.entry(ring.machine(slot)).or_default() += 1;
    }
    nodes.into_iter().find(|(_, count)| 2 * count > ring.nodes().len())
}

/// The followers of shards that keep their owner.
fn keep(terms: &FollowerTerms<'_>, seating: &mut Seating) {
    for shard in seating.shards().filter(|shard| !terms.is_handed_over(*shard)) {
        if let Some(follower) = terms.known.follower(shard).filter(|node| terms.may_hold(shard, *node)) {
            seating.seat(shard, follower);
        }
    }
}

/// After a handoff two nodes have a copy beside the new owner: the old owner, who follows now, and the follower from before.
/// The old owner stays, unless one of them would be outside the band and the other way round would be nearer to it: so no third
/// node need be sent a copy.
fn keep_after_handoff(terms: &FollowerTerms<'_>, bands: &[Band], seating: &mut Seating) {
    let mut choices: Vec<(ShardId, Slot, Slot)> = Vec::new();
    for shard in seating.shards().filter(|shard| terms.is_handed_over(*shard)) {
        let valid = |node: &Slot| terms.may_hold(shard, *node);
        let before = terms.known.follower(shard).filter(valid);
        let handed = terms.known.owner(shard).filter(valid);
        if let (Some(handed), Some(before)) = (handed, before) {
            choices.push((shard, handed, before));
        }
        if let Some(node) = handed.or(before) {
            seating.seat(shard, node);
        }
    }
    for (shard, handed, before) in choices {
        let (high, low) = (seating.load(handed), seating.load(before));
        let (high_band, low_band) = (bands[handed.0], bands[before.0]);
        let helps_the_low = low < low_band.low && high > high_band.low;
        let helps_the_high = high > high_band.cap && low < low_band.cap;
        if helps_the_low || helps_the_high {
            seating.seat(shard, before);
        }
    }
}
