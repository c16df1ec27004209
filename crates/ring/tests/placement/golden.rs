//! What is frozen: the order in which the ring proposes nodes, and a plan from nothing. Nodes of different builds plan side by side,
//! so another result is another protocol, and every cluster would move its shards when it is upgraded.

use drl_core::{NodeId, ShardId};
use drl_ring::{Placement, Ring};
use xxhash_rust::xxh3::xxh3_64;

use crate::cluster::{genesis, members};

/// `owner follower` of each shard.
fn text(placement: &Placement) -> String {
    let name = |node: &Option<NodeId>| node.as_ref().map_or("-".to_owned(), NodeId::to_string);
    let seats = placement.iter().map(|(_, seats)| format!("{} {}", name(&seats.owner), name(&seats.follower)));
    seats.collect::<Vec<_>>().join(", ")
}

#[test]
fn the_order_of_preference_is_frozen() {
    let ring = Ring::new(&members(5));
    let order = |shard| ring.preference(ShardId::new(shard)).map(NodeId::as_str).collect::<Vec<_>>().join(" ");
    let frozen =
        ["n4 n1 n3 n0 n2", "n0 n3 n4 n1 n2", "n4 n1 n2 n3 n0", "n1 n2 n4 n3 n0", "n2 n0 n4 n3 n1", "n0 n2 n1 n3 n4"];
    assert_eq!([0, 1, 17, 512, 1_023, 16_383].map(order), frozen);
}

#[test]
fn a_plan_of_16_shards_over_3_nodes_is_frozen() {
    let frozen = "n1 n2, n0 n1, n0 n2, n1 n2, n0 n2, n2 n0, n0 n2, n0 n1, n0 n1, n1 n0, n2 n1, n2 n1, n2 n0, n1 n0, n2 n1, n1 n0";
    assert_eq!(text(&genesis(&members(3), 16)), frozen);
}

#[test]
fn plans_of_1024_shards_are_frozen() {
    let digest = |nodes| format!("{:016x}", xxh3_64(text(&genesis(&members(nodes), 1_024)).as_bytes()));
    assert_eq!([3, 10, 100].map(digest), ["c635c1b79f7ed0cd", "9ab56b2d9341ca03", "f79d5ffd94bc14dd"]);
}
