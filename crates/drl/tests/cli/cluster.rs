//! `drl cluster` and `drl explain`, asked of a node that runs alone.

use serde_json::{Value, json};

use crate::node::Node;

#[track_caller]
fn ask(node: &Node, line: &str) -> Value {
    let arguments: Vec<&str> = line.split(' ').chain(["--output", "json"]).collect();
    node.drl(&arguments).expect_code(0).json()
}

#[test]
fn a_node_that_runs_alone_is_a_healthy_cluster_of_one() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path(), &["--shards", "16"]);
    let status = ask(&node, "cluster status");
    assert_eq!(
        (&status["cluster"], &status["healthy"], &status["attention"]),
        (&Value::Null, &json!(true), &json!([]))
    );
    assert_eq!(status["shards"], json!({"count": 16, "with_owner": 16, "in_sync": 0, "seeding": 0}));
    assert_eq!((&status["asked"]["node"], &status["asked"]["authority_left_ms"]), (&json!("n1"), &Value::Null));
    let nodes = ask(&node, "cluster nodes");
    assert_eq!((nodes.as_array().unwrap().len(), &nodes[0]["shards"]), (1, &json!(16)));
    assert_eq!((&nodes[0]["grpc"], &nodes[0]["resp"]), (&json!(node.address("grpc")), &Value::Null));
    let shards = ask(&node, "cluster shards --node n1");
    assert_eq!(shards, ask(&node, "cluster shards"));
    assert_eq!(
        (shards.as_array().unwrap().len(), &shards[15]["shard"], &shards[15]["state"]),
        (16, &json!(15), &json!("owned"))
    );
    node.drl(&["cluster", "shards", "--node", "n9"]).expect_refusal(1, "n9");
    node.drl(&["cluster", "shards", "--node", "a/b"]).expect_refusal(2, "use 1 to 253 of");
    assert_eq!(node.terminate(), Some(0));
}

#[test]
fn tables_are_aligned_and_say_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path(), &["--shards", "2"]);
    let status = node.drl(&["cluster", "status"]).expect_code(0).stdout;
    assert!(status.contains("shards    2; every one has an owner\n"), "{status}");
    assert!(!status.contains("attention"), "{status}");
    let shards = node.drl(&["cluster", "shards"]).expect_code(0).stdout;
    let lines: Vec<Vec<&str>> = shards.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["SHARD", "OWNER", "EPOCH", "STATE", "FOLLOWER", "COPY", "LAG", "LAST"]);
    assert_eq!((lines.len(), lines[1][1], lines[2][3]), (3, "n1", "owned"));
    let nodes = node.drl(&["cluster", "nodes"]).expect_code(0).stdout;
    assert!(nodes.starts_with("NODE") && nodes.contains(node.address("http")), "{nodes}");
    node.drl(&["limits", "set", "alice", "--limit", "5", "--window", "1m"]).expect_code(0);
    let explained = node.drl(&["explain", "alice"]).expect_code(0).stdout;
    assert!(explained.contains("it has a policy of its own") && explained.contains("5 per 1m"), "{explained}");
}

#[test]
fn every_way_to_be_limited_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path(), &[]);
    let unknown = ask(&node, "explain api-eu-7");
    assert_eq!((&unknown["matched"], &unknown["policy"]), (&Value::Null, &Value::Null));
    assert_eq!((&unknown["unknown_client"], &unknown["usage"]), (&json!("deny"), &json!([])));
    let places = [
        ("--default", "default"),
        ("--prefix api-", "prefix api-"),
        ("--prefix api-eu-", "prefix api-eu-"),
        ("api-eu-7", "client"),
    ];
    for (place, matched) in places {
        let set = ask(&node, &format!("limits set {place} --limit 9 --window 1h --limit 90 --window 1d"));
        let explained = ask(&node, "explain api-eu-7");
        assert_eq!((&explained["matched"], &explained["policy_revision"]), (&json!(matched), &set["revision"]));
        assert_eq!((&explained["owner"], &explained["policy"]), (&json!("n1"), &set["policy"]));
    }
    node.drl(&["check", "api-eu-7", "--cost", "4"]).expect_code(0);
    let usage = ask(&node, "explain api-eu-7")["usage"].clone();
    let numbers =
        |limit: &Value| ["requests", "capacity", "used", "remaining"].map(|field| limit[field].as_u64().unwrap());
    assert_eq!((numbers(&usage[0]), numbers(&usage[1])), ([9, 9, 4, 5], [90, 90, 4, 86]));
    assert_eq!((&usage[0]["window"], &usage[1]["window"]), (&json!("1h"), &json!("1d")));
    assert_eq!(ask(&node, "explain api-eu-7 --namespace other")["matched"], Value::Null);
}

#[test]
fn without_a_node_there_is_no_answer_about_the_cluster() {
    for (question, code) in [
        ("cluster drain n1", 1),
        ("cluster status --watch", 2),
        ("cluster status", 2),
        ("cluster nodes", 1),
        ("cluster shards", 1),
        ("explain alice", 1),
    ] {
        let arguments: Vec<&str> = question.split(' ').chain(["--endpoint", "127.0.0.1:1"]).collect();
        crate::process::drl(&arguments).expect_refusal(code, "nothing listens on 127.0.0.1:1");
    }
}
