//! `drl bench failover` and `drl bench handoff`: they start a cluster of their own, measure, judge, and leave nothing behind.

use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use drl_test_etcd::Server;

use crate::etcd::etcd;
use crate::process::{command, drl, finish};

/// Processes that were started with something in this directory.
fn processes_of(directory: &Path) -> usize {
    let name = directory.as_os_str().as_encoded_bytes();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| line.windows(name.len()).any(|part| part == name)).count()
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().next().is_none()
}

#[test]
fn killed_owners_are_followed_and_no_process_or_file_is_left_behind() {
    let etcd = etcd!();
    let directory = tempfile::tempdir().unwrap();
    let line = "bench failover --kills 3 --rate 500 --clients 60 --output json --etcd";
    let arguments: Vec<&str> = line.split(' ').collect();
    let url = etcd.url();
    let ran = finish(command(&[&arguments[..], &[&url]].concat()).env("TMPDIR", directory.path())).expect_code(0);
    let report = ran.json();
    let kills = report["kills"].as_array().unwrap();
    let nodes: Vec<_> = kills.iter().map(|kill| kill["node"].as_str().unwrap()).collect();
    assert_eq!(nodes, ["n1", "n2", "n3"]);
    for kill in kills {
        assert!(kill["clients"].as_u64().unwrap() > 0, "{report}");
        assert_eq!(kill["answered_again_ns"]["count"], kill["clients"], "{report}");
    }
    for must_be_none in ["over", "denied_needlessly", "not_audited"] {
        assert_eq!(report["audit"][must_be_none], 0, "{report}");
    }
    // 24 clients used up their limit of 10 and were denied from then on.
    assert!(report["audit"]["denied"].as_u64().unwrap() > 0, "{report}");
    assert_eq!((processes_of(directory.path()), is_empty(directory.path())), (0, true));
}

#[test]
fn a_node_that_leaves_and_returns_lets_nobody_over_and_denies_nobody() {
    let etcd = etcd!();
    let line = "bench handoff --rounds 1 --rate 500 --clients 60 --output json --etcd";
    let arguments: Vec<&str> = line.split(' ').collect();
    // Beside other tests a check may go without an answer for a second, which is exit code 1; what counts is never wrong.
    let report = drl(&[&arguments[..], &[&etcd.url()]].concat()).json();
    assert_eq!(report["rounds"][0]["clean_exit"], true, "{report}");
    for must_be_none in ["over", "denied_needlessly", "not_audited"] {
        assert_eq!(report["audit"][must_be_none], 0, "{report}");
    }
    for phase in ["steady", "drain", "away", "back"] {
        assert!(report["phases"][phase]["checks"].as_u64().unwrap() > 0, "{report}");
    }
}

#[test]
fn a_new_node_has_every_counter_of_the_one_that_is_gone() {
    let etcd = etcd!();
    let line = "bench handoff --seed-counters 3000 --output json --etcd";
    let arguments: Vec<&str> = line.split(' ').collect();
    let report = drl(&[&arguments[..], &[&etcd.url()]].concat()).expect_code(0).json();
    assert_eq!((&report["counters"], &report["found"], &report["sampled"]), (&3000.into(), &1000.into(), &1000.into()));
}

#[test]
fn ctrl_c_ends_everything_that_a_run_started() {
    let etcd = etcd!();
    let directory = tempfile::tempdir().unwrap();
    let url = etcd.url();
    let mut run = command(&["bench", "failover", "--etcd", &url]);
    let run = run.env("TMPDIR", directory.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let are_there = |count| (0..1_000_000).any(|_| processes_of(directory.path()) == count);
    assert!(are_there(3), "the nodes do not start");
    kill_process(Pid::from_child(&run), Signal::INT).unwrap();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("everything that was started is ended"), "{output:?}");
    assert_eq!((processes_of(directory.path()), is_empty(directory.path())), (0, true));
}

#[test]
fn what_cannot_be_measured_is_refused() {
    // Without any PATH the system looks where it is installed.
    let nowhere = finish(command(&["bench", "failover"]).env("PATH", "/nonexistent"));
    nowhere.expect_refusal(1, "install it (Debian: etcd-server) or give --etcd URL");
    drl(&["bench", "failover", "--etcd", "nonsense://"]).expect_refusal(2, "--etcd");
    drl(&["bench", "failover", "--kills", "0"]).expect_refusal(2, "--kills");
    drl(&["bench", "handoff", "--seed-counters", "5", "--rate", "7"]).expect_refusal(2, "cannot be used with");
    drl(&["bench", "--rate", "7", "failover"]).expect_refusal(2, "cannot be used with");
}
