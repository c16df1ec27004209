//! A node of a run: this very program as `drl serve`, on free ports of loopback.

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::ValueEnum as _;
use rustix::process::Signal;
use tokio::time::timeout;

use super::process::Process;
use crate::logging::LogLevel;

const START_WITHIN: Duration = Duration::from_mins(1);

pub(in super::super) struct Node {
    id: String,
    process: Process,
    grpc: String,
}

impl Node {
    /// Starts one and waits until it says that it is ready.
    ///
    /// # Errors
    /// It ends or is silent; the error has the end of its log.
    pub(super) async fn start(
        id: &str,
        data: &Path,
        log: &Path,
        flags: &[&str],
        level: LogLevel,
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program to start nodes")?;
        let level = level.to_possible_value().map(|level| level.get_name().to_owned()).unwrap_or_default();
        let mut command = Command::new(program);
        command.arg("serve").arg("--data-dir").arg(data).args(["--log-level", &level]);
        command.args(["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]).args(flags);
        let mut process = Process::start(id, &mut command, log)?;
        let mut lines = process.lines()?;
        let mut grpc = String::new();
        let ready = async {
            while let Some(line) = lines.recv().await {
                match line.split_once(' ') {
                    Some(("grpc", address)) => address.clone_into(&mut grpc),
                    None if line == "ready" => return true,
                    _ => {}
                }
            }
            false
        };
        match timeout(START_WITHIN, ready).await {
            Ok(true) => Ok(Self { id: id.to_owned(), process, grpc }),
            Ok(false) => bail!("{id} ended before it was ready; its log ends so:\n{}", process.tail()),
            Err(_) => bail!("{id} is not ready within {START_WITHIN:?}; its log ends so:\n{}", process.tail()),
        }
    }

    pub(in super::super) fn id(&self) -> &str {
        &self.id
    }

    /// `HOST:PORT` of its gRPC door.
    pub(super) fn address(&self) -> &str {
        &self.grpc
    }

    /// # Errors
    /// It has ended; the error has the end of its log.
    pub(super) fn still_runs(&mut self) -> anyhow::Result<()> {
        self.process.still_runs()
    }

    /// kill -9: no goodbye. Returns when the process is gone.
    pub(in super::super) fn kill_9(&mut self) {
        self.process.kill();
    }

    /// SIGSTOP: the connections stay, and nobody answers. Returns when it stands still.
    ///
    /// # Errors
    /// The system refuses.
    pub(in super::super) fn freeze(&self) -> anyhow::Result<()> {
        self.process.freeze()
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Errors
    /// It does not end in time.
    pub(in super::super) async fn terminate(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        self.process.signal(Signal::TERM)?;
        self.process.ended(within).await
    }
}
