//! The handle: decides, and says when answers may leave. Cheap to clone; when the last one is dropped the threads end.

use std::sync::{Arc, Condvar, Mutex};

use drl_configuration::{ConfigurationService, RateLimitConfiguration};
use drl_core::caps::{BATCH_CHECKS_MAX, FRAME_ROWS_MAX};
use drl_core::{Cost, KeyHash, LimitKey, Nanos, ShardId, ShardTime};
use drl_engine::{Charge, Ledger, Outcome};
use drl_limits::{Decision, Mode, Policy, Reason, Retry};
use drl_store::Store;

use crate::ask::{Action, Ask, PolicyOf, Ticket};
use crate::error::{CheckError, OpenError, Refused, Stopped};
use crate::inner::{Committer, Inner, Phase, State};
use crate::options::{HostOptions, UnknownClient};
use crate::progress::Progress;
use crate::stats::{Counts, Stats};
use crate::stopper::Stopper;
use crate::threads::Threads;
use crate::unknown::unknown;
use crate::{clock, committer, recovery};

/// A running host.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
    /// Held for its drop.
    _threads: Arc<Threads>,
}

/// A check that found its shard; the configuration is held for as long as the batch is decided.
struct Located<'a> {
    shard: ShardId,
    key: KeyHash,
    policy: Found<'a>,
}

enum Found<'a> {
    Given(&'a Policy),
    Configured(RateLimitConfiguration),
    Nothing,
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
        let found = recovery::recover(&*store, &options)?;
        let state = State { ledger: found.ledger, phase: Phase::Serving, committer: Committer::Busy, open_since: None };
        let inner = Arc::new(Inner {
            state: Mutex::new(state),
            work: Condvar::new(),
            store,
            configuration,
            identity: found.identity,
            clock: found.clock,
            progress: Progress::new(found.committed),
            counts: Counts::default(),
            doubts: found.doubts,
            options,
        });
        let threads = Threads::start(&inner)?;
        Ok(Self { inner, _threads: Arc::new(threads) })
    }

    /// Decides a batch, one check after the other, under one lock and one reading of the clock, and appends the decisions in
    /// order. Takes microseconds and never waits for the disk: the answers may leave once [`Host::committed`] says so.
    ///
    /// # Errors
    /// [`Refused`]: nothing of the batch was decided.
    pub fn decide(&self, asks: &[Ask<'_>], decisions: &mut Vec<Decision>) -> Result<Ticket, Refused> {
        let decided = self.decide_now(asks, decisions);
        if decided == Err(Refused::Busy) {
            self.inner.counts.refused(asks.len());
        }
        decided
    }

    /// As [`Host::decide`], but waits for the next frame while the open one is full. How long is the caller's to say: dropping the
    /// future decides nothing.
    ///
    /// # Errors
    /// [`Refused`], other than busy: nothing of the batch was decided.
    pub async fn decide_when_room(&self, asks: &[Ask<'_>], decisions: &mut Vec<Decision>) -> Result<Ticket, Refused> {
        let mut room = None;
        loop {
            match (self.decide_now(asks, decisions), &mut room) {
                // Subscribed before the next try, so that a frame which is taken in between is not missed.
                (Err(Refused::Busy), None) => room = Some(self.inner.progress.room()),
                // The sender lives as long as this host.
                (Err(Refused::Busy), Some(room)) => drop(room.changed().await),
                (decided, _) => return decided,
            }
        }
    }

    fn decide_now(&self, asks: &[Ask<'_>], decisions: &mut Vec<Decision>) -> Result<Ticket, Refused> {
        let inner = &*self.inner;
        if asks.len() > BATCH_CHECKS_MAX {
            return Err(Refused::BatchTooLong { checks: asks.len() });
        }
        let located: Vec<Located<'_>> = asks.iter().map(|ask| self.locate(ask)).collect();
        let now = inner.clock.now();
        let mut state = self.serving()?;
        if state.ledger.open_rows() + asks.len() > FRAME_ROWS_MAX {
            return Err(Refused::Busy);
        }
        let from = decisions.len();
        let mut outcome = Outcome::Unchanged;
        let is_complete = inner.configuration.is_complete();
        let unknown_client = if is_complete { inner.options.unknown_client } else { UnknownClient::Deny };
        for (ask, located) in asks.iter().zip(&located) {
            let (decision, changed) = decide_one(&mut state.ledger, ask, located, now, unknown_client);
            decisions.push(decision);
            outcome = outcome.max(changed);
        }
        let ticket = self.note(&mut state, outcome);
        drop(state);
        inner.counts.decided(&decisions[from..]);
        Ok(ticket)
    }

    /// Waits until the answers that `ticket` stands for may leave.
    ///
    /// # Errors
    /// [`Stopped`] when their frame did not reach the journal.
    pub async fn committed(&self, ticket: Ticket) -> Result<(), Stopped> {
        match ticket.0 {
            None => Ok(()),
            Some(commit) => self.inner.progress.wait(commit).await,
        }
    }

    /// Decides one check and waits for its commit.
    ///
    /// # Errors
    /// [`CheckError`] when there is no decision.
    pub async fn check(&self, ask: Ask<'_>) -> Result<Decision, CheckError> {
        let mut decisions = Vec::with_capacity(1);
        let ticket = self.decide(&[ask], &mut decisions)?;
        self.committed(ticket).await?;
        // One ask has one decision; without one nobody is let through.
        Ok(decisions.pop().unwrap_or_else(|| unknown(UnknownClient::Deny)))
    }

    /// Forgets what a key has used, and waits until that is in the journal.
    ///
    /// # Errors
    /// [`CheckError`] when it was not done.
    pub async fn reset(&self, key: LimitKey<'_>) -> Result<(), CheckError> {
        let (shard, hash) = key.locate(&self.inner.identity, self.inner.shards());
        let now = self.inner.clock.now();
        let ticket = {
            let mut state = self.serving()?;
            let outcome = state.ledger.reset(shard, hash, now);
            self.note(&mut state, outcome)
        };
        Ok(self.committed(ticket).await?)
    }

    /// Gives back cost that was charged at `decided_at` (absent: just now), and waits until that is in the journal. A client
    /// without a counter has nothing to get back.
    ///
    /// # Errors
    /// [`CheckError`] when it was not done.
    pub async fn refund(&self, key: LimitKey<'_>, cost: Cost, decided_at: Option<ShardTime>) -> Result<(), CheckError> {
        let (shard, hash) = key.locate(&self.inner.identity, self.inner.shards());
        let now = self.inner.clock.now();
        let ticket = {
            let mut state = self.serving()?;
            let outcome = state.ledger.refund(shard, hash, cost, decided_at.unwrap_or(now), now);
            self.note(&mut state, outcome)
        };
        Ok(self.committed(ticket).await?)
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
            let age = |since: Nanos| Nanos(clock::monotonic().0.saturating_sub(since.0));
            stats.journal_lag = state.open_since.map_or(Nanos::ZERO, age);
        }
        stats
    }

    fn serving(&self) -> Result<std::sync::MutexGuard<'_, State>, Stopped> {
        let state = self.inner.lock()?;
        match (state.phase, self.inner.progress.stopped()) {
            (_, Some(stopped)) => Err(stopped),
            (Phase::Closing, None) => Err(Stopped { reason: Arc::from("the node is shutting down") }),
            (Phase::Serving, None) => Ok(state),
        }
    }

    /// The ticket for what was just done; wakes the committer when it sleeps.
    fn note(&self, state: &mut State, outcome: Outcome) -> Ticket {
        if outcome == Outcome::Unchanged {
            return Ticket::NONE;
        }
        if state.open_since.is_none() {
            state.open_since = Some(clock::monotonic());
        }
        if state.committer == Committer::Idle {
            self.inner.work.notify_one();
        }
        match outcome {
            Outcome::Changed => Ticket(Some(state.ledger.open())),
            Outcome::Noted | Outcome::Unchanged => Ticket::NONE,
        }
    }

    fn locate<'a>(&self, ask: &Ask<'a>) -> Located<'a> {
        let (shard, key) = ask.key.locate(&self.inner.identity, self.inner.shards());
        let policy = match ask.policy {
            PolicyOf::Given(policy) => Found::Given(policy),
            PolicyOf::Configured => self.inner.configuration.get(ask.key).map_or(Found::Nothing, Found::Configured),
        };
        Located { shard, key, policy }
    }
}

fn decide_one(
    ledger: &mut Ledger,
    ask: &Ask<'_>,
    located: &Located<'_>,
    now: ShardTime,
    unknown_client: UnknownClient,
) -> (Decision, Outcome) {
    let (policy, revision) = match &located.policy {
        Found::Given(policy) => (*policy, 0),
        Found::Configured(found) => (&*found.policy, found.revision),
        Found::Nothing => return (unknown(unknown_client), Outcome::Unchanged),
    };
    let charge = Charge { shard: located.shard, key: located.key, policy, cost: ask.cost };
    let (mut decision, outcome) = match ask.action {
        Action::Charge if !ask.cost.is_peek() => ledger.charge(charge, now),
        _ => (ledger.peek(charge, now), Outcome::Unchanged),
    };
    decision.policy_revision = revision;
    if !decision.allowed && policy.mode() == Mode::Shadow {
        decision = Decision { allowed: true, retry: Retry::Now, reason: Reason::Shadow, ..decision };
    }
    (decision, outcome)
}
