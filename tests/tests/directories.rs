//! What becomes of the data directories of a cluster: one is copied, one is on a disk that fills up.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;
use std::time::Duration;

use drl_client::{Connect, RateLimiter};
use drl_tests::cluster::{Cluster, SOON, check, eventually, hourly, let_pass};
use drl_tests::disk::SmallDisk;
use drl_tests::load::in_force;
use drl_tests::node::{Node, serve_to_the_end};
use drl_tests::steady::Steady;
use tokio::runtime::Runtime;

const PLENTY: u64 = 1_000_000_000;

fn clients() -> Vec<String> {
    (0..24).map(|client| format!("client-{client}")).collect()
}

/// Three nodes with this limit in force for every client.
fn cluster(limit: u64) -> Option<(Cluster, Runtime, RateLimiter)> {
    let cluster = Cluster::start(&[]).unwrap()?;
    cluster.put_policy("default", &hourly(limit)).unwrap();
    let runtime = Runtime::new().unwrap();
    let connect = Connect::new(cluster.endpoints().unwrap()).deadline(Duration::from_secs(2));
    let limiter = runtime.block_on(connect.connect()).unwrap();
    runtime.block_on(in_force(&limiter, &clients(), limit)).unwrap();
    cluster.in_sync().unwrap();
    Some((cluster, runtime, limiter))
}

/// So many checks of each client through one node; how many were allowed.
fn allowed(node: &Node, checks: usize) -> usize {
    let mut connection = node.resp().unwrap();
    let asked = clients().into_iter().flat_map(|client| std::iter::repeat_n(client, checks));
    asked.filter(|client| check(&mut connection, client).unwrap()).count()
}

#[test]
fn a_copied_directory_is_nobody_elses_and_what_it_lacks_is_not_forgotten() {
    let Some((mut cluster, ..)) = cluster(10) else { return };
    assert_eq!(allowed(&cluster.nodes[1], 3), 24 * 3);
    cluster.nodes.remove(0).kill_9().unwrap();
    let (original, copy) = (cluster.directory(0), cluster.directory(0).with_file_name("copy"));
    let copied = Command::new("cp").arg("--archive").args([&original, &copy]).status().unwrap();
    assert!(copied.success());
    let etcd = cluster.etcd.url();
    let back = cluster.start_node(0, &etcd).unwrap();
    cluster.nodes.insert(0, back);
    cluster.settle().unwrap();
    cluster.in_sync().unwrap();
    let (code, log) = serve_to_the_end(&copy, &["--etcd", &etcd, "--node-id", "n4"]).unwrap();
    assert!(code == Some(1) && log.contains("belongs to node \"n1\""), "{code:?} {log}");
    let (code, log) = serve_to_the_end(&copy, &["--etcd", &etcd, "--node-id", "n1"]).unwrap();
    assert!(code == Some(1) && log.contains("node id in use"), "{code:?} {log}");
    // The copy lacks these. Its node is let in when the original is gone, and goes by what the others have.
    assert_eq!(allowed(&cluster.nodes[1], 4), 24 * 4);
    cluster.nodes.remove(0).kill_9().unwrap();
    let from_the_copy = Node::start(&copy, &["--etcd", &etcd, "--node-id", "n1"]).unwrap();
    cluster.nodes.insert(0, from_the_copy);
    cluster.settle().unwrap();
    cluster.in_sync().unwrap();
    assert_eq!(allowed(&cluster.nodes[0], 10), 24 * 3, "exactly what was left");
}

#[test]
fn a_node_whose_disk_is_full_ends_and_its_clients_neither_lose_nor_gain() {
    let Some((mut cluster, runtime, limiter)) = cluster(PLENTY) else { return };
    assert_eq!(cluster.nodes.pop().unwrap().terminate().unwrap().code(), Some(0));
    std::fs::remove_dir_all(cluster.directory(2)).unwrap();
    let Some(disk) = SmallDisk::mount(&cluster.directory(2), 96).unwrap() else { return };
    let small = cluster.start_node(2, &cluster.etcd.url()).unwrap();
    cluster.nodes.push(small);
    cluster.settle().unwrap();
    cluster.in_sync().unwrap();
    let load = Steady::start(&runtime, &limiter, &clients(), Duration::from_millis(10));
    let_pass(Duration::from_millis(500));
    let filler = disk.fill().unwrap();
    eventually("nobody relies on it", SOON, || {
        let names = |record: &serde_json::Value| ["owner", "follower"].map(|role| record[role]["node"] == "n3");
        let records = cluster.records()?;
        Ok((!records.iter().any(|record| names(record).contains(&true))).then_some(()))
    })
    .unwrap();
    let mut full = cluster.nodes.pop().unwrap();
    let code = eventually("the node ends", SOON, || full.ended()).unwrap().code();
    let log = full.log().unwrap();
    assert!(code == Some(1) && log.contains("No space left on device"), "{code:?} {log}");
    std::fs::remove_file(filler).unwrap();
    let back = cluster.start_node(2, &cluster.etcd.url()).unwrap();
    cluster.nodes.push(back);
    cluster.settle().unwrap();
    cluster.in_sync().unwrap();
    let accounts = load.stop(&runtime).unwrap();
    println!("{:?} granted and unknown, slowest answer {:?}", accounts.sums(), accounts.slowest());
    accounts.add_up(&runtime, &limiter, PLENTY, 1).unwrap();
    // Its files are on that disk.
    drop(cluster);
    drop(disk);
}
