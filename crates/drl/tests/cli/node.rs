//! A node in a process of its own, on free ports. Waiting is for a line or for the end, each with a deadline.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::process::{self, Ran};

/// Far longer than a start takes, even on a busy machine.
const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) struct Node {
    child: Child,
    lines: Receiver<String>,
    /// `grpc`, `http` and perhaps `resp`, each with its address; with the node's name before it where there are several.
    pub(crate) addresses: Vec<(String, String)>,
}

impl Node {
    /// Starts a node on `data_dir` and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(data_dir: &Path, more: &[&str]) -> Self {
        let data_dir = data_dir.to_str().unwrap();
        let mut arguments = vec!["serve", "--data-dir", data_dir, "--node-id", "n1"];
        arguments.extend(["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]);
        arguments.extend(more);
        Self::spawn(&mut process::command(&arguments))
    }

    /// Runs `command`, which is a `drl serve` or a `drl dev`, and waits until it is ready.
    #[track_caller]
    pub(crate) fn spawn(command: &mut std::process::Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                if line.is_ok_and(|line| sender.send(line).is_ok()) {
                    continue;
                }
                break;
            }
        });
        let mut node = Self { child, lines, addresses: Vec::new() };
        loop {
            let line = node.lines.recv_timeout(DEADLINE).expect("the node says that it is ready");
            match line.rsplit_once(' ') {
                Some((door, address)) => node.addresses.push((door.to_owned(), address.to_owned())),
                None if line == "ready" => return node,
                None => panic!("unexpected line {line:?}"),
            }
        }
    }

    #[track_caller]
    pub(crate) fn address(&self, door: &str) -> &str {
        let found = self.addresses.iter().find(|(name, _)| name == door);
        &found.unwrap_or_else(|| panic!("no {door} in {:?}", self.addresses)).1
    }

    /// Runs a command against this node.
    pub(crate) fn drl(&self, arguments: &[&str]) -> Ran {
        process::finish(process::command(arguments).env("DRL_ENDPOINT", self.address("grpc")))
    }

    /// SIGTERM, then its exit code.
    pub(crate) fn terminate(self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.wait().code()
    }

    /// kill -9, then until it is gone.
    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its stdout closes when the process ends; only then is it waited for.
    pub(crate) fn wait(mut self) -> ExitStatus {
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap(),
                Err(RecvTimeoutError::Timeout) => panic!("the node does not stop"),
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
