//! A node's session: its key in the store, under a lease that is kept alive. The key vanishes when the node is gone for longer than
//! the lease's time to live; that is how others notice. A session detects failures and gives no authority: that comes from
//! heartbeats alone, and from their outcome, never from a renewal.

mod keeper;
mod terms;

use std::sync::Arc;
use std::time::Duration;

use drl_core::Nanos;
use tokio::sync::watch;

pub use self::keeper::{Keeper, Liveness};
pub use self::terms::{Heartbeat, Terms};
use crate::{Coordination, Entry, Fault, Grant, LeaseId, Outcome, Txn, TxnError};

/// How often a claim with an unknown outcome is tried again. Each try reads who holds the key.
const CLAIMS_MAX: usize = 3;

/// A session that is held, as far as anyone knows.
pub struct Session {
    coordination: Arc<dyn Coordination>,
    terms: Terms,
    within: Duration,
    clock: fn() -> Nanos,
    keeper: Keeper,
}

/// What became of a heartbeat, and the moment before it was sent, by the session's clock. Authority counts from that moment.
#[derive(Debug)]
pub struct Beat {
    pub sent: Nanos,
    pub outcome: Result<Heartbeat, TxnError>,
}

/// Why a session could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process has the node id, or one that ended less than a time to live ago had it.
    #[error("node id in use: {} is held by another session", by.key)]
    InUse { by: Entry },
    #[error("the session's lease expired before its key was there")]
    LeaseGone,
    #[error("cannot open a session: {0}")]
    Fault(#[from] Fault),
}

impl Session {
    /// Puts the node's key under `grant`, provided that there is no such key, and keeps the lease alive from then on. The caller
    /// has stored the lease's id before, so that its next process can revoke it. `within` is for each call; `clock` stamps heartbeats.
    ///
    /// # Errors
    /// [`OpenError`]. After a [`Fault`] the claim may still happen: revoke the lease before another one is tried.
    pub async fn open(
        coordination: Arc<dyn Coordination>,
        terms: Terms,
        grant: Grant,
        within: Duration,
        clock: fn() -> Nanos,
    ) -> Result<Self, OpenError> {
        let claim = terms.claim(grant.lease, None);
        settle_claim(&*coordination, &terms, grant.lease, &claim, within).await?;
        let keeper = Keeper::start(Arc::clone(&coordination), grant);
        Ok(Self { coordination, terms, within, clock, keeper })
    }

    /// The lease that the node's key is under.
    #[must_use]
    pub const fn lease(&self) -> LeaseId {
        self.keeper.lease()
    }

    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What the renewals say, as it changes. A hint.
    #[must_use]
    pub fn liveness(&self) -> watch::Receiver<Liveness> {
        self.keeper.liveness()
    }

    /// Proves that this session holds its key, with a put, so that no member which is behind can say so.
    pub async fn heartbeat(&self, value: Vec<u8>) -> Beat {
        let sent = (self.clock)();
        let answer = self.coordination.transact(self.terms.heartbeat(self.lease(), value), self.within).await;
        Beat { sent, outcome: answer.map(|outcome| self.terms.judge(&outcome)) }
    }

    /// Puts the key back under a new lease, provided that it is absent, and beats in the same transaction. Whoever finds
    /// [`Heartbeat::KeyAbsent`] does this; it counts as a heartbeat that was sent at the moment returned.
    ///
    /// # Errors
    /// [`OpenError`]; the session is what it was before. After a [`Fault`] the claim may still happen: revoke the lease before
    /// another one is tried.
    pub async fn recreate(&mut self, grant: Grant, value: Vec<u8>) -> Result<Nanos, OpenError> {
        let sent = (self.clock)();
        let claim = self.terms.claim(grant.lease, Some(value));
        settle_claim(&*self.coordination, &self.terms, grant.lease, &claim, self.within).await?;
        self.keeper = Keeper::start(Arc::clone(&self.coordination), grant);
        Ok(sent)
    }

    /// Changes what the node's key says, while this session holds it.
    ///
    /// # Errors
    /// As of a transaction; when the outcome is unknown the new value is what a [`Session::recreate`] puts.
    pub async fn publish(&mut self, value: Vec<u8>) -> Result<Heartbeat, TxnError> {
        self.terms.value = value;
        let outcome = self.coordination.transact(self.terms.publish(self.lease()), self.within).await?;
        Ok(self.terms.judge(&outcome))
    }

    /// Revokes the lease; the key is gone at once.
    ///
    /// # Errors
    /// The [`Fault`]; then the key stays for at most the time to live.
    pub async fn close(self) -> Result<(), Fault> {
        let Self { coordination, keeper, within, .. } = self;
        let lease = keeper.lease();
        drop(keeper);
        coordination.revoke(lease, within).await
    }
}

/// Claims the key. A try whose outcome is unknown is made again: what it finds says what became of the one before.
async fn settle_claim(
    coordination: &dyn Coordination,
    terms: &Terms,
    lease: LeaseId,
    claim: &Txn,
    within: Duration,
) -> Result<(), OpenError> {
    let mut last = Fault::NoAnswer { within };
    for _ in 0..CLAIMS_MAX {
        match coordination.transact(claim.clone(), within).await {
            Ok(Outcome::Committed(_)) => return Ok(()),
            Ok(outcome @ Outcome::Refused(_)) => match terms.judge(&outcome) {
                Heartbeat::OtherLease { by } if by.lease != Some(lease) => return Err(OpenError::InUse { by }),
                // An earlier try did happen, or the key vanished since it was compared.
                Heartbeat::OtherLease { .. } => return Ok(()),
                Heartbeat::Held { .. } | Heartbeat::KeyAbsent { .. } => {}
            },
            Err(TxnError::LeaseGone) => return Err(OpenError::LeaseGone),
            Err(TxnError::Unknown(fault)) => last = fault,
            Err(error) => return Err(error.into_fault().into()),
        }
    }
    Err(last.into())
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("key", &self.terms.key).field("lease", &self.lease()).finish_non_exhaustive()
    }
}
