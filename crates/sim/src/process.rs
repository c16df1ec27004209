//! One process: the real agent and the real ledger, and what their driver remembers. All of it is gone after a crash; what lasts is
//! in the machine's disk.

use std::collections::{BTreeSet, VecDeque};

use drl_core::{CommitNo, Epoch, NodeId, Seq, ShardId};
use drl_engine::Ledger;
use drl_engine::ownership::{Fact, LeaseId, NodeAgent, Token};

use crate::clock::Clock;
use crate::disk::Disk;
use crate::plant::Plant;
use crate::trace::Decided;

/// A machine: what outlives its processes.
#[derive(Debug)]
pub(crate) struct Machine {
    pub id: NodeId,
    pub clock: Clock,
    pub disk: Disk,
    /// A copy of the directory as it was before the last start.
    pub copy: Option<Disk>,
    pub process: Option<Box<Process>>,
    /// Processes that were started here; an event for an earlier one finds nobody.
    pub runs: u64,
    /// Never comes back.
    pub is_gone: bool,
    /// Until when nothing gets to etcd, and nothing from it.
    pub cut_to_etcd: u64,
    pub cut_from_etcd: u64,
    /// The revision of the policies that this machine has heard of.
    pub policies: u64,
    /// The next write fails, and every other one before that moment.
    pub disk_fails_until: Option<u64>,
    /// Until when it hears nobody, neither etcd nor other nodes; what it says arrives.
    pub deaf_until: u64,
    /// Until when it talks to a member of etcd that has lost the others.
    pub stale_until: u64,
}

/// The volatile part.
pub(crate) struct Process {
    pub run: u64,
    pub started: u64,
    pub agent: NodeAgent<Plant>,
    pub ledger: Ledger<Plant>,
    /// Nothing happens before that.
    pub paused_until: u64,
    /// The frame that is being written, and where each shard stands with it.
    pub committing: Option<Vec<u8>>,
    pub positions: Vec<(Epoch, Seq)>,
    /// Answers that wait for a commit.
    pub waiting: VecDeque<(CommitNo, Decided)>,
    /// Floors that wait for a commit.
    pub floors: Vec<(CommitNo, ShardId, Epoch)>,
    /// Facts on their way to the disk, in order.
    pub persisting: VecDeque<(Token, Vec<Fact>)>,
    pub persisted_by: u64,
    /// Requests to etcd without an answer.
    pub outstanding: BTreeSet<Token>,
    /// The lease that is kept alive.
    pub lease: Option<LeaseId>,
    pub watching: bool,
    /// Shards that are frozen for their last frame to be acknowledged.
    pub flushing: BTreeSet<ShardId>,
    /// The watch delivers in order: nothing before that.
    pub watched_until: u64,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("run", &self.run).finish_non_exhaustive()
    }
}

impl Machine {
    /// Whether requests reach etcd now, and answers come back.
    #[must_use]
    pub(crate) const fn reaches_etcd(&self, now: u64) -> bool {
        self.cut_to_etcd <= now && self.stale_until <= now
    }

    #[must_use]
    pub(crate) const fn hears_etcd(&self, now: u64) -> bool {
        self.cut_from_etcd <= now && self.deaf_until <= now
    }

    /// The process of this run, if it still lives.
    pub(crate) fn process(&mut self, run: u64) -> Option<&mut Process> {
        self.process.as_deref_mut().filter(|process| process.run == run)
    }
}
