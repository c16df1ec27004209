//! `drl serve`: one node, alone or of a cluster, until it is told to stop. Stdout says where it listens and when it is ready, a line
//! each, for scripts; logs are on stderr.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use drl_core::caps::SHARDS_MAX;
use drl_core::{InvalidNodeId, InvalidShardCount, NodeId, ShardCount};
use drl_host::{JournalSync, UnknownClient};
use drl_limits::{Durability, Window};
use drl_membership::Wishes;
use drl_node::{Addresses, JoinOptions, Node, NodeOptions};

use super::running::{self, Signals};
use crate::cli::ConfigArgs;
use crate::etcd_args::EtcdArgs;
use crate::exit::{Verdict, usage};
use crate::logging::{self, LogFormat, LogLevel};
use crate::output;
use crate::values::{HostPort, Named};

const EXAMPLES: &str = "\
Stdout: `grpc ADDRESS`, `http ADDRESS`, `resp ADDRESS` (if given), then `ready`, a line
each; with port 0 the addresses show the ports that were free. Logs are on stderr.
With --etcd the node joins a cluster: the first one creates it, with its --shards,
--unknown-client and --authority; later ones take them over, and must not contradict. It
waits for an etcd that does not answer. Limits are then those in etcd.
SIGTERM and Ctrl-C stop the node: what others can take over is given away, answers in
flight are finished, everything is written, and the next start is fast. A client that
does not read its answers is waited for until --drain-timeout and then cut off. kill -9
loses nothing that was answered either.
Exit codes: 0 stopped when told to, 1 could not start, had to stop (a failed write), or
has shards that other nodes wait for, 2 wrong usage.

Examples:
  drl serve
  drl serve --resp-listen 127.0.0.1:6379 --data-dir /var/lib/drl
  drl serve --node-id n1 --listen 0.0.0.0:7700 --journal-sync interval
  drl serve --etcd http://10.0.0.1:2379,http://10.0.0.2:2379 --node-id n1 \\
    --listen 0.0.0.0:7700 --advertise n1.example:7700
  drl serve --config /etc/drl.toml        with lines like: listen = \"0.0.0.0:7700\"";

/// Run a node.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {
    /// Name of this node; its data directory belongs to it [default: the host's name]
    #[arg(long, env = "DRL_NODE_ID", value_name = "ID", value_parser = node_id)]
    node_id: Option<NodeId>,
    /// Where counters and limits are kept; created if missing, used by one node at a time
    #[arg(long, env = "DRL_DATA_DIR", value_name = "DIR", default_value = "drl-data")]
    data_dir: PathBuf,
    /// gRPC for clients and `drl`; port 0 takes a free one
    #[arg(long, env = "DRL_LISTEN", value_name = "HOST:PORT", default_value = "127.0.0.1:7700")]
    listen: HostPort,
    /// Address under which the other nodes of the cluster reach --listen [default: --listen]
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
    /// The answer to a client that no limit covers; one for the whole cluster, fixed when it is created [default: deny]
    #[arg(
        long, env = "DRL_UNKNOWN_CLIENT", value_name = "ANSWER",
        value_parser = Named::<UnknownClient>::new(&["deny", "allow"])
    )]
    unknown_client: Option<UnknownClient>,
    /// Pieces of the key space, 1 to 16384; fixed when the cluster, or the data directory of a node that runs alone, is created
    /// [default: 1024]
    #[arg(long, env = "DRL_SHARDS", value_name = "N", value_parser = shards)]
    shards: Option<ShardCount>,
    /// How long a node answers after it last reached etcd, 10s to 1h; fixed when the cluster is created [default: 60s]
    #[arg(long, env = "DRL_AUTHORITY", value_name = "SPAN")]
    authority: Option<Window>,
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
    etcd: EtcdArgs,
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
        running::runtime()?.block_on(self.serve())?;
        Ok(Verdict::Yes)
    }

    async fn serve(&self) -> anyhow::Result<()> {
        let options = self.options().await?;
        // Before the start, so that a signal during a long recovery, or while etcd does not answer, is not lost.
        let mut signals = Signals::listen()?;
        let node = tokio::select! {
            started = Node::start(options) => started?,
            () = signals.come() => return Ok(()),
        };
        // Nobody may be reading; the node serves all the same.
        output::write(&announcement(&node.addresses()))?;
        Ok(node.run(async move { signals.come().await }).await?)
    }

    async fn options(&self) -> anyhow::Result<NodeOptions> {
        let node_id = match &self.node_id {
            Some(id) => id.clone(),
            None => node_id_of_host()?,
        };
        let listen = resolve("--listen", &self.listen)?;
        let join = self.join(&node_id, listen).await?;
        let resp_listen = self.resp_listen.as_ref().map(|address| resolve("--resp-listen", address)).transpose()?;
        Ok(NodeOptions {
            listen,
            http_listen: resolve("--http-listen", &self.http_listen)?,
            resp_listen,
            journal_sync: self.journal_sync,
            unknown_client: self.unknown_client.unwrap_or_default(),
            shards: self.shards.unwrap_or(ShardCount::DEFAULT),
            default_durability: self.default_durability,
            drain_timeout: self.drain_timeout.nanos().into(),
            join,
            ..NodeOptions::new(node_id, self.data_dir.clone())
        })
    }

    /// The cluster to join; `None`: none was named.
    async fn join(&self, node_id: &NodeId, listen: SocketAddr) -> anyhow::Result<Option<JoinOptions>> {
        let cluster = self.etcd.cluster().clone();
        if !self.etcd.is_given() {
            self.etcd.refuse_strays()?;
            tracing::info!(%node_id, "starting alone: no --etcd is given");
            return Ok(None);
        }
        let advertise = self.advertised(listen)?;
        let coordination = self.etcd.open().await?;
        tracing::info!(%node_id, %cluster, etcd = self.etcd.urls(), advertise, "joining a cluster");
        let unknown_client = self.unknown_client.map(|answer| match answer {
            UnknownClient::Deny => drl_membership::UnknownClient::Deny,
            UnknownClient::Allow => drl_membership::UnknownClient::Allow,
        });
        let wishes = Wishes { shards: self.shards, unknown_client, authority: self.authority.map(Window::nanos) };
        Ok(Some(JoinOptions { coordination, cluster, wishes, advertise }))
    }

    /// An address that other nodes can use.
    fn advertised(&self, listen: SocketAddr) -> Result<Option<String>, clap::Error> {
        match &self.advertise {
            Some(address) if address.port() == "0" => {
                Err(usage("--advertise needs the real port under which other nodes reach this one"))
            }
            Some(address) => Ok(Some(address.to_string())),
            None if listen.ip().is_unspecified() => Err(usage(&format!(
                "--listen {listen} is no address to reach this node by; give --advertise HOST:PORT"
            ))),
            None => Ok(None),
        }
    }
}

fn announcement(addresses: &Addresses) -> String {
    let resp = addresses.resp.map(|address| format!("resp {address}\n")).unwrap_or_default();
    format!("grpc {}\nhttp {}\n{resp}ready\n", addresses.grpc, addresses.http)
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
