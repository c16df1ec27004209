//! `drl bench` against a real node: what it counts is what the node decided, for every door; and what it refuses.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::node::Node;
use crate::process::{command, drl, finish};

/// What one hot client may have in all runs together; a run of any door asks for much more.
const LIMIT: u64 = 100;

/// A node on free ports with a limit for the benchmark's clients.
fn node(directory: &tempfile::TempDir) -> Node {
    let node =
        Node::start(&directory.path().join("data"), &["--resp-listen", "127.0.0.1:0", "--journal-sync", "interval"]);
    let limit = LIMIT.to_string();
    node.drl(&["limits", "set", "--prefix", "bench-", "--limit", &limit, "--window", "1h"]).expect_code(0);
    node
}

/// Half a second from the first check on, as JSON.
#[track_caller]
fn bench(node: &Node, line: &str) -> Value {
    let resp = node.address("resp");
    let mut arguments =
        vec!["bench", "--duration", "500ms", "--warmup", "0", "--output", "json", "--resp-endpoint", resp];
    arguments.extend(line.split(' '));
    node.drl(&arguments).expect_code(0).json()
}

#[track_caller]
fn total(report: &Value, verdict: &str) -> u64 {
    report[verdict]["total"].as_u64().unwrap_or_else(|| panic!("{report}"))
}

/// Every check is in exactly one verdict, and nothing went wrong.
#[track_caller]
fn assert_adds_up(report: &Value) {
    let (allowed, denied) = (total(report, "allowed"), total(report, "denied"));
    for verdict in ["unavailable", "rejected", "failed"] {
        assert_eq!(total(report, verdict), 0, "{report}");
    }
    assert_eq!(report["first_failure"], Value::Null);
    assert_eq!(report["checks"], allowed + denied);
    let batch = report["parameters"]["batch"].as_u64().unwrap();
    assert_eq!(report["calls"].as_u64().unwrap() * batch, allowed + denied);
    assert_eq!(report["latency_ns"]["count"], report["calls"]);
}

#[test]
fn every_door_admits_exactly_the_limit_of_a_hot_client() {
    let doors = [
        "--door stream",
        "--door stream --batch 32 --in-flight 4 --connections 2",
        "--door raw-stream --batch 32 --in-flight 4",
        "--door unary",
        "--door unary --batch 16 --in-flight 4",
        "--door resp --batch 16 --connections 4",
    ];
    let directory = tempfile::tempdir().unwrap();
    let node = node(&directory);
    for door in doors {
        let report = bench(&node, &format!("{door} --keys hot"));
        assert_adds_up(&report);
        assert_eq!(total(&report, "allowed"), LIMIT, "{report}");
        assert!(total(&report, "denied") > LIMIT, "{report}");
        node.drl(&["reset", "bench-1"]).expect_code(0);
    }
}

#[test]
fn the_redis_command_with_a_limit_brings_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let node = node(&directory);
    let report = bench(&node, "--door resp --command cl.throttle --limit 7 --window 1h --keys hot --batch 8");
    assert_adds_up(&report);
    assert_eq!(total(&report, "allowed"), 7);
    assert_eq!(report["parameters"]["command"], "cl.throttle 7 per 3600s");
}

#[test]
fn an_open_loop_asks_as_often_as_it_was_told() {
    let directory = tempfile::tempdir().unwrap();
    let node = node(&directory);
    let report = bench(&node, "--door unary --rate 2000 --clients 1000 --keys zipf:1.2");
    assert_adds_up(&report);
    assert_eq!(
        (&report["checks"], &report["missed"], &report["parameters"]["rate"]),
        (&json!(1_000), &json!(0), &json!(2_000))
    );
    assert_eq!(report["lateness_ns"]["count"], 1_000);
}

#[test]
fn half_of_the_checks_are_denied_when_the_limit_is_half_of_what_is_asked() {
    let directory = tempfile::tempdir().unwrap();
    let node = node(&directory);
    // 100 clients are asked for 20,000 checks, so 200 each; 100 may pass.
    let report = bench(&node, "--door stream --rate 40000 --batch 20 --clients 100");
    assert_adds_up(&report);
    assert_eq!(report["checks"], 20_000);
    let denied = total(&report, "denied");
    assert!((9_000..=11_000).contains(&denied), "{report}");
}

#[test]
fn the_echo_needs_no_node() {
    let arguments = ["bench", "--door", "echo", "--duration", "100ms", "--warmup", "10ms", "--in-flight", "1"];
    let report = drl(&[&arguments[..], &["--output", "json"]].concat()).expect_code(0).json();
    assert_adds_up(&report);
    let table = drl(&arguments).expect_code(0).stdout;
    assert!(table.contains("p99.9") && table.contains("decisions/s"), "{table}");
}

#[test]
fn ctrl_c_ends_a_run_early_and_prints_what_was_measured() {
    let directory = tempfile::tempdir().unwrap();
    let node = node(&directory);
    let line = "bench --door unary --keys hot --duration 1h --warmup 0 --output json";
    let mut run = command(&line.split(' ').collect::<Vec<_>>());
    let run =
        run.env("DRL_ENDPOINT", node.address("grpc")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It is well under way when the hot client has used up its limit.
    let is_under_way = || {
        let peek = node.drl(&["check", "bench-1", "--peek", "--output", "json"]);
        peek.json()["remaining"] == 0
    };
    assert!((0..10_000).any(|_| is_under_way()), "the run does not begin");
    kill_process(Pid::from_child(&run), Signal::INT).unwrap();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_adds_up(&report);
    assert_eq!((&report["ended"], total(&report, "allowed")), (&json!("stopped"), LIMIT));
}

#[test]
fn what_cannot_be_measured_is_refused_with_what_to_do() {
    drl(&["bench", "--endpoint", "127.0.0.1:1", "--door", "unary"])
        .expect_refusal(1, "nothing listens on 127.0.0.1:1; start a node");
    drl(&["bench", "--endpoint", "127.0.0.1:1"]).expect_refusal(1, "127.0.0.1:1");
    drl(&["bench", "--door", "resp", "--resp-endpoint", "127.0.0.1:1"]).expect_refusal(1, "--resp-endpoint");
    drl(&["bench", "--batch", "1025"]).expect_refusal(2, "1 to 1024");
    drl(&["bench", "--rate", "0"]).expect_refusal(2, "rate of 0");
    drl(&["bench", "--keys", "zipf:99"]).expect_refusal(2, "zipf:S");
    drl(&["bench", "--door", "resp", "--in-flight", "2"]).expect_refusal(2, "larger batches");
    drl(&["bench", "--door", "resp", "--command", "cl.throttle", "--window", "1500ms"])
        .expect_refusal(2, "whole seconds");
}

#[test]
fn a_run_in_which_nothing_was_decided_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let node = node(&directory);
    // The node's HTTP door takes connections and does not speak gRPC.
    let http = node.address("http");
    let ran = finish(&mut command(&["bench", "--door", "raw-stream", "--endpoint", http, "--duration", "100ms"]));
    assert_eq!(ran.code, Some(1), "{ran:?}");
}
