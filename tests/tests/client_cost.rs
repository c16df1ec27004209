//! What limiters cost while nobody uses them, and what is left of them afterwards: measured in a process of their own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use drl_tests::cluster::{Cluster, SOON, eventually, hourly};
use drl_tests::node::drl_binary;

const LIMITERS: usize = 200;

/// What a limiter may take that has asked one owner and does nothing; docs/benchmarks.md has the figure and where it goes.
const IDLE_BYTES_MAX: usize = 100 << 10;

/// What an allocator may keep of 100,000 calls that were given up: a leak of 100 bytes for each would be ten times as much.
const GROWTH_KIB_MAX: usize = 1_024;

/// The process with the limiters; it ends with the test.
struct Limiters {
    process: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Limiters {
    fn start(endpoints: &[String]) -> Self {
        let binary = drl_binary().unwrap().with_file_name("limiters");
        let mut command = Command::new(binary);
        command.arg(LIMITERS.to_string()).args(endpoints).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines }
    }

    /// The figure of the next stage, which has this name.
    fn stage(&mut self, name: &str) -> usize {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        println!("{}", line.trim());
        line.trim().strip_prefix(name).unwrap().trim().parse().unwrap()
    }
}

impl Drop for Limiters {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn an_idle_limiter_is_small_and_nothing_is_left_of_what_was_dropped() {
    let Some(cluster) = Cluster::start(&[]).unwrap() else { return };
    cluster.put_policy("default", &hourly(1_000_000)).unwrap();
    let mut limiters = Limiters::start(&cluster.endpoints().unwrap());
    let idle = limiters.stage("idle_bytes_per_limiter");
    assert!(idle < IDLE_BYTES_MAX, "{idle} bytes for an idle limiter");
    let growth = limiters.stage("growth_kib");
    assert!(growth < GROWTH_KIB_MAX, "{growth} KiB more after 100,000 calls that were given up");
    assert_eq!(limiters.stage("dropped"), 0);
    // What nodes have open among each other stays: at most one connection to each of the others, at each of them.
    let among_nodes = cluster.nodes.len() * (cluster.nodes.len() - 1);
    eventually("the limiters' connections are closed", SOON, || {
        let mut open = 0;
        for node in &cluster.nodes {
            open += node.metric("drl_connections{door=\"grpc\"}")?;
        }
        Ok((open <= u64::try_from(among_nodes)?).then_some(()))
    })
    .unwrap();
}
