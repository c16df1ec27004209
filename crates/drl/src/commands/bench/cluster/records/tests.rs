//! Records as etcd holds them, read for who owns, follows and is in sync.

use drl_coordination::{ClusterName, Key, Revision};

use super::*;

fn keys() -> Keys {
    Keys::new(&ClusterName::new("t").unwrap())
}

fn entry(key: Key, value: String) -> Entry {
    Entry { key, value: value.into_bytes(), created: Revision(1), changed: Revision(1), lease: None }
}

/// Every shard of node `owner`, with a copy in sync on node `follower`.
fn settled(owner: impl Fn(usize) -> &'static str, follower: &'static str) -> Vec<Entry> {
    let holder = |node: &str| format!(r#"{{"node":"{node}","generation":"{node}-now"}}"#);
    let mut entries: Vec<_> = ["n1", "n2", "n3"]
        .map(|node| {
            let session = format!(r#"{{"generation":"{node}-now","addresses":{{}}}}"#);
            entry(keys().node(&NodeId::new(node).unwrap()), session)
        })
        .into();
    for shard in 0..1_024 {
        let (owner, follower) = (holder(owner(shard)), holder(follower));
        let record = format!(r#"{{"epoch":3,"owner":{owner},"follower":{follower},"in_sync":true,"cold":false}}"#);
        entries.push(entry(keys().shard(ShardId::new(u16::try_from(shard).unwrap())), record));
    }
    entries
}

fn even(shard: usize) -> &'static str {
    ["n1", "n2"][shard % 2]
}

#[test]
fn a_cluster_is_settled_when_every_shard_has_two_living_holders_and_every_node_its_share() {
    let records = Records::read(&keys(), &settled(even, "n3"));
    assert!(records.is_settled(2), "{records}");
    assert!(!records.is_settled(3), "n3 owns nothing");
    assert_eq!((records.copied(), records.owned_by("n1"), records.are_all_of("n1")), (1_024, 512, false));
}

#[test]
fn a_holder_of_an_earlier_lifetime_is_not_alive() {
    let mut entries = settled(even, "n3");
    entries[2].value = br#"{"generation":"another"}"#.to_vec();
    let records = Records::read(&keys(), &entries);
    assert_eq!((records.copied(), records.is_settled(2), records.owned_by("n2")), (0, false, 512));
}

#[test]
fn a_record_that_is_missing_or_broken_is_not_in_sync() {
    let mut entries = settled(even, "n3");
    entries.pop();
    entries[10].value = b"{".to_vec();
    let records = Records::read(&keys(), &entries);
    assert_eq!((records.copied(), records.is_settled(2)), (1_022, false));
}

#[test]
fn each_client_is_of_the_owner_of_its_shard() {
    let records = Records::read(&keys(), &settled(even, "n3"));
    let clients: Vec<String> = (0..100).map(|client| format!("bench-{client}")).collect();
    let (one, two) = (records.clients_of("n1", &clients), records.clients_of("n2", &clients));
    assert!(one.len() > 20 && two.len() > 20 && one.len() + two.len() == 100, "{one:?} {two:?}");
    assert!(one.iter().all(|place| !two.contains(place)));
}
