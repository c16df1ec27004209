//! The handle: decides, and says when answers may leave. Cheap to clone; when the last one is dropped the threads end.

mod changing;
mod deciding;
mod replicating;

use std::sync::{Arc, Condvar, Mutex};

use drl_configuration::ConfigurationService;
use drl_core::{CommitNo, LimitKey, Nanos, ShardId};
use drl_engine::Outcome;
use drl_store::Store;

use crate::error::{OpenError, Stopped};
use crate::inner::{Committer, Inner, Phase, State};
use crate::noted::Noted;
use crate::options::{Cluster, HostOptions};
use crate::ownership::Ownership;
use crate::progress::Progress;
use crate::signals::Signals;
use crate::stats::{Counts, Stats};
use crate::stopper::Stopper;
use crate::threads::Threads;
use crate::{clock, committer, recovery};

/// A running host.
#[derive(Clone)]
pub struct Host {
    pub(crate) inner: Arc<Inner>,
    /// Held for its drop.
    _threads: Arc<Threads>,
}

impl Host {
    /// Recovers what `store` holds and starts the threads.
    ///
    /// # Errors
    /// [`OpenError`] when the store cannot be read or written, or belongs to another configuration.
    pub fn open(
        store: Arc<dyn Store>,
        configuration: Arc<dyn ConfigurationService>,
        options: HostOptions,
    ) -> Result<Self, OpenError> {
        let recovered = recovery::alone(&*store, &options)?;
        Self::start(recovered, store, configuration, options, None)
    }

    /// Whether the directory is that of a node that stands alone, or a new one.
    ///
    /// # Errors
    /// [`OpenError::OfCluster`] when it is a member's, and as [`Host::open`].
    pub fn check_alone(store: &dyn Store) -> Result<(), OpenError> {
        recovery::check_alone(store)
    }

    /// Recovers what `store` holds, as a member of `cluster`: it answers for the shards that the [`Ownership`] gives it.
    ///
    /// # Errors
    /// As [`Host::open`].
    pub fn open_member(
        store: Arc<dyn Store>,
        configuration: Arc<dyn ConfigurationService>,
        options: HostOptions,
        cluster: &Cluster,
    ) -> Result<(Self, Ownership), OpenError> {
        // A door that stands still in a slow write hears no other node meanwhile, and is taken over from although it lives.
        let options = HostOptions { doors: None, ..options };
        let (recovered, found) = recovery::member(&*store, &options, cluster)?;
        let (signals, heard, letters) = Signals::channel();
        let host = Self::start(recovered, store, configuration, options, Some(signals))?;
        let ownership = Ownership::new(Arc::clone(&host.inner), found, heard, letters);
        Ok((host, ownership))
    }

    fn start(
        recovered: recovery::Recovered,
        store: Arc<dyn Store>,
        configuration: Arc<dyn ConfigurationService>,
        options: HostOptions,
        signals: Option<Signals>,
    ) -> Result<Self, OpenError> {
        let recovery::Recovered { ledger, committed, identity, doubts } = recovered;
        let noted = if signals.is_some() { Noted::of(options.shards) } else { Noted::none() };
        let state = State {
            ledger,
            noted,
            phase: Phase::Serving,
            committer: Committer::Busy,
            sheet: Vec::new(),
            open_since: None,
        };
        let inner = Arc::new(Inner {
            state: Mutex::new(state),
            work: Condvar::new(),
            store,
            configuration,
            identity,
            signals,
            progress: Progress::new(committed),
            counts: Counts::default(),
            doubts,
            options,
        });
        let threads = Threads::start(&inner)?;
        Ok(Self { inner, _threads: Arc::new(threads) })
    }

    /// Where the counter of a key is.
    #[must_use]
    pub fn shard_of(&self, key: LimitKey<'_>) -> ShardId {
        key.locate(&self.inner.identity, self.inner.shards()).0
    }

    /// # Errors
    /// [`Stopped`] with the reason once the host no longer decides.
    pub fn ready(&self) -> Result<(), Stopped> {
        self.inner.progress.stopped().map_or(Ok(()), Err)
    }

    /// Resolves when the host has stopped.
    pub async fn stopped(&self) -> Stopped {
        self.inner.progress.wait_stopped().await
    }

    /// What a writer beside the host, into the same store, tells it by that the store has stopped.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper::new(&self.inner)
    }

    /// Takes no more checks, commits what is open and marks the journal as cleanly closed.
    ///
    /// # Errors
    /// [`Stopped`] when something was not written.
    pub async fn close(&self) -> Result<(), Stopped> {
        {
            let mut state = self.inner.lock()?;
            state.phase = Phase::Closing;
        }
        self.inner.work.notify_all();
        let stopped = self.stopped().await;
        if &*stopped.reason == committer::CLOSED { Ok(()) } else { Err(stopped) }
    }

    /// A reading of everything that is counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let inner = &*self.inner;
        let mut stats = inner.counts.read();
        stats.journal_bytes = inner.store.journal_bytes();
        stats.doubts.clone_from(&inner.doubts);
        if let Ok(state) = inner.lock() {
            stats.counters = state.ledger.counters() as u64;
            stats.rows_pending = state.ledger.open_rows() as u64;
            stats.rejections = state.ledger.rejections();
            stats.unacked_cost =
                self.inner.shards().iter().map(|shard| state.ledger.unacked_cost(shard)).max().unwrap_or(0);
            let now = clock::monotonic();
            let age = |since: Nanos| Nanos(now.0.saturating_sub(since.0));
            for (to, lag) in state.ledger.lags() {
                let worst = stats.lags.entry(to.node.clone()).or_default();
                *worst = (*worst).max((lag.frames, lag.since.map_or(Nanos::ZERO, age)));
            }
            stats.journal_lag = state.open_since.map_or(Nanos::ZERO, age);
        }
        stats
    }

    /// The ledger, while this host decides.
    fn serving(&self) -> Result<std::sync::MutexGuard<'_, State>, Stopped> {
        let state = self.inner.lock()?;
        match (state.phase, self.inner.progress.stopped()) {
            (_, Some(stopped)) => Err(stopped),
            (Phase::Closing, None) => Err(Stopped { reason: Arc::from("the node is shutting down") }),
            (Phase::Serving, None) => Ok(state),
        }
    }

    /// What was just done goes into the open frame: the commit to wait for, if anybody has to.
    fn note(&self, state: &mut State, outcome: Outcome) -> Option<CommitNo> {
        if outcome == Outcome::Unchanged {
            return None;
        }
        if let Some(signals) = &self.inner.signals {
            signals.written(&mut state.ledger);
        }
        self.inner.ring(state);
        (outcome == Outcome::Changed).then(|| state.ledger.open())
    }
}
