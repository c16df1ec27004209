//! Counts of what the host did. Counters only rise; they are added to once per batch.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use drl_core::{Nanos, NodeId};
use drl_engine::replication::Rejections;
use drl_limits::{Decision, Reason};

/// A reading of everything a host counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    pub admitted: u64,
    pub denied: u64,
    /// Checks of clients that no policy covers, whatever was answered.
    pub unknown_client: u64,
    /// Checks that a policy in shadow mode would have denied.
    pub shadow_denied: u64,
    /// Checks that were refused because the open frame was full.
    pub refused: u64,
    pub frames: u64,
    pub frame_rows: u64,
    pub frame_bytes: u64,
    /// Bytes of the journal behind the last checkpoint.
    pub journal_bytes: u64,
    /// Rows that wait for their commit.
    pub rows_pending: u64,
    /// How long the last commit took, from sealing to journalled.
    pub commit_time: Nanos,
    /// Age of what waits for its commit; zero when nothing does.
    pub journal_lag: Nanos,
    pub counters: u64,
    /// The most that a shard has answered ahead of its acknowledgement, in class `async`: what its loss may admit too much.
    pub unacked_cost: u64,
    /// How far other nodes are behind that have copies of this one's shards, or did: frames without acknowledgement, and the age of the
    /// oldest. By node: the worst of its lifetimes.
    pub lags: BTreeMap<NodeId, (u64, Nanos)>,
    /// What other nodes sent and was not taken.
    pub rejections: Rejections,
    pub checkpoints: u64,
    /// Why counters were given up at the last start; empty when the journal was whole.
    pub doubts: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Counts {
    admitted: AtomicU64,
    denied: AtomicU64,
    unknown_client: AtomicU64,
    shadow_denied: AtomicU64,
    refused: AtomicU64,
    pub(crate) frames: AtomicU64,
    pub(crate) frame_rows: AtomicU64,
    pub(crate) frame_bytes: AtomicU64,
    pub(crate) commit_nanos: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
}

impl Counts {
    pub(crate) fn decided<'a>(&self, decisions: impl Iterator<Item = &'a Decision>) {
        let (mut admitted, mut denied, mut unknown, mut shadow) = (0, 0, 0, 0);
        for decision in decisions {
            match decision.reason {
                Reason::UnknownClient => unknown += 1,
                Reason::Shadow => shadow += 1,
                _ => {}
            }
            if decision.allowed {
                admitted += 1;
            } else {
                denied += 1;
            }
        }
        for (count, by) in [
            (&self.admitted, admitted),
            (&self.denied, denied),
            (&self.unknown_client, unknown),
            (&self.shadow_denied, shadow),
        ] {
            if by > 0 {
                count.fetch_add(by, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn refused(&self, checks: usize) {
        self.refused.fetch_add(checks as u64, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Stats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats {
            admitted: read(&self.admitted),
            denied: read(&self.denied),
            unknown_client: read(&self.unknown_client),
            shadow_denied: read(&self.shadow_denied),
            refused: read(&self.refused),
            frames: read(&self.frames),
            frame_rows: read(&self.frame_rows),
            frame_bytes: read(&self.frame_bytes),
            commit_time: Nanos(read(&self.commit_nanos)),
            checkpoints: read(&self.checkpoints),
            ..Stats::default()
        }
    }
}
