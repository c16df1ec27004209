//! A node and the commands that talk to it.

use serde_json::{Value, json};

use crate::node::Node;
use crate::process::Ran;

/// A node of its own for one test.
fn node() -> (tempfile::TempDir, Node) {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(&directory.path().join("data"), &[]);
    (directory, node)
}

fn run(node: &Node, line: &str) -> Ran {
    node.drl(&line.split(' ').collect::<Vec<_>>())
}

#[track_caller]
fn ask(node: &Node, line: &str, code: i32) -> Value {
    run(node, &format!("{line} --output json")).expect_code(code).json()
}

#[test]
fn a_client_gets_its_limit_and_not_one_more() {
    let (_directory, node) = node();
    let set = ask(&node, "limits set alice --limit 3 --window 1h", 0);
    assert_eq!(set["client"], "alice");
    assert_eq!(set["namespace"], "default");
    let revision = set["revision"].as_u64().unwrap();
    for remaining in [2, 1, 0] {
        let decision = ask(&node, "check alice", 0);
        assert_eq!((&decision["allowed"], &decision["limit"]), (&json!(true), &json!(3)));
        assert_eq!(decision["remaining"], remaining);
        assert_eq!(decision["retry_after_ms"], 0);
        assert_eq!(decision["policy_revision"], revision);
        assert_eq!(decision["reason"], "within-limit");
    }
    let denied = ask(&node, "check alice", 1);
    assert_eq!((&denied["allowed"], &denied["reason"]), (&json!(false), &json!("over-limit")));
    let wait = denied["retry_after_ms"].as_u64().unwrap();
    assert!(wait > 0 && denied["reset_after_ms"].as_u64().unwrap() >= wait, "{denied}");
}

#[test]
fn cost_peek_refund_and_reset_add_up() {
    let (_directory, node) = node();
    run(&node, "limits set alice --limit 10 --window 1h").expect_code(0);
    assert_eq!(ask(&node, "check alice --cost 7", 0)["remaining"], 3);
    assert_eq!(ask(&node, "check alice --cost 4 --peek", 1)["remaining"], 3);
    assert_eq!(ask(&node, "check alice --peek", 0)["remaining"], 3);
    assert_eq!(ask(&node, "check alice --cost 0", 0)["remaining"], 3);
    assert_eq!(ask(&node, "refund alice --cost 5", 0)["refunded"], 5);
    assert_eq!(ask(&node, "check alice --peek", 0)["remaining"], 8);
    assert_eq!(ask(&node, "reset alice", 0)["reset"], true);
    assert_eq!(ask(&node, "check alice --cost 10", 0)["remaining"], 0);
    let never = ask(&node, "check alice --cost 11", 1);
    assert_eq!((&never["retry_after_ms"], &never["reason"]), (&json!(-1), &json!("cost-above-limit")));
}

#[test]
fn the_exact_client_wins_over_the_longest_prefix_over_the_default() {
    let (_directory, node) = node();
    for (place, limit) in [("--default", 1), ("--prefix api-", 2), ("--prefix api-eu-", 3), ("api-eu-7", 4)] {
        run(&node, &format!("limits set {place} --limit {limit} --window 1h")).expect_code(0);
    }
    for (client, limit) in [("web", 1), ("api-us", 2), ("api-eu-6", 3), ("api-eu-7", 4)] {
        assert_eq!(ask(&node, &format!("check {client} --peek"), 0)["limit"], limit, "{client}");
    }
    run(&node, "limits delete api-eu-7").expect_code(0);
    assert_eq!(ask(&node, "check api-eu-7 --peek", 0)["limit"], 3);
    assert_eq!(ask(&node, "check web --peek --namespace other", 1)["reason"], "unknown-client");
}

#[test]
fn policies_are_read_back_as_they_were_set() {
    let (_directory, node) = node();
    let set = "limits set --prefix p- --limit 10 --window 1s --limit 1000 --window 1h --algorithm token-bucket --burst 20 \
               --durability async --on-unavailable local --on-state-loss allow --shadow --namespace team-1";
    run(&node, set).expect_code(0);
    let stored = ask(&node, "limits get --prefix p- --namespace team-1", 0);
    let expected = json!({
        "limits": [{"requests": 10, "window": "1s"}, {"requests": 1000, "window": "1h"}],
        "algorithm": "token-bucket", "burst": 20, "durability": "async",
        "on_unavailable": "local", "on_state_loss": "allow", "shadow": true,
    });
    assert_eq!(stored["policy"], expected);
    assert_eq!((&stored["prefix"], &stored["namespace"]), (&json!("p-"), &json!("team-1")));
    let table = run(&node, "limits get --prefix p- --namespace team-1").expect_code(0).stdout;
    assert!(table.contains("10 per 1s, 1000 per 1h"), "{table}");
    let decision = ask(&node, "check p-1 --cost 20 --namespace team-1", 0);
    assert_eq!(decision["remaining"], 0);
    assert_eq!(ask(&node, "check p-1 --namespace team-1", 0)["reason"], "shadow");
}

#[test]
fn a_list_has_every_policy_and_a_filter() {
    let (_directory, node) = node();
    assert_eq!(ask(&node, "limits list", 0), json!([]));
    run(&node, "limits set --default --limit 1 --window 1m").expect_code(0);
    run(&node, "limits set a --limit 2 --window 1m").expect_code(0);
    run(&node, "limits set b --limit 3 --window 1m --namespace zoo").expect_code(0);
    let list = ask(&node, "limits list", 0);
    let places: Vec<String> = list.as_array().unwrap().iter().map(|policy| policy["namespace"].to_string()).collect();
    assert_eq!(places, ["\"default\"", "\"default\"", "\"zoo\""]);
    let zoo = ask(&node, "limits list --namespace zoo", 0);
    assert_eq!((zoo.as_array().unwrap().len(), &zoo[0]["client"]), (1, &json!("b")));
    let table = run(&node, "limits list").expect_code(0).stdout;
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.starts_with("NAMESPACE"), "{table}");
}

#[test]
fn what_is_not_there_cannot_be_read_or_removed() {
    let (_directory, node) = node();
    let ran = run(&node, "limits get nobody").expect_code(1);
    assert!(ran.stderr.contains("nobody"), "{ran:?}");
    let ran = run(&node, "limits delete --default").expect_code(1);
    assert!(ran.stderr.contains("default"), "{ran:?}");
    let decision = ask(&node, "check nobody", 1);
    assert_eq!((&decision["reason"], &decision["retry_after_ms"]), (&json!("unknown-client"), &json!(-1)));
}

#[test]
fn a_table_says_the_same_in_words() {
    let (_directory, node) = node();
    run(&node, "limits set alice --limit 1 --window 1h --algorithm fixed-window").expect_code(0);
    let table = run(&node, "check alice").expect_code(0).stdout;
    let first: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(first, ["allowed", "yes"]);
    let table = run(&node, "check alice").expect_code(1).stdout;
    assert!(table.contains("over-limit"), "{table}");
}

#[cfg(unix)]
#[test]
fn any_bytes_are_a_client() {
    use std::os::unix::ffi::OsStrExt as _;

    let (_directory, node) = node();
    run(&node, "limits set --default --limit 1 --window 1h").expect_code(0);
    let mut command = crate::process::command(&["check"]);
    let id = std::ffi::OsStr::from_bytes(b"\xff\n\x01 x");
    command.arg(id).env("DRL_ENDPOINT", node.address("grpc"));
    assert_eq!(crate::process::finish(&mut command).code, Some(0));
    assert_eq!(crate::process::finish(&mut command).code, Some(1));
}
