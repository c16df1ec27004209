//! An etcd of one member, for a run only.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

use super::process::Process;

const START_WITHIN: Duration = Duration::from_secs(30);

const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) struct OwnEtcd {
    _process: Process,
    port: u16,
}

impl OwnEtcd {
    /// Starts one on free ports and waits until it listens.
    ///
    /// # Errors
    /// There is none on PATH, or it does not start.
    pub(super) async fn start(work: &Path, logs: &Path) -> anyhow::Result<Self> {
        if Command::new("etcd").arg("--version").output().is_err() {
            bail!("there is no etcd on PATH; install it (Debian: etcd-server) or give --etcd URL");
        }
        let (port, peer_port) = (free_port()?, free_port()?);
        let (client, peer) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peer_port}"));
        let mut command = Command::new("etcd");
        command.args(["--name", "bench", "--data-dir"]).arg(work.join("etcd"));
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &format!("bench={peer}")]);
        let mut process = Process::start("etcd", &mut command, &logs.join("etcd.log"))?;
        // Dropped: the thread behind it goes on reading.
        drop(process.lines()?);
        let listens = async {
            let mut ticks = interval(LOOK_EVERY);
            loop {
                ticks.tick().await;
                process.still_runs()?;
                if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                    return Ok::<_, anyhow::Error>(());
                }
            }
        };
        timeout(START_WITHIN, listens)
            .await
            .with_context(|| format!("etcd does not listen within {START_WITHIN:?}"))??;
        Ok(Self { _process: process, port })
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// A port that was free a moment ago.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").context("no free port")?.local_addr()?.port())
}
