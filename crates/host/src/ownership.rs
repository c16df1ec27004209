//! The end of a host that ownership holds: which shards are answered for, and what is kept on disk about them. What it is told
//! takes effect under the same lock as every decision, so that a check is decided before a command or after it.

use std::sync::Arc;

use drl_core::{CommitNo, Epoch, Nanos, ShardId};
use drl_engine::Ledger;
use drl_engine::ownership::{Closed, Fact, Found, Moment, Origin, ShardClock, Written};
use drl_store::Record;
use tokio::sync::mpsc;

use crate::clock;
use crate::error::{NotHere, Stopped};
use crate::facts;
use crate::inner::{Committer, Inner, State};

/// Things that happen under the host's lock and that ownership wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The first admission of a shard that was never written to.
    Written(ShardId),
    /// A request named a higher epoch than this node knows.
    HigherEpoch(ShardId),
}

/// Signals that wait. One that finds no room is dropped: a shard that is frozen says itself whether it was written, and who knows
/// of a higher epoch asks again.
const SIGNALS_MAX: usize = 4_096;

/// The host's end of the signals.
pub(crate) struct Signals(mpsc::Sender<Signal>);

impl Signals {
    pub(crate) fn channel() -> (Self, mpsc::Receiver<Signal>) {
        let (sender, receiver) = mpsc::channel(SIGNALS_MAX);
        (Self(sender), receiver)
    }

    /// Tells of shards that were written to for the first time.
    pub(crate) fn written(&self, ledger: &mut Ledger) {
        for shard in ledger.take_first_written() {
            let _ = self.0.try_send(Signal::Written(shard));
        }
    }

    /// Tells of what a refusal says about this node.
    pub(crate) fn refused(&self, refusal: &NotHere) {
        if let NotHere::Behind { shard } = refusal {
            let _ = self.0.try_send(Signal::HigherEpoch(*shard));
        }
    }
}

/// Tells a host what it owns. There is one for each host.
pub struct Ownership {
    inner: Arc<Inner>,
    found: Option<Found>,
    signals: Option<mpsc::Receiver<Signal>>,
}

impl Ownership {
    pub(crate) const fn new(inner: Arc<Inner>, found: Found, signals: mpsc::Receiver<Signal>) -> Self {
        Self { inner, found: Some(found), signals: Some(signals) }
    }

    /// What recovery found in the directory; the first time it is asked.
    pub fn take_found(&mut self) -> Option<Found> {
        self.found.take()
    }

    /// The signals; the first time they are asked for.
    pub fn take_signals(&mut self) -> Option<mpsc::Receiver<Signal>> {
        self.signals.take()
    }

    /// Resolves when the host has stopped.
    pub async fn stopped(&self) -> Stopped {
        self.inner.progress.wait_stopped().await
    }

    /// This machine's clocks.
    #[must_use]
    pub fn now(&self) -> Moment {
        clock::moment(clock::boot_number(&self.inner.options.boot_id))
    }

    /// Answers for a shard from now on. A cold start is journaled with the commit that is returned; see [`Ownership::journaled`].
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn activate(
        &self,
        shard: ShardId,
        epoch: Epoch,
        origin: Origin,
        clock: ShardClock,
    ) -> Result<Option<CommitNo>, Stopped> {
        let mut state = self.inner.lock()?;
        state.ledger.activate(shard, epoch, origin, clock);
        if origin != Origin::Cold {
            return Ok(None);
        }
        let commit = state.ledger.open();
        ring(&self.inner, &mut state);
        Ok(Some(commit))
    }

    /// Does not answer for a shard from now on.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn close(&self, shard: ShardId, closed: Closed) -> Result<(), Stopped> {
        self.inner.lock()?.ledger.close(shard, closed);
        Ok(())
    }

    /// Decides nothing more for these shards; whether each was ever written to.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn freeze(&self, shards: &[ShardId]) -> Result<Vec<(ShardId, Written)>, Stopped> {
        let mut state = self.inner.lock()?;
        Ok(shards.iter().map(|shard| (*shard, state.ledger.freeze(*shard))).collect())
    }

    /// Goes on deciding.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn thaw(&self, shard: ShardId) -> Result<(), Stopped> {
        self.inner.lock()?.ledger.thaw(shard);
        Ok(())
    }

    /// Answers until then, by `CLOCK_BOOTTIME`; zero: not at all.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn set_deadline(&self, deadline: Nanos) -> Result<(), Stopped> {
        self.inner.lock()?.ledger.set_deadline(deadline);
        Ok(())
    }

    /// Puts facts on disk, with an fsync. Blocks; calls must come one after the other, in the order of the commands.
    ///
    /// # Errors
    /// [`Stopped`] when they may not be there: the store has stopped, and with it the host.
    pub fn persist(&self, facts: &[Fact]) -> Result<(), Stopped> {
        let records: Vec<Record> = facts.iter().filter_map(facts::record).collect();
        let store = &self.inner.store;
        let mut written = if records.is_empty() { Ok(()) } else { store.put_records(&records) };
        let is_discarded = facts.contains(&Fact::CountersDiscarded);
        if is_discarded {
            written = written.and_then(|()| store.discard_counters());
        }
        if let Err(failed) = written {
            self.inner.stop(&failed.to_string());
            return Err(self.inner.progress.stopped().unwrap_or(Stopped { reason: failed.reason.into() }));
        }
        if is_discarded {
            // Nothing is answered for yet, so nothing is open.
            let mut state = self.inner.lock()?;
            state.ledger = Ledger::new(self.inner.shards(), Epoch::default(), self.inner.progress.committed());
        }
        Ok(())
    }

    /// Waits until a commit is in the journal, and puts it on disk. Then the floor of a cold start is there.
    ///
    /// # Errors
    /// [`Stopped`]
    pub async fn journaled(&self, commit: CommitNo) -> Result<(), Stopped> {
        self.inner.progress.wait(commit).await?;
        let inner = Arc::clone(&self.inner);
        let synced = tokio::task::spawn_blocking(move || inner.store.sync()).await;
        match synced {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failed)) => {
                self.inner.stop(&failed.to_string());
                Err(Stopped { reason: failed.reason.into() })
            }
            Err(interrupted) => Err(Stopped { reason: interrupted.to_string().into() }),
        }
    }
}

/// Wakes the committer when it sleeps.
pub(crate) fn ring(inner: &Inner, state: &mut State) {
    if state.open_since.is_none() {
        state.open_since = Some(clock::monotonic());
    }
    if state.committer == Committer::Idle {
        inner.work.notify_one();
    }
}
