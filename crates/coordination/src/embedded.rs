//! Coordination inside one process: for a node that stands alone, for several nodes in one process, and for tests. Nothing is written
//! to disk, and several machines need etcd.
//!
//! Invariant: what a caller can tell is what etcd would do; one suite of claims runs on both. It can also fail on demand, as etcd does
//! when it must: a call that fails, one whose outcome is unknown, a node that is cut off, a compaction, a lease that expires.

mod faults;
mod history;
mod leases;
mod state;
mod watching;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use drl_core::Nanos;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

pub use self::faults::Failure;
use self::faults::Faults;
use self::state::State;
use crate::{
    Answer, ClusterId, Coordination, Fault, Grant, Key, LeaseId, Listing, Outcome, Prefix, Renewal, Revision, Seen,
    Ttl, Txn, TxnError, Watch, WatchOptions,
};

/// How often leases are looked at when a clock drives them: a fraction of the shortest time to live.
const EXPIRY_PACE: Duration = Duration::from_millis(100);

/// One node's way to a store that lives in this process. [`Embedded::node`] makes another; what fails for one does not for others.
#[derive(Debug, Clone)]
pub struct Embedded {
    shared: Arc<Shared>,
    faults: Arc<Faults>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The newest revision, for watches that wait for it.
    revision: watch::Sender<Revision>,
}

impl Embedded {
    /// An empty store. Time passes when [`Embedded::advance`] says so.
    #[must_use]
    pub fn new(cluster: ClusterId) -> Self {
        let state = State::new(cluster);
        let (revision, _) = watch::channel(state.revision());
        Self { shared: Arc::new(Shared { state: Mutex::new(state), revision }), faults: Arc::default() }
    }

    /// An empty store whose leases go by `clock`. Call it in a tokio runtime; its task ends with the last handle.
    #[must_use]
    pub fn with_clock(cluster: ClusterId, clock: fn() -> Nanos) -> Self {
        let embedded = Self::new(cluster);
        tokio::spawn(expire_by(Arc::downgrade(&embedded.shared), clock));
        embedded
    }

    /// Another node's way to the same store.
    #[must_use]
    pub fn node(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), faults: Arc::default() }
    }

    /// Lets time pass. Leases expire.
    pub fn advance(&self, span: Nanos) {
        self.shared.change(|state| state.advance(span));
    }

    /// Ends a lease, as if its time to live had passed.
    pub fn expire(&self, lease: LeaseId) {
        self.shared.change(|state| {
            state.revoke(lease);
        });
    }

    /// Forgets every change up to now. Watches that have not caught up get a snapshot.
    pub fn compact(&self) {
        self.shared.state().compact();
    }

    /// Makes this node's next transaction, grant, renewal, revocation or listing fail. Several wait for their turn.
    pub fn fail_next(&self, failure: Failure) {
        self.faults.plan(failure);
    }

    /// Cuts this node off: every call fails, and watches stand still.
    pub fn cut(&self) {
        self.faults.cut();
    }

    /// Ends [`Embedded::cut`].
    pub fn heal(&self) {
        self.faults.heal();
    }

    /// Runs a call that changes something, unless it is to fail.
    fn call<T>(&self, run: impl FnOnce(&mut State) -> T) -> Result<T, TxnError> {
        match self.faults.next() {
            None => Ok(self.shared.change(run)),
            Some(Failure::Unavailable) => Err(TxnError::Unavailable(faults::unreachable())),
            Some(Failure::UnknownLost) => Err(TxnError::Unknown(faults::unanswered())),
            Some(Failure::UnknownDone) => {
                self.shared.change(run);
                Err(TxnError::Unknown(faults::unanswered()))
            }
        }
    }
}

impl Coordination for Embedded {
    fn transact(&self, txn: Txn, _within: Duration) -> Answer<'_, Result<Outcome, TxnError>> {
        Box::pin(async move {
            txn.check()?;
            self.call(|state| state.transact(&txn))?.ok_or(TxnError::LeaseGone)
        })
    }

    fn list(&self, prefix: Prefix, _within: Duration) -> Answer<'_, Result<Listing, Fault>> {
        Box::pin(async move { self.call(|state| state.list(&prefix)).map_err(TxnError::into_fault) })
    }

    fn page(
        &self,
        prefix: Prefix,
        after: Option<Key>,
        size: usize,
        _within: Duration,
    ) -> Answer<'_, Result<Listing, Fault>> {
        Box::pin(
            async move { self.call(|state| state.page(&prefix, after.as_ref(), size)).map_err(TxnError::into_fault) },
        )
    }

    fn watch(&self, prefix: Prefix, options: WatchOptions) -> Watch {
        let (writer, watch) = Watch::channel();
        tokio::spawn(watching::run(self.clone(), prefix, options, writer));
        watch
    }

    fn grant(&self, ttl: Ttl, _within: Duration) -> Answer<'_, Result<Grant, Fault>> {
        Box::pin(async move { self.call(|state| state.grant(ttl)).map_err(TxnError::into_fault) })
    }

    fn renew(&self, lease: LeaseId, _within: Duration) -> Answer<'_, Result<Renewal, Fault>> {
        Box::pin(async move { self.call(|state| state.renew(lease)).map_err(TxnError::into_fault) })
    }

    fn revoke(&self, lease: LeaseId, _within: Duration) -> Answer<'_, Result<(), Fault>> {
        Box::pin(async move { self.call(|state| state.revoke(lease)).map_err(TxnError::into_fault) })
    }

    fn seen(&self) -> Option<Seen> {
        let header = self.shared.state().header();
        Some(Seen { cluster: header.cluster, revision: header.revision })
    }
}

impl Shared {
    /// A panic of another thread leaves the state whole: every change of it is made by code that does not panic midway.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and tells the watches.
    fn change<T>(&self, run: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let answer = run(&mut state);
        let revision = state.revision();
        drop(state);
        self.revision.send_if_modified(|now| {
            let is_new = revision > *now;
            *now = revision.max(*now);
            is_new
        });
        answer
    }
}

/// Lets the clock's time pass until the store is gone.
async fn expire_by(shared: Weak<Shared>, clock: fn() -> Nanos) {
    let mut ticks = tokio::time::interval(EXPIRY_PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = clock();
    loop {
        ticks.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        let now = clock();
        shared.change(|state| state.advance(Nanos(now.0.saturating_sub(last.0))));
        last = now;
    }
}
