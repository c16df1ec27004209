//! What every plan keeps, whatever the present placement says: the bands, distinct machines, nothing for those who are not in the
//! ring, nothing to do in a second plan, the same plan on every node, and no owner moved without need.

use drl_core::NodeId;
use drl_ring::{Band, Member, Placement, Ring, plan};
use proptest::prelude::*;

use crate::cluster::{Role, broken_bounds, loads, member, members, nobody};
use crate::draw::Draw;

/// Some members drain; the names leave room for nodes that are gone.
fn any_members(draw: &mut Draw, count: usize) -> Vec<Member> {
    let drains = draw.below(4);
    let member = |_| {
        let member = member(draw.below(120));
        if draw.below(8) < drains { member.draining() } else { member }
    };
    (0..count).map(member).collect()
}

/// The fewest owners that must move so that everybody is within the band.
fn owners_to_move(ring: &Ring, present: &Placement) -> usize {
    let band = Band::of(present.shards(), ring.nodes().len());
    let loads = loads(ring, present, Role::Owner);
    let held: usize = loads.values().sum();
    let above: usize = loads.values().map(|load| load.saturating_sub(band.cap)).sum();
    let missing: usize = loads.values().map(|load| band.low.saturating_sub(*load)).sum();
    if ring.everyone_drains() { 0 } else { above.max(missing.saturating_sub(present.shards() - held)) }
}

/// Shards whose owner is in the ring and is not the planned one.
fn owners_moved(ring: &Ring, present: &Placement, planned: &Placement) -> usize {
    let lives = |owner: &Option<NodeId>| owner.as_ref().is_some_and(|owner| ring.nodes().contains(owner));
    let pairs = present.iter().zip(planned.iter());
    pairs.filter(|((_, before), (_, after))| lives(&before.owner) && before.owner != after.owner).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_from_any_placement_keeps_every_bound_and_is_final(
        seed: u64, count in 0..=100_usize, shards in 1..=2_048_usize, skew in 0..4_usize, names in 1..=120_usize,
    ) {
        let mut draw = Draw(seed);
        let mut members = any_members(&mut draw, count);
        let present = draw.placement(shards, names, skew);
        let ring = Ring::new(&members);
        let planned = plan(&ring, &present);
        prop_assert_eq!(broken_bounds(&members, &planned), Vec::<String>::new());
        prop_assert_eq!(owners_moved(&ring, &present, &planned), owners_to_move(&ring, &present));
        prop_assert!(plan(&ring, &planned) == planned, "the second plan differs");
        members.reverse();
        members.rotate_left(count / 3);
        prop_assert!(plan(&Ring::new(&members), &present) == planned, "the order of members matters");
    }
}

#[test]
fn three_nodes_own_and_follow_300_to_380_of_1024_shards() {
    let ring = Ring::new(&members(3));
    let planned = plan(&ring, &nobody(1_024));
    for role in Role::BOTH {
        assert!(loads(&ring, &planned, role).values().all(|load| (300..=380).contains(load)));
    }
}

#[test]
fn the_busiest_of_3_10_and_100_nodes_has_at_most_a_tenth_more_than_the_mean() {
    for nodes in [3, 10, 100] {
        let ring = Ring::new(&members(nodes));
        let planned = plan(&ring, &nobody(1_024));
        for role in Role::BOTH {
            for load in loads(&ring, &planned, role).into_values() {
                assert!(10 * nodes * load <= 11 * 1_024, "{role:?}: {load} of {nodes}");
                assert!(100 * nodes * load >= 87 * 1_024, "{role:?}: {load} of {nodes}");
            }
        }
    }
}

#[test]
fn a_lone_node_owns_everything_and_nobody_follows() {
    let planned = plan(&Ring::new(&members(1)), &nobody(64));
    assert!(planned.iter().all(|(_, seats)| seats.owner == Some(member(0).node) && seats.follower.is_none()));
}

#[test]
fn without_members_nobody_holds_anything() {
    let present = plan(&Ring::new(&members(3)), &nobody(64));
    assert_eq!(plan(&Ring::new(&[]), &present), nobody(64));
}

#[test]
fn when_everyone_drains_nothing_is_evened_out() {
    let present = plan(&Ring::new(&members(2)), &nobody(64));
    let all: Vec<Member> = members(3).into_iter().map(Member::draining).collect();
    assert_eq!(plan(&Ring::new(&all), &present), present);
}

#[test]
fn when_everyone_drains_nothing_moves_and_what_is_orphaned_finds_a_node() {
    let before = members(3);
    let present = plan(&Ring::new(&before), &nobody(64));
    let two: Vec<Member> = before[1..].iter().cloned().map(Member::draining).collect();
    let planned = plan(&Ring::new(&two), &present);
    assert_eq!(broken_bounds(&two, &planned), Vec::<String>::new());
    for ((_, was), (_, is)) in present.iter().zip(planned.iter()) {
        let is_orphan = was.owner.as_ref() == Some(&before[0].node);
        assert!(is_orphan || was.owner == is.owner);
    }
}
