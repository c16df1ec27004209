//! Why a policy was not changed or shown, and what to do about it.

use drl_configuration::{InvalidPolicyDocument, InvalidSelector};
use drl_coordination::{Fault, Key, TxnError};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Nothing was sent.
    #[error("{0}")]
    Document(#[from] InvalidPolicyDocument),
    /// Nothing was sent.
    #[error(transparent)]
    Selector(#[from] InvalidSelector),
    #[error("there is no policy for {selector} in namespace {namespace}")]
    NotFound { namespace: String, selector: String },
    /// What is there is not known; nothing was changed.
    #[error("{0}")]
    Unread(Fault),
    /// The store did not take it; nothing was changed.
    #[error("{0}")]
    NotChanged(TxnError),
    #[error("{key} is changed by others all the time, and nothing was changed here; try again")]
    Contended { key: Key },
    #[error(
        "it is not known whether {key} was changed ({fault}); once etcd answers, look at the policy and set it again if it is \
         not what it should be"
    )]
    Unsettled { key: Key, fault: Fault },
    #[error(
        "{key} was changed by somebody else at the same time (revision {revision}); look at the policy and set it again if yours \
         is to stand"
    )]
    Overtaken { key: Key, revision: u64 },
}

impl EditError {
    /// Whether the same change may succeed later without anybody doing anything. It is safe to send again only when nothing was changed,
    /// so an unknown outcome is none of these.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unread(fault) => fault.is_retryable(),
            Self::NotChanged(error) => error.is_retryable(),
            Self::Contended { .. } => true,
            Self::Document(_)
            | Self::Selector(_)
            | Self::NotFound { .. }
            | Self::Unsettled { .. }
            | Self::Overtaken { .. } => false,
        }
    }
}
