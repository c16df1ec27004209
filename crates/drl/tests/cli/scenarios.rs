//! `drl bench failover` and `drl bench handoff`: what they cannot do, and that they leave nothing behind.

use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::etcd::etcd;
use crate::process::{command, drl};

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
    // The tests' commands have no PATH.
    drl(&["bench", "failover"]).expect_refusal(1, "install it (Debian: etcd-server) or give --etcd URL");
    drl(&["bench", "failover", "--etcd", "nonsense://"]).expect_refusal(2, "--etcd");
    drl(&["bench", "failover", "--kills", "0"]).expect_refusal(2, "--kills");
    drl(&["bench", "handoff", "--seed-counters", "5", "--rate", "7"]).expect_refusal(2, "cannot be used with");
    drl(&["bench", "--rate", "7", "failover"]).expect_refusal(2, "cannot be used with");
}
