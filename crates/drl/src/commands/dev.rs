//! `drl dev`: a whole cluster in one process, to try things out. The nodes are real ones, with a data directory and doors each; what
//! etcd is for others lives in memory here.

mod directory;
mod healthy;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::Args;
use drl_coordination::{ClusterId, ClusterName, Embedded};
use drl_core::NodeId;
use drl_host::clock;
use drl_limits::Window;
use drl_membership::Wishes;
use drl_node::{Addresses, JoinOptions, Node, NodeOptions, RunError, StartError};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::directory::Directory;
use super::running::{self, Signals};
use crate::cli::ConfigArgs;
use crate::exit::{self, Verdict, usage};
use crate::logging::{self, LogFormat, LogLevel};
use crate::output;

const EXAMPLES: &str = "\
Stdout: `n1 grpc ADDRESS`, `n1 http ADDRESS`, `n1 resp ADDRESS`, the same for every
node, then `ready` once every shard has an owner. Logs are on stderr. Node n1 has the
ports P, P+1 and P+2, node n2 P+10 and so on: with the default, commands find n1 without
--endpoint.
SIGTERM and Ctrl-C stop all nodes. What etcd has for other clusters (limits, who owns
what) is in memory here, so every run begins anew: without --data-dir a temporary
directory is removed at the end; one that is given must be empty, and is left as it is.
Exit codes: 0 stopped when told to, 1 could not start or had to stop, 2 wrong usage.

Examples:
  drl dev
  drl limits set alice --limit 3 --window 1m      then, in another terminal
  drl check alice --endpoint 127.0.0.1:7710
  drl dev --nodes 5 --base-port 0";

/// The most nodes: each has a database and threads of its own.
const NODES_MAX: u16 = 16;

/// Between the first port of a node and that of the next.
const PORTS_PER_NODE: u16 = 10;

const CLUSTER: &str = "dev";

/// Run a whole cluster in one process, without etcd.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Dev {
    /// How many nodes, 1 to 16
    #[arg(long, env = "DRL_NODES", value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=i64::from(NODES_MAX)))]
    nodes: u16,
    /// Where the nodes keep what they have; must be empty [default: a temporary directory, removed at the end]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// First port of the first node; 0 takes free ones
    #[arg(long, env = "DRL_BASE_PORT", value_name = "P", default_value_t = 7700)]
    base_port: u16,
    /// Longest time that requests in flight may take when stopping
    #[arg(long, value_name = "SPAN", default_value = "5s")]
    drain_timeout: Window,
    /// Format of the logs
    #[arg(long, env = "DRL_LOG", value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log: LogFormat,
    /// Least level of the logs
    #[arg(long, env = "DRL_LOG_LEVEL", value_name = "LEVEL", value_enum, default_value_t = LogLevel::Warn)]
    log_level: LogLevel,
    #[command(flatten)]
    config: ConfigArgs,
}

/// A node that runs.
struct Started {
    id: NodeId,
    addresses: Addresses,
}

impl Dev {
    /// # Errors
    /// When a node cannot start, and when one had to stop.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        logging::start(self.log, self.log_level);
        let last = u32::from(self.nodes - 1) * u32::from(PORTS_PER_NODE) + 2;
        if u32::from(self.base_port) + last > u32::from(u16::MAX) {
            let text = format!(
                "--base-port {}: {} nodes need ports up to {}",
                self.base_port,
                self.nodes,
                u32::from(self.base_port) + last
            );
            return Err(usage(&format!("{text}; the highest there is is {}", u16::MAX)).into());
        }
        let directory = Directory::open(self.data_dir.as_deref())?;
        let runtime = running::runtime()?;
        let ended = runtime.block_on(self.serve(directory.path()));
        // Every thread that may still write there is gone before the directory is.
        drop(runtime);
        directory.close()?;
        ended.map(|()| Verdict::Yes)
    }

    async fn serve(&self, directory: &Path) -> anyhow::Result<()> {
        let mut signals = Signals::listen()?;
        let (stop, stopping) = watch::channel(false);
        let mut running = JoinSet::new();
        let ended = tokio::select! {
            // Started nodes go with the runtime; nothing in them is to be kept.
            () = signals.come() => return Ok(()),
            started = self.start(directory, &mut running, &stopping) => match started {
                Ok(nodes) => {
                    output::write(&announcement(&nodes))?;
                    exit::say(&hint(&nodes));
                    tokio::select! {
                        () = signals.come() => Ok(()),
                        ended = first(&mut running) => ended,
                    }
                }
                Err(error) => Err(error),
            },
        };
        stop.send_replace(true);
        let mut rest = Ok(());
        while !running.is_empty() {
            rest = rest.and(first(&mut running).await);
        }
        ended.and(rest)
    }

    /// Starts the nodes, and waits until they are a cluster.
    async fn start(
        &self,
        directory: &Path,
        running: &mut JoinSet<Ended>,
        stopping: &watch::Receiver<bool>,
    ) -> anyhow::Result<Vec<Started>> {
        let coordination = Embedded::with_clock(ClusterId(1), clock::monotonic);
        let mut nodes = Vec::new();
        for index in 0..self.nodes {
            let id = NodeId::new(&format!("n{}", index + 1))?;
            let options = self.options(&id, index, directory, &coordination)?;
            let node = Node::start(options).await.map_err(|error| refusal(&id, error))?;
            nodes.push(Started { id: id.clone(), addresses: node.addresses() });
            let mut stopping = stopping.clone();
            running.spawn(async move {
                let told = async move { drop(stopping.wait_for(|is_stopping| *is_stopping).await) };
                (id, node.run(told).await)
            });
        }
        tokio::select! {
            healthy = healthy::wait(nodes.iter().map(|node| node.addresses.grpc)) => healthy?,
            ended = first(running) => ended?,
        }
        Ok(nodes)
    }

    fn options(
        &self,
        id: &NodeId,
        index: u16,
        directory: &Path,
        coordination: &Embedded,
    ) -> anyhow::Result<NodeOptions> {
        let base = self.base_port.saturating_add(index.saturating_mul(PORTS_PER_NODE));
        let address = |door: u16| {
            let port = if self.base_port == 0 { 0 } else { base.saturating_add(door) };
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
        };
        Ok(NodeOptions {
            listen: address(0),
            http_listen: address(1),
            resp_listen: Some(address(2)),
            drain_timeout: self.drain_timeout.nanos().into(),
            join: Some(JoinOptions {
                coordination: Arc::new(coordination.node()),
                cluster: ClusterName::new(CLUSTER)?,
                wishes: Wishes::default(),
                advertise: None,
            }),
            ..NodeOptions::new(id.clone(), directory.join(id.as_str()))
        })
    }
}

/// How a node ended.
type Ended = (NodeId, Result<(), RunError>);

/// Waits for the first of the running nodes that ends. All of them go at once, so that shards stay with a node is no trouble.
async fn first(running: &mut JoinSet<Ended>) -> anyhow::Result<()> {
    match running.join_next().await {
        None | Some(Ok((_, Ok(()) | Err(RunError::StillNamed { .. })))) => Ok(()),
        Some(Ok((id, Err(error)))) => Err(error).with_context(|| format!("node {id}")),
        Some(Err(broken)) => Err(broken).context("a node ended without a result; please report this"),
    }
}

/// The nodes have no flags of their own here, so the error must not name them.
fn refusal(id: &NodeId, error: StartError) -> anyhow::Error {
    match error {
        StartError::AddressInUse { address, .. } => {
            anyhow!(
                "{address} is in use by another program; stop that program or give another --base-port (0 takes free ports)"
            )
        }
        StartError::AddressForbidden { address, .. } => {
            anyhow!("may not listen on {address}; ports below 1024 need privileges: give a higher --base-port")
        }
        error => anyhow::Error::new(error).context(format!("node {id}")),
    }
}

fn announcement(nodes: &[Started]) -> String {
    let lines = nodes.iter().map(|Started { id, addresses: Addresses { grpc, http, resp } }| {
        let resp = resp.map(|resp| format!("{id} resp {resp}\n")).unwrap_or_default();
        format!("{id} grpc {grpc}\n{id} http {http}\n{resp}")
    });
    lines.chain(["ready\n".to_owned()]).collect()
}

fn hint(nodes: &[Started]) -> String {
    let endpoint = nodes.first().map(|node| format!(" --endpoint {}", node.addresses.grpc)).unwrap_or_default();
    format!(
        "try: drl limits set alice --limit 3 --window 1m{endpoint}\n     drl check alice{endpoint}\nCtrl-C stops the cluster."
    )
}
