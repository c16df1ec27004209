//! A log replayed offline and the same log sent to a real node.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::process::{Command, Stdio};

use drl_tests::access_log::{Request, combined, requests};
use drl_tests::node::{Node, drl_binary};
use drl_tests::resp::encode;

fn replay(log: &str, arguments: &[&str]) -> serde_json::Value {
    let mut process = Command::new(drl_binary().unwrap())
        .args(["replay", "-", "--key", "ip", "--output", "json"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(log.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The sliding window as its page states it, on a list of every charge: a charge counts until the latest charge of its sub-window
/// (a sixteenth of the window) is a window old.
fn sliding(times: &[u64], limit: usize, window: u64) -> usize {
    let mut charged: Vec<u64> = Vec::new();
    for now in times {
        let slot = |second: u64| second * 16 / window;
        let counted_until = |charge: u64| {
            let latest = charged.iter().copied().filter(|other| slot(*other) == slot(charge)).max();
            latest.unwrap() + window
        };
        let used = charged.iter().filter(|charge| counted_until(**charge) > *now).count();
        if used < limit {
            charged.push(*now);
        }
    }
    charged.len()
}

fn fixed(times: &[u64], limit: usize, window: u64) -> usize {
    let mut used: HashMap<u64, usize> = HashMap::new();
    for now in times {
        *used.entry(now / window).or_default() += 1;
    }
    used.values().map(|requests| (*requests).min(limit)).sum()
}

/// A bucket as fractions of a token in 1/limit seconds, told from its definition.
fn bucket(times: &[u64], limit: usize, window: u64) -> usize {
    let (full, mut level, mut last, mut allowed) = (limit as u64 * window, limit as u64 * window, 0, 0);
    for now in times {
        level = full.min(level + (now - last) * limit as u64);
        last = *now;
        if level >= window {
            level -= window;
            allowed += 1;
        }
    }
    allowed
}

/// Admitted requests of one client: its times, the limit, the window in seconds.
type Reference = fn(&[u64], usize, u64) -> usize;

fn times_by_client(requests: &[Request]) -> BTreeMap<&str, Vec<u64>> {
    let mut times: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for request in requests {
        times.entry(&request.client).or_default().push(request.second);
    }
    for times in times.values_mut() {
        times.sort_unstable();
    }
    times
}

#[test]
fn a_replay_equals_a_slow_reference() {
    let requests = requests(7, 10_000, 1_753);
    let log = combined(&requests);
    let times = times_by_client(&requests);
    let references: [(&str, Reference); 3] =
        [("sliding-window", sliding), ("fixed-window", fixed), ("token-bucket", bucket)];
    for (algorithm, reference) in references {
        for (limit, window, seconds) in [(3, "1m", 60), (2, "16m", 960), (30, "1h", 3_600)] {
            let limit_text = limit.to_string();
            let arguments = ["--limit", &limit_text, "--window", window, "--algorithm", algorithm];
            let report = replay(&log, &arguments);
            let allowed: Vec<usize> = times.values().map(|times| reference(times, limit, seconds)).collect();
            let denied_clients =
                times.values().zip(&allowed).filter(|(times, allowed)| times.len() > **allowed).count();
            let total: usize = allowed.iter().sum();
            let expected = [10_000, total, 10_000 - total, times.len(), denied_clients];
            let found = ["requests", "allowed", "denied", "clients", "clients_denied"];
            let found = found.map(|field| usize::try_from(report[field].as_u64().unwrap()).unwrap());
            assert_eq!(found, expected, "{algorithm} {limit} per {window}");
        }
    }
}

#[test]
fn sent_in_log_order_at_full_speed_every_client_gets_the_smaller_of_requests_and_limit() {
    const LIMIT: usize = 20;
    let requests = requests(11, 10_000, 1_753);
    let work = tempfile::tempdir().unwrap();
    let node = Node::start(&work.path().join("node"), &[]).unwrap();
    let set = node.drl(&["limits", "set", "--default", "--limit", "20", "--window", "1d"]).unwrap();
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    let commands: Vec<Vec<u8>> = requests.iter().map(|request| encode(&["DRL.ALLOW", &request.client])).collect();
    let mut allowed: HashMap<&str, usize> = HashMap::new();
    let mut connection = node.resp().unwrap();
    for (commands, requests) in commands.chunks(500).zip(requests.chunks(500)) {
        let replies = connection.pipeline(commands).unwrap();
        for (reply, request) in replies.iter().zip(requests) {
            *allowed.entry(&request.client).or_default() += usize::from(reply.integer().unwrap() == 1);
        }
    }
    for (client, times) in times_by_client(&requests) {
        assert_eq!(allowed[client], times.len().min(LIMIT), "{client}");
    }
}
