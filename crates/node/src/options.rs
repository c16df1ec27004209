//! How a node behaves; what is not said here is the default.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use drl_core::{NodeId, ShardCount};
use drl_host::{JournalSync, UnknownClient};
use drl_limits::Durability;

use crate::cluster::ClusterOptions;
use crate::joining::JoinOptions;

/// Everything that is chosen when a node is started.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// A data directory belongs to one node id.
    pub node_id: NodeId,
    pub data_dir: PathBuf,
    /// gRPC. Port 0 takes a free one; see [`crate::Node::addresses`].
    pub listen: SocketAddr,
    /// HTTP: API, metrics, health.
    pub http_listen: SocketAddr,
    /// RESP; `None` leaves the door shut.
    pub resp_listen: Option<SocketAddr>,
    pub journal_sync: JournalSync,
    pub unknown_client: UnknownClient,
    /// Fixed when the data directory is created.
    pub shards: ShardCount,
    /// Class of the counters of `CL.THROTTLE`, which brings its own limit and no class.
    pub default_durability: Durability,
    /// The cluster that it joins; its settings then say how many shards there are and what happens to unknown clients. `None`: it stands
    /// alone and owns every shard.
    pub join: Option<JoinOptions>,
    /// A membership that was made elsewhere.
    pub cluster: Option<ClusterOptions>,
    /// How long a stopping node lets requests finish before it closes their connections.
    pub drain_timeout: Duration,
}

impl NodeOptions {
    /// The defaults: loopback, gRPC on 7700, HTTP on 7780, no RESP.
    #[must_use]
    pub const fn new(node_id: NodeId, data_dir: PathBuf) -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            node_id,
            data_dir,
            listen: SocketAddr::new(loopback, 7_700),
            http_listen: SocketAddr::new(loopback, 7_780),
            resp_listen: None,
            journal_sync: JournalSync::Auto,
            unknown_client: UnknownClient::Deny,
            shards: ShardCount::DEFAULT,
            default_durability: Durability::Replicated,
            join: None,
            cluster: None,
            drain_timeout: Duration::from_secs(30),
        }
    }
}
