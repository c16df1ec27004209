//! Why there is no decision, and why there is no limiter.

use std::time::Duration;

use drl_core::caps::BATCH_CHECKS_MAX;
use drl_core::{InvalidClientId, InvalidCost, InvalidNamespace};

/// What was asked cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    #[error(transparent)]
    ClientId(#[from] InvalidClientId),
    #[error(transparent)]
    Namespace(#[from] InvalidNamespace),
    #[error(transparent)]
    Cost(#[from] InvalidCost),
    #[error("{count} checks are too many; ask for at most {BATCH_CHECKS_MAX} at once")]
    BatchTooLong { count: usize },
}

/// A check got no decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// Nothing was asked. It is the caller's to mend.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    /// The node does not take the request: it is of another version, or no drl node. Nothing was charged.
    #[error("rejected: {reason}")]
    Rejected { reason: String },
    /// Too much is under way. Nothing was charged; the same check may pass in a moment.
    #[error("busy: {reason}")]
    Busy { reason: String },
    /// Nobody can decide. The check may have been charged.
    #[error("unavailable: {reason}")]
    Unavailable { reason: String },
    /// Nobody decided in time. The check may have been charged.
    #[error("no decision within {within:?}: {reason}")]
    TimedOut { within: Duration, reason: String },
    /// The runtime in which the limiter was made has ended.
    #[error("the limiter's runtime has ended; make the limiter in a runtime that outlives it")]
    Closed,
}

impl CheckError {
    /// Whether the same check may get a decision in a moment.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::TimedOut { .. })
    }
}

/// There is no limiter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    #[error("no endpoint was given; give the HOST:PORT of one node or more")]
    NoEndpoint,
    #[error("{endpoint:?} is no endpoint; give HOST:PORT, a node's gRPC address")]
    InvalidEndpoint { endpoint: String },
    /// Each endpoint with what it said.
    #[error("no node told where the shards are within {within:?}: {reasons}")]
    Unreachable { within: Duration, reasons: String },
    #[error("connect inside a tokio runtime; without one use BlockingRateLimiter::connect")]
    NoRuntime,
    #[error("cannot start a runtime: {reason}")]
    Runtime { reason: String },
}
