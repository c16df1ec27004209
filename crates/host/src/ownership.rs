//! The end of a host that ownership holds: which shards are answered for, and what is kept on disk about them. What it is told
//! takes effect under the same lock as every decision, so that a check is decided before a command or after it.

use std::sync::Arc;

use drl_core::{CommitNo, Epoch, Nanos, ShardId};
use drl_engine::Ledger;
use drl_engine::ownership::{Closed, Fact, Found, Moment, Origin, ShardClock, Written};
use drl_engine::replication::Order;
use drl_store::Record;
use drl_store::faults::point;

use crate::clock;
use crate::error::Stopped;
use crate::facts;
use crate::inner::Inner;
use crate::signals::{Heard, Letters};

/// Tells a host what it owns. There is one for each host.
pub struct Ownership {
    inner: Arc<Inner>,
    found: Option<Found>,
    heard: Option<Heard>,
    letters: Option<Letters>,
}

impl Ownership {
    pub(crate) const fn new(inner: Arc<Inner>, found: Found, heard: Heard, letters: Letters) -> Self {
        Self { inner, found: Some(found), heard: Some(heard), letters: Some(letters) }
    }

    /// What recovery found in the directory; the first time it is asked.
    pub fn take_found(&mut self) -> Option<Found> {
        self.found.take()
    }

    /// The signals; the first time they are asked for.
    pub fn take_signals(&mut self) -> Option<Heard> {
        self.heard.take()
    }

    /// What is to be carried to other nodes; the first time it is asked for. As long as nobody carries it, no shard gets a copy.
    pub fn take_letters(&mut self) -> Option<Letters> {
        self.letters.take()
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
        let commit = (origin == Origin::Cold).then(|| state.ledger.open());
        self.inner.deliver(&mut state);
        Ok(commit)
    }

    /// Does not answer for a shard from now on.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn close(&self, shard: ShardId, closed: Closed) -> Result<(), Stopped> {
        self.inner.lock()?.ledger.close(shard, closed);
        self.inner.progress.moved();
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

    /// Does what is ordered about copies of shards. Replies that waited may leave afterwards.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn obey(&self, orders: impl IntoIterator<Item = Order>) -> Result<(), Stopped> {
        let mut state = self.inner.lock()?;
        let now = clock::monotonic();
        for order in orders {
            state.ledger.obey(order, now);
        }
        self.inner.deliver(&mut state);
        drop(state);
        self.inner.progress.moved();
        Ok(())
    }

    /// Answers until then, by `CLOCK_BOOTTIME`; zero: not at all.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn set_deadline(&self, deadline: Nanos) -> Result<(), Stopped> {
        self.inner.lock()?.ledger.set_deadline(deadline);
        self.inner.progress.moved();
        Ok(())
    }

    /// Puts facts on disk, with an fsync. Blocks; calls must come one after the other, in the order of the commands.
    ///
    /// # Errors
    /// [`Stopped`] when they may not be there: the store has stopped, and with it the host.
    pub fn persist(&self, facts: &[Fact]) -> Result<(), Stopped> {
        let records: Vec<Record> = facts.iter().filter_map(facts::record).collect();
        let store = &self.inner.store;
        point("promise");
        let mut written = if records.is_empty() { Ok(()) } else { store.put_records(&records) };
        point("promised");
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
