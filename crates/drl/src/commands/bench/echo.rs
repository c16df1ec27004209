//! The floor of unary calls: `drl bench-echo` serves, in a process of its own and with a node's runtime; `drl bench --door echo` starts
//! it and ends it.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::commands::running::{self, Signals};
use crate::exit::Verdict;
use crate::output;
use crate::values::HostPort;

const EXAMPLES: &str = "\
Prints `grpc ADDRESS`, then `ready`. Ctrl-C ends it. `drl bench --door echo` starts one by
itself.
Exit codes: 0 stopped when told to, 1 could not start, 2 wrong usage.

Examples:
  drl bench-echo --listen 127.0.0.1:0";

/// Answer unary checks with yes and look at nothing, to compare a node with.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchEcho {
    /// Where to listen; port 0 takes a free one
    #[arg(long, env = "DRL_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:7700")]
    listen: HostPort,
}

impl BenchEcho {
    /// # Errors
    /// When it cannot listen.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let mut found = self.listen.as_str().to_socket_addrs().context("--listen cannot be resolved")?;
        let address = found.next().context("--listen has no address")?;
        let announce = |address: SocketAddr| {
            // Nobody may be reading; it serves all the same.
            let _ = output::write(&format!("grpc {address}\nready\n"));
        };
        running::runtime()?.block_on(async {
            let mut signals = Signals::listen()?;
            Ok::<_, anyhow::Error>(drl_bench::echo(address, announce, async move { signals.come().await }).await?)
        })?;
        Ok(Verdict::Yes)
    }
}

/// A running `drl bench-echo`. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct EchoProcess {
    child: Child,
    address: String,
}

impl EchoProcess {
    /// Starts one on a free port and waits until it listens.
    ///
    /// # Errors
    /// When it does not.
    pub(super) fn start() -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program to start its echo")?;
        let mut command = Command::new(program);
        command.args(["bench-echo", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command.spawn().context("cannot start the echo")?;
        let mut echo = Self { child, address: String::new() };
        let stdout = echo.child.stdout.take().context("the echo has no stdout")?;
        for line in BufReader::new(stdout).lines() {
            match line.context("cannot read where the echo listens")?.split_once(' ') {
                Some(("grpc", address)) => address.clone_into(&mut echo.address),
                _ => return Ok(echo),
            }
        }
        bail!("the echo did not start; run `drl bench-echo --listen 127.0.0.1:0` to see why")
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for EchoProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
