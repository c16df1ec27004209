//! Nodes that are asked to give away what they have: with `drl cluster drain`, and with SIGTERM.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use drl_tests::cluster::{Cluster, Since, check, eventually, hourly};
use serde_json::Value;

/// Longer than anything here takes, even on a busy machine.
const SOON: Duration = Duration::from_mins(1);

fn status(cluster: &Cluster, node: usize) -> Value {
    serde_json::from_slice(&cluster.nodes[node].drl(&["cluster", "status", "--output", "json"]).unwrap().stdout)
        .unwrap()
}

fn until_in_sync(cluster: &Cluster, node: usize) {
    eventually("every shard has a copy in sync", SOON, || {
        Ok((status(cluster, node)["shards"]["in_sync"] == 1_024).then_some(()))
    })
    .unwrap();
}

/// Checks of each client, all through one node; how many were allowed.
fn allowed(cluster: &Cluster, node: usize, clients: &[String], checks: usize) -> usize {
    let mut connection = cluster.nodes[node].resp().unwrap();
    let asked = clients.iter().flat_map(|client| std::iter::repeat_n(client, checks));
    asked.filter(|client| check(&mut connection, client).unwrap()).count()
}

#[test]
fn a_drained_node_goes_on_answering_ends_at_once_and_its_successor_serves_without_being_told() {
    let Some(mut cluster) = Cluster::start(&[]).unwrap() else { return };
    until_in_sync(&cluster, 0);
    let clients: Vec<String> = (0..48).map(|client| format!("client-{client}")).collect();
    cluster.put_policy("default", &hourly(10)).unwrap();
    eventually("the limit is in force", SOON, || {
        Ok((allowed(&cluster, 2, &["first".to_owned()], 1) == 1).then_some(()))
    })
    .unwrap();
    assert_eq!(allowed(&cluster, 0, &clients, 4), 48 * 4);
    let drained = cluster.nodes[1].drl(&["cluster", "drain", "n1"]).unwrap();
    assert_eq!(drained.status.code(), Some(0), "{drained:?}");
    for role in ["owner", "follower", "learner"] {
        assert_eq!(cluster.nodes[0].metric(&format!("drl_shards{{role=\"{role}\"}}")).unwrap(), 0, "{role}");
    }
    assert_eq!(allowed(&cluster, 0, &clients, 2), 48 * 2, "it passes checks on");
    let since = Since::now();
    assert_eq!(cluster.nodes.remove(0).terminate().unwrap().code(), Some(0));
    assert!(since.elapsed() < Duration::from_secs(5), "it has nothing to give away: {:?}", since.elapsed());
    let back = cluster.start_node(0, &cluster.etcd.url()).unwrap();
    cluster.nodes.insert(0, back);
    cluster.settle().unwrap();
    until_in_sync(&cluster, 1);
    assert_eq!(allowed(&cluster, 0, &clients, 10), 48 * 4, "exactly what was left");
    let shards = cluster.nodes[1].drl(&["cluster", "shards", "--node", "n1", "--output", "json"]).unwrap();
    let shards: Value = serde_json::from_slice(&shards.stdout).unwrap();
    for shard in shards.as_array().unwrap() {
        assert_eq!((&shard["state"], &shard["in_sync"]), (&Value::from("owned"), &Value::from(true)), "{shard}");
        assert!(shard["lag"]["frames"].is_u64() && shard["moves"][0]["what"].is_string(), "{shard}");
    }
}

#[test]
fn a_drain_that_is_taken_back_gives_the_node_its_share_again() {
    let Some(cluster) = Cluster::start(&[]).unwrap() else { return };
    until_in_sync(&cluster, 0);
    let begun = cluster.nodes[2].drl(&["cluster", "drain", "n2", "--no-wait"]).unwrap();
    assert_eq!(begun.status.code(), Some(0), "{begun:?}");
    let back = cluster.nodes[0].drl(&["cluster", "undrain", "n2"]).unwrap();
    assert_eq!(back.status.code(), Some(0), "{back:?}");
    cluster.settle().unwrap();
    until_in_sync(&cluster, 1);
}

#[test]
fn a_node_that_nobody_takes_anything_from_says_how_much_is_left_and_exits_1() {
    let Some(mut cluster) = Cluster::start(&["--drain-timeout", "2s"]).unwrap() else { return };
    until_in_sync(&cluster, 0);
    let clients: Vec<String> = (0..48).map(|client| format!("client-{client}")).collect();
    cluster.put_policy("default", &hourly(10)).unwrap();
    eventually("each is counted", SOON, || Ok((allowed(&cluster, 0, &clients, 1) == 48).then_some(()))).unwrap();
    for node in &cluster.nodes[1..] {
        node.pause().unwrap();
    }
    let node = cluster.nodes.remove(0);
    let log = cluster.directory(0).with_extension("log");
    let ended = node.terminate().unwrap();
    for node in &cluster.nodes {
        node.signal("CONT").unwrap();
    }
    assert_eq!(ended.code(), Some(1));
    let log = std::fs::read_to_string(log).unwrap_or_default();
    assert!(log.contains("shards still name this node"), "{log}");
}
