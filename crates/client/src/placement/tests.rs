//! A placement over updates that are late, partial or of another cluster.

use drl_core::{ClientId, Namespace};

use super::*;

fn node(id: &str, address: &str) -> v1::PlacementNode {
    let addresses = v1::NodeAddresses { grpc: address.to_owned(), ..v1::NodeAddresses::default() };
    v1::PlacementNode { id: id.to_owned(), addresses: Some(addresses), ..v1::PlacementNode::default() }
}

fn seat(shard: u32, epoch: u64, node: &str) -> v1::Seat {
    v1::Seat { shard, epoch, node: node.to_owned(), ..v1::Seat::default() }
}

fn update(revision: u64, nodes: Vec<v1::PlacementNode>, seats: Vec<v1::Seat>) -> v1::PlacementUpdate {
    v1::PlacementUpdate { revision, shard_count: 1, nodes, seats, ..v1::PlacementUpdate::default() }
}

fn whole(revision: u64, nodes: Vec<v1::PlacementNode>, seats: Vec<v1::Seat>) -> v1::PlacementUpdate {
    v1::PlacementUpdate { whole: true, ..update(revision, nodes, seats) }
}

fn placement() -> Placement {
    Placement::new(whole(5, vec![node("n1", "a:1"), node("n2", "b:2")], vec![seat(0, 3, "n1")])).unwrap()
}

fn owner(placement: &Placement) -> Option<String> {
    let key = LimitKey::new(Namespace::DEFAULT, ClientId::new(b"alice").unwrap());
    placement.route(key).owner.map(|owner| owner.address.to_string())
}

#[test]
fn a_higher_epoch_is_believed_and_a_lower_one_is_not() {
    let mut placement = placement();
    assert_eq!(owner(&placement).as_deref(), Some("a:1"));
    assert!(!placement.learn(ShardId::new(0), Epoch(3), "n2"));
    assert!(placement.learn(ShardId::new(0), Epoch(4), "n2"));
    assert_eq!((owner(&placement).as_deref(), placement.epoch(ShardId::new(0))), (Some("b:2"), Epoch(4)));
    placement.apply(update(6, Vec::new(), vec![seat(0, 3, "n1")]), Trust::Newer).unwrap();
    assert_eq!(owner(&placement).as_deref(), Some("b:2"), "what an owner said is newer");
    assert!(!placement.learn(ShardId::new(9), Epoch(4), "n2"), "there is no such shard");
}

#[test]
fn an_owner_that_is_gone_is_asked_where_it_was_and_forgotten_when_nothing_names_it() {
    let mut placement = placement();
    let gone = v1::PlacementUpdate { nodes_gone: vec!["n1".to_owned()], ..update(6, Vec::new(), Vec::new()) };
    placement.apply(gone, Trust::Newer).unwrap();
    assert_eq!(owner(&placement).as_deref(), Some("a:1"));
    assert_eq!(placement.nodes().map(|node| node.address.to_string()).collect::<Vec<_>>(), ["b:2"]);
    placement.apply(update(7, Vec::new(), vec![seat(0, 4, "n2")]), Trust::Newer).unwrap();
    assert_eq!(placement.address("n1"), None);
}

#[test]
fn a_node_that_comes_back_elsewhere_is_asked_there() {
    let mut placement = placement();
    placement.apply(update(6, vec![node("n1", "c:3")], Vec::new()), Trust::Newer).unwrap();
    assert_eq!(owner(&placement).as_deref(), Some("c:3"));
}

#[test]
fn a_node_that_is_behind_is_believed_only_when_nobody_knows_better() {
    let mut placement = placement();
    let behind = || whole(4, vec![node("n2", "b:2")], vec![seat(0, 2, "n2")]);
    assert_eq!(placement.apply(behind(), Trust::Newer), Err(NotTaken::Behind { told: 4, known: 5 }));
    assert_eq!(owner(&placement).as_deref(), Some("a:1"));
    placement.apply(behind(), Trust::Any).unwrap();
    assert_eq!((owner(&placement).as_deref(), placement.epoch(ShardId::new(0))), (Some("b:2"), Epoch(2)));
}

#[test]
fn another_cluster_is_not_mixed_in() {
    let mut placement = placement();
    let other = v1::PlacementUpdate { shard_count: 2, ..whole(9, Vec::new(), Vec::new()) };
    assert_eq!(placement.apply(other, Trust::Any), Err(NotTaken::OtherCluster { told: 2, known: 1 }));
    assert!(matches!(Placement::new(update(1, Vec::new(), Vec::new())), Err(NotTaken::NotWhole)));
    let none = v1::PlacementUpdate { shard_count: 0, ..whole(1, Vec::new(), Vec::new()) };
    assert!(matches!(Placement::new(none), Err(NotTaken::Shards(_))));
}

#[test]
fn a_shard_without_an_owner_has_nobody_to_ask() {
    let placement = Placement::new(whole(1, vec![node("n1", "a:1")], vec![seat(0, 0, "")])).unwrap();
    assert_eq!(owner(&placement), None);
}

#[test]
fn a_shard_takes_ten_bytes() {
    assert_eq!(size_of::<Epoch>() + size_of::<Number>(), 10);
}
