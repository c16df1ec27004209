//! A real `drl serve` process on free ports, ended when it is dropped.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::cluster::{SOON, eventually, http};
use crate::resp::Connection;

/// Free ports of loopback.
const LOOPBACK: [SocketAddr; 3] = [SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0); 3];

/// A running node.
pub struct Node {
    process: Child,
    addresses: HashMap<String, SocketAddr>,
    log: PathBuf,
}

/// The `drl` binary that was built beside this test.
///
/// # Errors
/// It was not built; `tests/run` builds it first.
pub fn drl_binary() -> Result<PathBuf> {
    built("drl").context("drl is missing: run `cargo build --release --bin drl` first, or tests/run")
}

/// A program that was built beside this one, or beside this test.
#[must_use]
pub fn built(program: &str) -> Option<PathBuf> {
    let this = std::env::current_exe().ok()?;
    this.ancestors().skip(1).take(2).map(|directory| directory.join(program)).find(|built| built.is_file())
}

impl Node {
    /// Starts a node on `data_dir` and waits until it says that it is ready.
    ///
    /// # Errors
    /// It ended before it was ready; the error holds its log.
    pub fn start(data_dir: &Path, extra: &[&str]) -> Result<Self> {
        Self::launch(Command::new(drl_binary()?), LOOPBACK, data_dir, extra)
    }

    /// As [`Node::start`], with no more than `files` open files (`prlimit`, from util-linux).
    ///
    /// # Errors
    /// As for [`Node::start`].
    pub fn start_with_files(data_dir: &Path, files: u64) -> Result<Self> {
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={files}:{files}")).arg(drl_binary()?);
        Self::launch(command, LOOPBACK, data_dir, &[])
    }

    /// Runs `drl`, a command that ends with the path of the program, with its gRPC, HTTP and RESP doors there (port 0: any that is free), and
    /// waits until the node is ready.
    ///
    /// # Errors
    /// As for [`Node::start`].
    pub fn launch(mut drl: Command, doors: [SocketAddr; 3], data_dir: &Path, extra: &[&str]) -> Result<Self> {
        let log = data_dir.with_extension("log");
        let log_file = std::fs::File::options().create(true).append(true).open(&log)?;
        let [grpc, http, resp] = doors.map(|door| door.to_string());
        let doors = ["--listen", &grpc, "--http-listen", &http, "--resp-listen", &resp];
        let mut process = drl
            .arg("serve")
            .arg("--data-dir")
            .arg(data_dir)
            .args(doors)
            .args(extra)
            .stdout(Stdio::piped())
            .stderr(log_file)
            .spawn()?;
        let stdout = process.stdout.take().context("no stdout")?;
        let mut addresses = HashMap::new();
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            if line == "ready" {
                return Ok(Self { process, addresses, log });
            }
            if let Some((door, address)) = line.split_once(' ') {
                addresses.insert(door.to_owned(), address.parse().with_context(|| line.clone())?);
            }
        }
        let status = process.wait()?;
        bail!("the node ended before it was ready ({status}): {}", std::fs::read_to_string(&log)?)
    }

    /// Where a door (`grpc`, `http`, `resp`) listens.
    ///
    /// # Errors
    /// The node did not print it.
    pub fn address(&self, door: &str) -> Result<SocketAddr> {
        self.addresses.get(door).copied().with_context(|| format!("no address for {door}"))
    }

    /// # Errors
    /// The node does not listen.
    pub fn resp(&self) -> Result<Connection> {
        Connection::open(self.address("resp")?)
    }

    /// Runs `drl` with `--endpoint` of this node.
    ///
    /// # Errors
    /// The command could not be started.
    pub fn drl(&self, arguments: &[&str]) -> Result<std::process::Output> {
        let endpoint = self.address("grpc")?.to_string();
        Ok(Command::new(drl_binary()?).args(arguments).args(["--endpoint", &endpoint]).output()?)
    }

    /// What it logged so far, earlier nodes on the same directory included.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// The number behind a name in its `/metrics`, labels included.
    ///
    /// # Errors
    /// It does not answer, or has no such metric.
    pub fn metric(&self, name: &str) -> Result<u64> {
        let (_, page) = http(self, "/metrics")?;
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.with_context(|| format!("no {name}"))?.parse()?)
    }

    /// SIGSTOP; returns when all of its threads stand still, which the signal does not wait for.
    ///
    /// # Errors
    /// The signal was not sent, or a thread goes on.
    pub fn pause(&self) -> Result<()> {
        self.signal("STOP")?;
        eventually("all of its threads stand still", SOON, || {
            for task in std::fs::read_dir(format!("/proc/{}/task", self.pid()))? {
                let stat = std::fs::read_to_string(task?.path().join("stat"))?;
                let (_, state) = stat.rsplit_once(") ").context("a stat without a name")?;
                if !state.starts_with('T') {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
    }

    /// Sends it a signal by name, `CONT` for one.
    ///
    /// # Errors
    /// The signal was not sent.
    pub fn signal(&self, name: &str) -> Result<()> {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status()?;
        ensure!(sent.success(), "kill -{name} failed");
        Ok(())
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// The system does not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.process.try_wait()?)
    }

    /// SIGKILL: no goodbye.
    ///
    /// # Errors
    /// It could not be waited for.
    pub fn kill_9(mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Errors
    /// It could not be waited for.
    pub fn terminate(mut self) -> Result<ExitStatus> {
        let killed = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status()?;
        ensure!(killed.success(), "kill -TERM failed");
        Ok(self.process.wait()?)
    }
}

/// Runs a node that is to end by itself: its exit code, and its log.
///
/// # Errors
/// It does not end within [`SOON`].
pub fn serve_to_the_end(data_dir: &Path, flags: &[&str]) -> Result<(Option<i32>, String)> {
    let mut drl = Command::new(drl_binary()?);
    drl.arg("serve").arg("--data-dir").arg(data_dir).args(["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]);
    let mut process = drl.args(flags).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let ended = eventually("the node ends", SOON, || Ok(process.try_wait()?));
    if ended.is_err() {
        process.kill()?;
    }
    let output = process.wait_with_output()?;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    ended.with_context(|| log.clone())?;
    Ok((output.status.code(), log))
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already; either way nothing is left behind.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
