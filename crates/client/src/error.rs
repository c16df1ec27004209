//! Why there is no decision.

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
}

/// A check got no decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    /// Too much is under way. Nothing was charged; the same check may pass in a moment.
    #[error("busy: {reason}")]
    Busy { reason: String },
    /// Nobody can decide. The check may have been charged.
    #[error("unavailable: {reason}")]
    Unavailable { reason: String },
}

impl CheckError {
    /// Whether the same check may get a decision in a moment.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }
}
