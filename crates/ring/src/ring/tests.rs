//! The ring alone: order, consistency, and that it depends on nothing but its members.

use drl_core::ShardId;

use super::*;

fn member(number: usize) -> Member {
    Member::new(NodeId::new(&format!("n{number}")).unwrap())
}

fn members(count: usize) -> Vec<Member> {
    (0..count).map(member).collect()
}

fn shards() -> impl Iterator<Item = ShardId> {
    (0..1_024).map(ShardId::new)
}

fn preference(ring: &Ring, shard: ShardId) -> Vec<&str> {
    ring.preference(shard).map(NodeId::as_str).collect()
}

#[test]
fn a_shard_prefers_every_node_once_and_first_the_one_that_hashring_names() {
    let ring = Ring::new(&members(20));
    for shard in shards() {
        let preferred: Vec<Slot> = ring.walk(shard).collect();
        assert_eq!(preferred.iter().collect::<BTreeSet<_>>().len(), 20);
        assert_eq!(preferred.len(), 20);
        assert_eq!(preferred.first().copied(), ring.circle.get(&Position::of_shard(shard)).map(|place| place.owner));
    }
}

#[test]
fn our_order_of_virtual_nodes_is_that_of_hashring() {
    let ring = Ring::new(&members(5));
    for (rank, owner) in ring.order.iter().enumerate() {
        let place = ring.circle.get(&in_order(&ring.nodes)[rank].position).unwrap();
        assert_eq!((place.rank, place.owner), (rank, *owner));
    }
}

#[test]
fn a_member_that_joins_changes_nobody_elses_order() {
    let (before, after) = (Ring::new(&members(9)), Ring::new(&members(10)));
    for shard in shards() {
        let without: Vec<&str> = preference(&after, shard).into_iter().filter(|node| *node != "n9").collect();
        assert_eq!(preference(&before, shard), without);
    }
}

#[test]
fn the_order_of_members_means_nothing() {
    let (sorted, mut shuffled) = (members(12), members(12));
    shuffled.reverse();
    shuffled.swap(2, 7);
    let (one, other) = (Ring::new(&sorted), Ring::new(&shuffled));
    assert!(shards().all(|shard| preference(&one, shard) == preference(&other, shard)));
}

#[test]
fn a_name_counts_once() {
    let twice = [member(1), member(2), member(1).on("rack")];
    assert_eq!(Ring::new(&twice).nodes(), Ring::new(&members(3)[1..]).nodes());
}

#[test]
fn draining_members_have_no_place_unless_all_drain() {
    let mut some = members(3);
    some[1] = member(1).draining();
    let ring = Ring::new(&some);
    assert_eq!(ring.nodes().iter().map(NodeId::as_str).collect::<Vec<_>>(), ["n0", "n2"]);
    assert!(!ring.everyone_drains());
    let all: Vec<Member> = some.into_iter().map(Member::draining).collect();
    let ring = Ring::new(&all);
    assert_eq!(ring.nodes().len(), 3);
    assert!(ring.everyone_drains());
}

#[test]
fn machines_are_told_apart_by_name_and_nameless_ones_by_node() {
    let ring = Ring::new(&[member(0).on("n1"), member(1), member(2).on("n1"), member(3)]);
    let machines: Vec<Machine> = ring.slots().map(|slot| ring.machine(slot)).collect();
    assert_eq!(machines, [Machine(0), Machine(1), Machine(0), Machine(3)]);
    assert_eq!(ring.machine_count(), 3);
}

#[test]
fn an_empty_ring_proposes_nobody() {
    assert_eq!(Ring::new(&[]).preference(ShardId::new(0)).count(), 0);
}
