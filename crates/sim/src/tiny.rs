//! A world so small that everything that can happen in it is tried: three nodes, one shard, one client with a limit of one, two windows. It
//! drives the same engine and the same models of etcd and of disks as [`World`](crate::World), but nothing is drawn: whatever can
//! happen next is an [`Act`], and a model checker takes every one of them (`tests/tiny.rs`).
//!
//! Not here, because time stands still between two windows: deadlines, cold take-overs, retries of what etcd did not answer.

mod acting;
mod carrying;
mod node;
mod starting;

use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use drl_core::{Epoch, Generation, KeyHash, Nanos, ShardId};
use drl_engine::ownership::{Event, LeaseId, Token, Transaction, View};
use drl_engine::replication::Letter;
use drl_limits::Policy;

use crate::etcd::Etcd;
use crate::plant::Plant;
use node::Node;

pub(crate) const SHARD: ShardId = ShardId::new(0);

/// The limit of the only client.
pub const LIMIT: u64 = 1;

/// Something that can happen next. Nodes are 0 to 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// The first message on a link arrives.
    Deliver(Link),
    /// A connection between two nodes is reset: what was on it is lost.
    Reset(usize, usize),
    Persisted(usize),
    Committed(usize),
    /// The client asks this node.
    Ask(usize),
    /// What a node does now and then.
    Tick(usize),
    /// The first node thinks that the second is gone, rightly or not.
    Suspect(usize, usize),
    Crash(usize),
    /// With the loss of the disk.
    Wipe(usize),
    LeaseEnds(usize),
    Restart(usize),
    Drain(usize),
    NextWindow,
}

/// Where messages keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    Letters(usize, usize),
    ToEtcd(usize),
    FromEtcd(usize),
    Watch(usize),
}

/// How often things may happen that need not happen at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    pub asks: u8,
    pub resets: u8,
    pub ticks: u8,
    pub suspicions: u8,
    pub crashes: u8,
    pub wipes: u8,
    pub drains: u8,
    pub windows: u8,
}

#[derive(Debug, Clone)]
pub(crate) enum Wire {
    Letter(Letter),
    Grant(Token),
    Revoke(Token, LeaseId),
    Transact(Token, Transaction),
    Event(Box<Event>),
    View(Box<View>),
}

/// Everything there is.
#[derive(Debug, Clone)]
pub struct Tiny {
    pub(crate) plant: Plant,
    pub(crate) nodes: Vec<Node>,
    pub(crate) etcd: Etcd,
    pub(crate) links: BTreeMap<Link, VecDeque<Wire>>,
    pub(crate) budget: Budget,
    pub(crate) now: Nanos,
    pub(crate) generations: u64,
    pub(crate) key: KeyHash,
    pub(crate) policy: Arc<Policy>,
    /// What was admitted and answered, by window.
    pub(crate) answered: BTreeMap<u64, u64>,
    /// Who decided under which epoch.
    pub(crate) owners: BTreeMap<Epoch, Generation>,
    pub(crate) violation: Option<String>,
    digest: u64,
}

impl Tiny {
    /// What is wrong, if anything.
    #[must_use]
    pub fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    /// The world after `act`.
    #[must_use]
    pub fn after(&self, act: Act) -> Self {
        let mut next = self.clone();
        next.act(act);
        next.seal();
        next
    }

    /// Whether the only shard has a follower in sync.
    #[must_use]
    pub fn is_in_sync(&self) -> bool {
        self.etcd.record(SHARD).is_some_and(|versioned| versioned.record.in_sync)
    }

    /// The epoch of the only shard.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.etcd.record(SHARD).map_or(Epoch(0), |versioned| versioned.record.epoch)
    }

    /// Takes the digest by which two worlds are the same.
    pub(crate) fn seal(&mut self) {
        self.digest = 0;
        let mut hasher = std::hash::DefaultHasher::new();
        format!("{self:?}").hash(&mut hasher);
        self.digest = hasher.finish();
    }
}

impl PartialEq for Tiny {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Tiny {}

impl Hash for Tiny {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.digest);
    }
}
