//! The layout of the store: which key holds what. Built and parsed here and nowhere else.
//!
//! ```text
//! /drl/{cluster}/settings
//! /drl/{cluster}/nodes/{node_id}                        under the node's session
//! /drl/{cluster}/heartbeats/{node_id}                   outlives the session
//! /drl/{cluster}/shards/{shard}                         decimal, no leading zeros
//! /drl/{cluster}/limits                                 the milestone, without a value
//! /drl/{cluster}/limits/{namespace}/default
//! /drl/{cluster}/limits/{namespace}/clients/{client_id}
//! /drl/{cluster}/limits/{namespace}/prefixes/{prefix}
//! ```
//!
//! People type these keys. Ids of clients are bytes, so what could not be typed or read is escaped (`escape.rs`). Invariant: each thing has
//! exactly one key; a key that spells it in another way is refused, and told the right one.

mod cluster;
mod escape;
mod parse;

use drl_core::{Namespace, NodeId, ShardId};

pub use self::cluster::{ClusterName, InvalidClusterName};
pub use self::parse::InvalidKey;
use crate::{Key, Prefix};

/// The keys of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// `/drl/{cluster}/`.
    root: String,
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Settings,
    Node(NodeId),
    Heartbeat(NodeId),
    Shard(ShardId),
    Limit(LimitPlace),
}

/// Whose policy a key holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LimitPlace {
    /// A valid [`Namespace`].
    pub namespace: String,
    pub whom: Whom,
}

/// Whom a policy is for, within its namespace. Ids and prefixes are 1 to 256 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whom {
    Default,
    Prefix(Vec<u8>),
    Client(Vec<u8>),
}

impl Keys {
    #[must_use]
    pub fn new(cluster: &ClusterName) -> Self {
        Self { root: format!("/drl/{cluster}/") }
    }

    /// Every key of the cluster.
    #[must_use]
    pub fn all(&self) -> Prefix {
        Prefix::from(self.root.as_str())
    }

    #[must_use]
    pub fn settings(&self) -> Key {
        self.key("settings")
    }

    /// Every node's key.
    #[must_use]
    pub fn nodes(&self) -> Prefix {
        self.prefix("nodes/")
    }

    #[must_use]
    pub fn node(&self, node: &NodeId) -> Key {
        self.key(&format!("nodes/{node}"))
    }

    /// Every node's heartbeat.
    #[must_use]
    pub fn heartbeats(&self) -> Prefix {
        self.prefix("heartbeats/")
    }

    #[must_use]
    pub fn heartbeat(&self, node: &NodeId) -> Key {
        self.key(&format!("heartbeats/{node}"))
    }

    /// Every ownership record.
    #[must_use]
    pub fn shards(&self) -> Prefix {
        self.prefix("shards/")
    }

    #[must_use]
    pub fn shard(&self, shard: ShardId) -> Key {
        self.key(&format!("shards/{shard}"))
    }

    /// Every policy of every namespace.
    #[must_use]
    pub fn limits(&self) -> Prefix {
        self.prefix("limits/")
    }

    /// Written by whoever wants to know how far he has followed the policies. It is no policy, and lies beside them so that one watch can
    /// have both.
    #[must_use]
    pub fn milestone(&self) -> Key {
        self.key("limits")
    }

    /// Every policy of every namespace, and the milestone.
    #[must_use]
    pub fn limits_and_milestone(&self) -> Prefix {
        self.prefix("limits")
    }

    /// Every policy of one namespace.
    #[must_use]
    pub fn limits_of(&self, namespace: Namespace<'_>) -> Prefix {
        self.prefix(&format!("limits/{namespace}/"))
    }

    #[must_use]
    pub fn limit(&self, namespace: Namespace<'_>, whom: &Whom) -> Key {
        match whom {
            Whom::Default => self.key(&format!("limits/{namespace}/default")),
            Whom::Client(id) => self.key(&format!("limits/{namespace}/clients/{}", escape::escaped(id))),
            Whom::Prefix(prefix) => self.key(&format!("limits/{namespace}/prefixes/{}", escape::escaped(prefix))),
        }
    }

    /// What `key` holds.
    ///
    /// # Errors
    /// [`InvalidKey`]: it is not one of this cluster's keys, or not the way to write it.
    pub fn parse(&self, key: &Key) -> Result<Place, InvalidKey> {
        parse::parse(self, key)
    }

    fn key(&self, rest: &str) -> Key {
        Key::from(format!("{}{rest}", self.root))
    }

    fn prefix(&self, rest: &str) -> Prefix {
        Prefix::from(format!("{}{rest}", self.root))
    }
}

#[cfg(test)]
mod tests;
