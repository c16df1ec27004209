//! The tools that people already have: `redis-cli` and `redis-benchmark` (Debian: redis-tools). Without them these tests say so.

use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{Running, start};

/// Runs a tool against the node; `None` when it is not installed.
async fn run(node: &Running, tool: &str, arguments: &[&str]) -> Option<String> {
    let port = node.addresses.resp.unwrap().port().to_string();
    let output = Command::new(tool).args(["-p", &port]).args(arguments).stdin(Stdio::null()).output().await;
    let Ok(output) = output else {
        eprintln!("SKIPPED: {tool} is not installed (Debian: redis-tools)");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?}: {text}");
    Some(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_cli_works() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    for (arguments, expected) in [
        (&["PING"][..], "PONG\n"),
        (&["-3", "PING"], "PONG\n"),
        (&["CL.THROTTLE", "user123", "15", "30", "60"], "0\n16\n15\n-1\n2\n"),
        (&["DEL", "user123"], "1\n"),
        (&["DRL.ALLOW", "nobody"], "0\n"),
    ] {
        match run(&node, "redis-cli", arguments).await {
            Some(found) => assert_eq!(found, expected, "{arguments:?}"),
            None => break,
        }
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_benchmark_works_with_and_without_a_pipeline() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let throttle = ["CL.THROTTLE", "user:__rand_int__", "99", "100", "60"];
    for (requests, pipeline) in [("20000", "1"), ("200000", "16")] {
        let options = ["-c", "64", "-n", requests, "-r", "1000000", "-P", pipeline];
        let Some(text) = run(&node, "redis-benchmark", &[&options[..], &throttle].concat()).await else { break };
        assert!(text.contains(&format!("{requests} requests completed")), "{text}");
        assert!(!text.contains("WARNING") && !text.contains("ERR"), "{text}");
    }
    let admitted = node.http("GET /metrics", "").await.1;
    assert!(admitted.contains("drl_decisions_total{outcome=\"refused\"} 0"), "{admitted}");
    node.stop().await;
}
