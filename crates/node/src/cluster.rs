//! What a node that is a member of a cluster is given: who the member is, where the shards are, how things stand. Who keeps that up to
//! date (a session, its watches, the rules of ownership) is behind [`Member`] and not known here.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use drl_core::{Nanos, ShardId};
use drl_host::{Cluster, Host, Ownership};
use drl_membership::{Departure, Move, Placement};
use tokio::sync::watch;

use crate::listen::Addresses;

/// The cluster that a node is a member of.
#[derive(Clone)]
pub struct ClusterOptions {
    pub cluster: Cluster,
    pub member: Arc<dyn Member>,
}

/// The membership of this node.
pub trait Member: Send + Sync {
    /// Where every shard is. A node passes the checks of other nodes' shards on by it.
    fn placement(&self) -> watch::Receiver<Arc<Placement>>;

    /// The host is recovered and its addresses are open: from now on `ownership` tells it what it owns. Called once, in the runtime
    /// of the node.
    fn join(&self, host: &Host, ownership: Ownership, addresses: Addresses);

    fn standing(&self) -> Standing;

    /// The node is to give away what it has and to go on answering for others.
    fn start_draining(&self) -> Wait<'_, Result<(), Refused>> {
        Box::pin(async { Ok(()) })
    }

    /// The node is to take its share again.
    fn stop_draining(&self) -> Wait<'_, Result<(), Refused>> {
        Box::pin(async { Ok(()) })
    }

    /// What happened last to a shard, newest first, as far as it was seen.
    fn moves(&self, _shard: ShardId) -> Vec<Move> {
        Vec::new()
    }

    /// The node is to end: gives away what can be given, within that time.
    fn drain(&self, _within: Duration) -> Wait<'_, Departure> {
        Box::pin(async { Departure { named: 0, others: 0 } })
    }

    /// Nobody is answered any more: ends the session, so that nobody waits for it.
    fn leave(&self, _within: Duration) -> Wait<'_, ()> {
        Box::pin(async {})
    }

    /// Resolves, with the reason, when this node may not answer for anything any more.
    fn stopped(&self) -> Wait<'_, String> {
        Box::pin(std::future::pending())
    }
}

/// Why a member does not do what an operator asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub reason: String,
}

/// Something that takes a while.
pub type Wait<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How a member stands, for status, metrics and readiness.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    pub session: Session,
    /// For how long it answers if the coordination service stays away; zero: it does not answer.
    pub authority_left: Nanos,
    /// Shards of which it is the owner.
    pub shards_owned: u32,
    /// Of those, the ones that it decides for.
    pub shards_answering: u32,
    /// Shards of which it is the owner and another node has a copy in sync.
    pub shards_in_sync: u32,
    /// Shards of which it has a copy in sync.
    pub shards_followed: u32,
    /// Shards of which it is to have a copy that is not in sync yet.
    pub shards_learning: u32,
    /// Values of policies that cannot be used.
    pub broken: Vec<BrokenPolicy>,
    /// What is wrong, a sentence each.
    pub troubles: Vec<String>,
}

impl Standing {
    /// # Errors
    /// Why the node is of no use to a client now.
    pub(crate) fn ready(&self) -> Result<(), String> {
        if self.session == Session::Lost {
            return Err("this node has no session with its cluster".to_owned());
        }
        if self.shards_answering < self.shards_owned {
            return Err(format!("{} of {} shards are answered for", self.shards_answering, self.shards_owned));
        }
        Ok(())
    }
}

/// The session with the coordination service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Session {
    Held,
    #[default]
    Lost,
}

/// A policy whose value cannot be used; the last good one is in force, if there was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenPolicy {
    pub key: String,
    pub reason: String,
    pub since_revision: u64,
}

impl std::fmt::Debug for ClusterOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterOptions").field("cluster", &self.cluster.name).finish_non_exhaustive()
    }
}
