//! `drl serve`: one node, until it is told to stop. Stdout says where it listens and when it is ready, a line each, for scripts;
//! logs are on stderr.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use drl_core::caps::SHARDS_MAX;
use drl_core::{InvalidNodeId, InvalidShardCount, NodeId, ShardCount};
use drl_host::{JournalSync, UnknownClient};
use drl_limits::{Durability, Window};
use drl_node::{Addresses, Node, NodeOptions};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::ConfigArgs;
use crate::exit::Verdict;
use crate::logging::{self, LogFormat, LogLevel};
use crate::output;
use crate::values::{self, HostPort, Named};

const EXAMPLES: &str = "\
Stdout: `grpc ADDRESS`, `http ADDRESS`, `resp ADDRESS` (if given), then `ready`, a line
each; with port 0 the addresses show the ports that were free. Logs are on stderr.
SIGTERM and Ctrl-C stop the node: answers in flight are finished, everything is
written, and the next start is fast. A client that does not read its answers is
waited for until --drain-timeout and then cut off; that is exit code 0 as well, since
no other node waits for this one. kill -9 loses nothing that was answered either.
Exit codes: 0 stopped when told to, 1 could not start, or had to stop (a failed
write), 2 wrong usage.

Examples:
  drl serve
  drl serve --resp-listen 127.0.0.1:6379 --data-dir /var/lib/drl
  drl serve --node-id n1 --listen 0.0.0.0:7700 --journal-sync interval
  drl serve --config /etc/drl.toml        with lines like: listen = \"0.0.0.0:7700\"";

/// Run a node.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {
    /// Name of this node; its data directory belongs to it [default: the host's name]
    #[arg(long, env = "DRL_NODE_ID", value_name = "ID", value_parser = node_id)]
    node_id: Option<NodeId>,
    /// Name of the cluster; a node that runs alone only shows it in its logs
    #[arg(long, env = "DRL_CLUSTER", value_name = "NAME", default_value = "default", value_parser = values::namespace)]
    cluster: String,
    /// Where counters and limits are kept; created if missing, used by one node at a time
    #[arg(long, env = "DRL_DATA_DIR", value_name = "DIR", default_value = "drl-data")]
    data_dir: PathBuf,
    /// gRPC for clients and `drl`; port 0 takes a free one
    #[arg(long, env = "DRL_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:7700")]
    listen: HostPort,
    /// Address under which others reach --listen; a node that runs alone only shows it in its logs
    #[arg(long, env = "DRL_ADVERTISE", value_name = "HOST:PORT")]
    advertise: Option<HostPort>,
    /// HTTP API, /metrics, /livez and /readyz
    #[arg(long, env = "DRL_HTTP_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:7780")]
    http_listen: HostPort,
    /// Redis protocol (CL.THROTTLE, DRL.ALLOW, DRL.CHECK); off unless given
    #[arg(long, env = "DRL_RESP_LISTEN", value_name = "HOST:PORT")]
    resp_listen: Option<HostPort>,
    /// When answers are on disk: auto and commit before they leave, interval within 50 ms
    #[arg(
        long, env = "DRL_JOURNAL_SYNC", value_name = "WHEN", default_value = "auto",
        value_parser = Named::<JournalSync>::new(&["auto", "commit", "interval"])
    )]
    journal_sync: JournalSync,
    /// The answer to a client that no limit covers
    #[arg(
        long, env = "DRL_UNKNOWN_CLIENT", value_name = "ANSWER", default_value = "deny",
        value_parser = Named::<UnknownClient>::new(&["deny", "allow"])
    )]
    unknown_client: UnknownClient,
    /// Pieces of the key space, 1 to 16384; fixed when the data directory is created
    #[arg(long, env = "DRL_SHARDS", value_name = "N", default_value = "1024", value_parser = shards)]
    shards: ShardCount,
    /// Durability of CL.THROTTLE keys, which have no policy of their own
    #[arg(
        long, env = "DRL_DEFAULT_DURABILITY", value_name = "CLASS", default_value_t = Durability::default(),
        value_parser = Named::<Durability>::new(&["replicated", "async"])
    )]
    default_durability: Durability,
    /// Longest time that a stop may take
    #[arg(long, env = "DRL_DRAIN_TIMEOUT", value_name = "SPAN", default_value = "30s")]
    drain_timeout: Window,
    /// Format of the logs
    #[arg(long, env = "DRL_LOG", value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log: LogFormat,
    /// Least level of the logs
    #[arg(long, env = "DRL_LOG_LEVEL", value_name = "LEVEL", value_enum, default_value_t = LogLevel::Info)]
    log_level: LogLevel,
    #[command(flatten)]
    config: ConfigArgs,
}

fn node_id(text: &str) -> Result<NodeId, InvalidNodeId> {
    NodeId::new(text)
}

/// # Errors
/// When this is not a number, or out of range.
fn shards(text: &str) -> Result<ShardCount, InvalidShards> {
    let count: u64 = text.parse().map_err(|_| InvalidShards::NotANumber)?;
    Ok(ShardCount::new(count)?)
}

/// A number of shards that cannot be.
#[derive(Debug, thiserror::Error)]
enum InvalidShards {
    #[error("not a whole number; choose 1 to {SHARDS_MAX}")]
    NotANumber,
    #[error(transparent)]
    OutOfRange(#[from] InvalidShardCount),
}

impl Serve {
    /// # Errors
    /// When the node cannot start, and when it had to stop.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        logging::start(self.log, self.log_level);
        let options = self.options()?;
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(door_threads()).enable_all().build();
        runtime.context("cannot start the runtime")?.block_on(serve(options))?;
        Ok(Verdict::Yes)
    }

    fn options(&self) -> anyhow::Result<NodeOptions> {
        let node_id = match &self.node_id {
            Some(id) => id.clone(),
            None => node_id_of_host()?,
        };
        let advertise = self.advertise.as_ref().unwrap_or(&self.listen);
        tracing::info!(%node_id, cluster = self.cluster, %advertise, "starting alone: no other nodes");
        let resp_listen = self.resp_listen.as_ref().map(|address| resolve("--resp-listen", address)).transpose()?;
        Ok(NodeOptions {
            listen: resolve("--listen", &self.listen)?,
            http_listen: resolve("--http-listen", &self.http_listen)?,
            resp_listen,
            journal_sync: self.journal_sync,
            unknown_client: self.unknown_client,
            shards: self.shards,
            default_durability: self.default_durability,
            drain_timeout: self.drain_timeout.nanos().into(),
            ..NodeOptions::new(node_id, self.data_dir.clone())
        })
    }
}

/// One core is left to the thread that writes the journal: where every core had a door thread as well, the two would take turns
/// at each request (measured in docs/benchmarks.md).
fn door_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    cores.saturating_sub(1).max(1)
}

async fn serve(options: NodeOptions) -> anyhow::Result<()> {
    // Before the start, so that a signal during a long recovery is not lost.
    let (mut terminate, mut interrupt) = (on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
    let node = tokio::select! {
        started = Node::start(options) => started?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    // Nobody may be reading; the node serves all the same.
    output::write(&announcement(&node.addresses()))?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(node.run(shutdown).await?)
}

fn announcement(addresses: &Addresses) -> String {
    let resp = addresses.resp.map(|address| format!("resp {address}\n")).unwrap_or_default();
    format!("grpc {}\nhttp {}\n{resp}ready\n", addresses.grpc, addresses.http)
}

fn on(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("cannot listen for signals")
}

fn node_id_of_host() -> anyhow::Result<NodeId> {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    NodeId::new(&name).context("the host's name cannot be the node's; give --node-id")
}

/// The first address of a name.
fn resolve(flag: &str, address: &HostPort) -> anyhow::Result<SocketAddr> {
    let mut found = address.as_str().to_socket_addrs().with_context(|| format!("{flag}: cannot resolve {address}"))?;
    found.next().with_context(|| format!("{flag}: {address} has no address"))
}
