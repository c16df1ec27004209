//! Why a call failed. A [`Fault`] says why, and what to do about it; [`TxnError`] adds the question that matters for a transaction:
//! may it have happened?

use std::time::Duration;

use drl_core::caps::LISTING_KEYS_MAX;

use crate::{ClusterId, InvalidTxn, Prefix, Revision, Seen};

/// Why the store gave no answer, or one that must not be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("etcd cannot be reached at {endpoint} ({reason}); is it running, and is this its client URL?")]
    Unreachable { endpoint: String, reason: String },
    #[error("no answer within {within:?}")]
    NoAnswer { within: Duration },
    #[error("the etcd member at {endpoint} knows no leader; most members are down, or it is cut off from them")]
    NoLeader { endpoint: String },
    #[error(
        "etcd is out of space (alarm NOSPACE): compact and defragment it, or raise its --quota-backend-bytes; then \
         `etcdctl alarm disarm`"
    )]
    NoSpace,
    #[error(
        "etcd at {endpoint} asks for a password: give --etcd-user NAME:PASSWORD, or a client certificate with --etcd-cert and \
         --etcd-key"
    )]
    PasswordRequired { endpoint: String },
    #[error("etcd does not know user {user} with this password (--etcd-user)")]
    WrongPassword { user: String },
    #[error("etcd does not permit {user}: grant readwrite on the prefix /drl/ to a role of that user")]
    NotPermitted { user: String },
    #[error("{endpoint} answers, but not as etcd ({reason}); is this the client URL of an etcd 3.4 or later?")]
    NotEtcd { endpoint: String, reason: String },
    #[error(
        "this is another etcd cluster (id {found}) than the one seen before (id {}): check --etcd; if the old one is gone, start over \
         with another --cluster and empty data directories (every client then begins with its full limit)", seen.cluster
    )]
    OtherCluster { seen: Seen, found: ClusterId },
    #[error(
        "etcd went back from revision {} to {found}: an older backup was restored, and nothing in it can be believed. Stop all nodes \
         and give etcd its newest data back, or start over with another --cluster and empty data directories (every client then begins \
         with its full limit)", seen.revision
    )]
    Rewound { seen: Seen, found: Revision },
    #[error("more than {LISTING_KEYS_MAX} keys start with {prefix}")]
    TooManyKeys { prefix: Prefix },
    #[error("etcd refused: {reason}")]
    Refused { reason: String },
    #[error("the answer makes no sense: {reason}")]
    Garbled { reason: String },
}

/// Why a transaction gave no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TxnError {
    /// It may have happened, and may happen yet. Settle it with [`crate::Txn::settle`] before anything is built on either.
    #[error("the outcome is unknown: {0}")]
    Unknown(Fault),
    /// It did not happen and will not.
    #[error("nothing was changed: {0}")]
    Unavailable(Fault),
    /// A put names a lease that is gone. It did not happen.
    #[error("nothing was changed: the lease is gone")]
    LeaseGone,
    /// It was not sent.
    #[error("not a possible transaction: {0}")]
    Invalid(#[from] InvalidTxn),
}

impl Fault {
    /// Whether time alone may cure it. The others wait for an operator.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NoAnswer { .. } | Self::NoLeader { .. } | Self::Garbled { .. } => true,
            Self::NoSpace
            | Self::PasswordRequired { .. }
            | Self::WrongPassword { .. }
            | Self::NotPermitted { .. }
            | Self::NotEtcd { .. }
            | Self::OtherCluster { .. }
            | Self::Rewound { .. }
            | Self::TooManyKeys { .. }
            | Self::Refused { .. } => false,
        }
    }

    /// Whether this store must not be believed any more: every role is to be dropped.
    #[must_use]
    pub const fn is_distrust(&self) -> bool {
        matches!(self, Self::OtherCluster { .. } | Self::Rewound { .. })
    }
}

impl TxnError {
    /// Whether time alone may cure it. An unknown outcome is to be resolved first.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unknown(fault) | Self::Unavailable(fault) => fault.is_retryable(),
            Self::LeaseGone | Self::Invalid(_) => false,
        }
    }

    /// The fault alone, for a call that changes nothing.
    #[must_use]
    pub fn into_fault(self) -> Fault {
        match self {
            Self::Unknown(fault) | Self::Unavailable(fault) => fault,
            Self::LeaseGone => Fault::Refused { reason: "the lease is gone".to_owned() },
            Self::Invalid(invalid) => Fault::Refused { reason: invalid.to_string() },
        }
    }
}
