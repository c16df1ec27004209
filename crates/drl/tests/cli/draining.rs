//! `drl cluster drain` and `undrain`, and what is seen of them meanwhile.

use std::io::Read as _;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::node::Node;
use crate::process::{Ran, command, finish};

fn start(nodes: &str) -> (Node, tempfile::TempDir) {
    let temporary = tempfile::tempdir().unwrap();
    let arguments = ["dev", "--base-port", "0", "--nodes", nodes];
    (Node::spawn(command(&arguments).env("TMPDIR", temporary.path())), temporary)
}

fn ask(dev: &Node, node: &str, line: &str) -> Ran {
    let arguments: Vec<&str> = line.split(' ').collect();
    finish(command(&arguments).env("DRL_ENDPOINT", dev.address(&format!("{node} grpc"))).env("DRL_OUTPUT", "json"))
}

/// A node as the others know it.
fn node(dev: &Node, asked: &str, id: &str) -> Value {
    let nodes = ask(dev, asked, "cluster nodes").expect_code(0).json();
    nodes.as_array().unwrap().iter().find(|node| node["node"] == json!(id)).unwrap().clone()
}

#[test]
fn a_node_is_emptied_through_any_other_goes_on_answering_and_gets_its_share_again() {
    let (dev, _temporary) = start("3");
    let drained = ask(&dev, "n1", "cluster drain n2").expect_code(0);
    assert_eq!(drained.json(), json!({"node": "n2", "draining": true, "left": []}));
    assert!(drained.stderr.starts_with("draining n2: "), "{drained:?}");
    while ask(&dev, "n3", "cluster shards --node n2").expect_code(0).json() != json!([]) {}
    let seen = node(&dev, "n3", "n2");
    assert_eq!((&seen["shards"], &seen["copies"], &seen["draining"]), (&json!(0), &json!(0), &json!(true)));
    let set = ask(&dev, "n3", "limits set --default --limit 2 --window 1h").expect_code(0).json();
    for asked in ["n1", "n2", "n3"] {
        // A node has the limit when its revision is as high.
        while ask(&dev, asked, "cluster status").json()["policies"]["revision"].as_u64() < set["revision"].as_u64() {}
    }
    let codes = [0, 1, 2].map(|_| ask(&dev, "n2", "check alice").code);
    assert_eq!(codes, [Some(0), Some(0), Some(1)], "it passes checks on");
    ask(&dev, "n2", "cluster drain n2").expect_code(0);
    let back = ask(&dev, "n2", "cluster undrain n2").expect_code(0);
    assert_eq!(back.json(), json!({"node": "n2", "draining": false}));
    while node(&dev, "n1", "n2")["shards"] == json!(0) {}
    assert_eq!(node(&dev, "n1", "n2")["draining"], json!(false));
    let shards = ask(&dev, "n1", "cluster shards --node n2").expect_code(0).json();
    let last = |shard: &Value| shard["moves"][0]["what"].as_str().unwrap_or_default().to_owned();
    let moved = shards.as_array().unwrap().iter().find(|shard| last(shard).contains("n2"));
    assert!(moved.is_some(), "who has a shard is told with the reason: {}", shards[0]);
    assert_eq!(dev.terminate(), Some(0));
}

#[test]
fn what_cannot_be_given_away_is_named_with_the_reason_and_the_drain_goes_on() {
    let (dev, _temporary) = start("1");
    let arguments = ["cluster", "drain", "n1", "--drain-timeout", "500ms"];
    let left = finish(command(&arguments).env("DRL_ENDPOINT", dev.address("n1 grpc"))).expect_code(1);
    assert_eq!(left.stdout, "n1 drains; 1024 shards left\n");
    for part in
        ["1024 shards still name n1 after 500ms", "and 1016 more: there is no other node that serves", "undrain n1"]
    {
        assert!(left.stderr.contains(part), "{part:?} is not in {left:?}");
    }
    assert_eq!(node(&dev, "n1", "n1")["draining"], json!(true));
    let begun = ask(&dev, "n1", "cluster drain n1 --no-wait").expect_code(0);
    assert_eq!(begun.json()["left"].as_array().unwrap().len(), 1024);
    ask(&dev, "n1", "cluster drain n7").expect_refusal(1, "there is no node n7 with a session");
    ask(&dev, "n1", "cluster undrain n1").expect_code(0);
    while node(&dev, "n1", "n1")["draining"] == json!(true) {}
    assert_eq!(dev.terminate(), Some(0));
}

#[test]
fn a_node_that_runs_alone_says_that_nobody_could_take_its_shards() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path(), &["--shards", "2"]);
    for wanted in ["drain", "undrain"] {
        node.drl(&["cluster", wanted, "n1"]).expect_refusal(1, "runs alone");
    }
    node.drl(&["cluster", "drain", "a/b"]).expect_refusal(2, "use 1 to 253 of");
    assert_eq!(node.terminate(), Some(0));
}

#[test]
fn a_watch_that_nobody_draws_writes_a_line_for_each_change_until_it_is_interrupted() {
    let (dev, _temporary) = start("2");
    let mut watch = command(&["cluster", "status", "--watch"])
        .env("DRL_ENDPOINT", dev.address("n1 grpc"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = watch.stdout.take().unwrap();
    let mut read = String::new();
    let mut until = |part: &str| {
        let mut piece = [0; 4096];
        while !read.contains(part) {
            let length = stdout.read(&mut piece).unwrap();
            assert_ne!(length, 0, "{part:?} is not in {read:?}");
            read += std::str::from_utf8(&piece[..length]).unwrap();
        }
    };
    until("1024 shards: ");
    until(" 0 without an owner; n1 ");
    ask(&dev, "n1", "cluster drain n2").expect_code(0);
    until("n2 draining 0+0+0\n");
    kill_process(Pid::from_child(&watch), Signal::INT).unwrap();
    assert_eq!(watch.wait().unwrap().code(), Some(0));
    assert!(!read.contains('\x1b'), "{read:?}");
    assert_eq!(dev.terminate(), Some(0));
}
