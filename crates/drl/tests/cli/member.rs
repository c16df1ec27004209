//! `drl serve --etcd`: nodes of a cluster in a real etcd.

use std::path::Path;

use drl_test_etcd::Server;
use serde_json::{Value, json};

use crate::etcd::etcd;
use crate::node::Node;
use crate::process::{command, drl, finish};

const FREE_PORTS: [&str; 4] = ["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];

/// Node `id` of a cluster, with its data below `directory`.
fn member(etcd: &Server, cluster: &str, directory: &Path, id: &str, more: &[&str]) -> Node {
    let (url, data_dir) = (etcd.url(), directory.join(id));
    let arguments =
        ["serve", "--etcd", &url, "--cluster", cluster, "--node-id", id, "--data-dir", data_dir.to_str().unwrap()];
    Node::spawn(&mut command(&[&arguments[..], &FREE_PORTS, more].concat()))
}

#[track_caller]
fn ask(node: &Node, line: &str, code: i32) -> Value {
    let arguments: Vec<&str> = line.split(' ').chain(["--output", "json"]).collect();
    node.drl(&arguments).expect_code(code).json()
}

/// Until the node says that all is well.
fn wait_until_well(node: &Node) -> Value {
    loop {
        let status = ask_any(node);
        if status["healthy"] == true {
            return status;
        }
    }
}

fn ask_any(node: &Node) -> Value {
    node.drl(&["cluster", "status", "--output", "json"]).json()
}

#[test]
fn two_nodes_share_the_shards_and_the_limits_of_etcd() {
    let etcd = etcd!();
    let directory = tempfile::tempdir().unwrap();
    let n1 = member(etcd, "cli-two", directory.path(), "n1", &["--shards", "16", "--authority", "30s"]);
    let n2 = member(etcd, "cli-two", directory.path(), "n2", &[]);
    wait_until_well(&n1);
    let status = wait_until_well(&n2);
    assert_eq!((&status["cluster"], &status["shards"]["count"]), (&json!("cli-two"), &json!(16)));
    let left = status["asked"]["authority_left_ms"].as_u64().unwrap();
    assert!((1..=30_000).contains(&left), "{status}");
    let url = etcd.url();
    let set = ["limits", "set", "--default", "--limit", "2", "--window", "1h", "--etcd", &url, "--cluster", "cli-two"];
    let ran = drl(&[&set[..], &["--output", "json"]].concat()).expect_code(0);
    assert_eq!(ran.stderr, "");
    let revision = ran.json()["revision"].as_u64();
    for node in [&n1, &n2] {
        while ask_any(node)["policies"]["revision"].as_u64() < revision {}
    }
    for client in ["a", "b", "c"] {
        ask(&n1, &format!("check {client}"), 0);
        ask(&n2, &format!("check {client}"), 0);
        assert_eq!(ask(&n1, &format!("check {client}"), 1)["reason"], "over-limit");
        assert_eq!(ask(&n1, &format!("explain {client}"), 0)["usage"][0]["used"], 2);
    }
    etcd.etcdctl(&["put", "/drl/cli-two/limits/default/clients/bad", "{}"]).unwrap();
    while ask_any(&n1)["policies"]["broken_count"] != 1 {}
    let status = ask(&n1, "cluster status", 1);
    assert_eq!(status["policies"]["broken"][0]["key"], "/drl/cli-two/limits/default/clients/bad");
    let table = n1.drl(&["cluster", "status"]).expect_code(1).stdout;
    assert!(table.contains("attention\n") && table.contains("clients/bad"), "{table}");
    n1.kill();
    n2.kill();
}

#[test]
fn what_contradicts_the_settings_of_the_cluster_does_not_start() {
    let etcd = etcd!();
    let directory = tempfile::tempdir().unwrap();
    let first = member(etcd, "cli-agree", directory.path(), "n1", &["--shards", "16", "--unknown-client", "allow"]);
    wait_until_well(&first);
    assert_eq!(ask(&first, "check anybody", 0)["reason"], "unknown-client");
    let (url, data_dir) = (etcd.url(), directory.path().join("n2"));
    for (flag, value, part) in [
        ("--shards", "17", "the cluster has 16 shards, not 17"),
        ("--unknown-client", "deny", "leave --unknown-client out"),
        ("--authority", "61s", "leave --authority out"),
        ("--authority", "1s", "choose 10s to 1h"),
    ] {
        let arguments = ["serve", "--etcd", &url, "--cluster", "cli-agree", "--node-id", "n2", flag, value];
        let data_dir = ["--data-dir", data_dir.to_str().unwrap()];
        let ran = drl(&[&arguments[..], &data_dir, &FREE_PORTS].concat()).expect_code(1);
        assert!(ran.stderr.contains(part) && ran.stdout.is_empty(), "{ran:?}");
    }
    assert_eq!(first.terminate(), Some(0));
}

#[test]
fn a_node_that_waits_for_etcd_can_be_stopped() {
    use std::process::Stdio;

    use rustix::process::{Pid, Signal, kill_process};

    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("n1");
    let arguments =
        ["serve", "--etcd", "http://127.0.0.1:1", "--node-id", "n1", "--data-dir", data_dir.to_str().unwrap()];
    let mut command = command(&[&arguments[..], &FREE_PORTS].concat());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("waiting for etcd")));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_address_that_nobody_can_reach_is_not_advertised() {
    let serve =
        |more: &[&str]| drl(&[&["serve", "--etcd", "http://127.0.0.1:1", "--node-id", "n1"][..], more].concat());
    serve(&["--listen", "0.0.0.0:0"]).expect_refusal(2, "give --advertise HOST:PORT");
    serve(&["--listen", "0.0.0.0:0", "--advertise", "n1:0"]).expect_refusal(2, "the real port");
    let ran = finish(command(&["serve", "--etcd", "https://127.0.0.1:1"]).env("DRL_NODE_ID", "n1"));
    ran.expect_refusal(2, "needs --etcd-ca");
}
