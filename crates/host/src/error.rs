//! What can go wrong, one struct or variant for each condition.

use std::sync::Arc;

use drl_core::caps::{BATCH_CHECKS_MAX, FRAME_ROWS_MAX};
pub use drl_engine::Refusal as NotHere;
use drl_store::{RecoverError, WriteError};

/// The host has stopped; nothing more is decided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stopped: {reason}")]
pub struct Stopped {
    pub reason: Arc<str>,
}

/// A batch was not decided; nothing was charged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("busy: {FRAME_ROWS_MAX} counters wait for the journal; try again")]
    Busy,
    #[error("a batch holds at most {BATCH_CHECKS_MAX} checks, this one {checks}")]
    BatchTooLong { checks: usize },
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Answers that were decided and must not leave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReleased {
    /// Their frame was not committed: they may count as charged after a restart.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// This process may not answer for the shard any more; whether the charge counts is for its owner to say.
    #[error(transparent)]
    NotHere(#[from] NotHere),
}

/// A check got no decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The decision was made and may not leave.
    #[error(transparent)]
    NotReleased(#[from] NotReleased),
    /// Another node owns the shard, or nobody can answer for it now.
    #[error(transparent)]
    NotHere(#[from] NotHere),
}

impl CheckError {
    /// Whether the same check may succeed in a moment.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Refused(Refused::Busy) | Self::NotHere(_) | Self::NotReleased(NotReleased::NotHere(_)))
    }
}

/// A host could not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Recover(#[from] RecoverError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(
        "the data directory was made for {found} shards, not {wanted}: start with --shards {found}, or use another directory"
    )]
    OtherShardCount { found: u16, wanted: u16 },
    #[error(
        "the data directory belongs to cluster {cluster:?}: start with --etcd, or use another directory for a node that runs alone"
    )]
    OfCluster { cluster: String },
    #[error(
        "the data directory was made by a node that runs alone; its counters cannot join a cluster: start without --etcd, or use \
         another directory"
    )]
    OfNoCluster,
    #[error(
        "the data directory belongs to cluster {found:?}, not {wanted:?}: start with --cluster {found}, or use another directory"
    )]
    OtherCluster { found: String, wanted: String },
    #[error(
        "the data directory belongs to an earlier cluster {cluster:?} whose settings are gone from etcd: check --etcd, or use \
         another directory (its counters begin anew)"
    )]
    OtherIdentity { cluster: String },
    #[error(
        "the record {name:?} of the data directory is unreadable; restore the directory from a copy or start with an empty one"
    )]
    BadRecord { name: &'static str },
    #[error("cannot start the thread {name}: {reason}")]
    Thread { name: &'static str, reason: String },
}
