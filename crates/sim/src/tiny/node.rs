//! One node of the tiny world: the real agent and the real ledger, and a disk.

use std::collections::VecDeque;

use drl_core::{CommitNo, Epoch, Nanos, NodeId, ShardTime};
use drl_engine::Ledger;
use drl_engine::ownership::{BootId, Fact, Holder, Moment, NodeAgent, Token};

use crate::disk::Disk;
use crate::plant::Plant;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) disk: Disk,
    /// `None` while it is down.
    pub(crate) running: Option<Running>,
}

/// The volatile part.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) agent: NodeAgent<Plant>,
    pub(crate) ledger: Ledger<Plant>,
    pub(crate) committing: Option<Vec<u8>>,
    pub(crate) persisting: VecDeque<(Token, Vec<Fact>)>,
    pub(crate) waiting: Vec<Waiting>,
}

/// An admission that was not answered yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) commit: CommitNo,
    pub(crate) epoch: Epoch,
    pub(crate) at: ShardTime,
}

impl Node {
    pub(crate) fn holder(&self) -> Option<Holder> {
        let running = self.running.as_ref()?;
        Some(Holder { node: self.id.clone(), generation: running.agent.generation() })
    }
}

/// All machines show the same time.
pub(crate) const fn moment(now: Nanos) -> Moment {
    Moment { boot: BootId(1), boottime: now, wall: ShardTime(now.0) }
}
