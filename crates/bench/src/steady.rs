//! Load that goes on while things happen to a cluster: an open loop over a list of clients in turn, through the routing client. What each
//! client was told is kept by client, so that it can be held against what its owner counts.
//!
//! * `account.rs`: what one client was told, and what must be true of it
//! * `audit.rs`: what all clients were told beside what their owners count

mod account;
mod audit;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drl_client::{CheckRequest, Connect, ConnectError, Decision, InvalidRequest, RateLimiter};
use drl_core::Nanos;
use drl_core::caps::{BENCH_CALLS_MAX, BENCH_RATE_MAX};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::door::told_of;
use crate::pacer;
use crate::report::{Counts, Latency};
use crate::span::Span;
use crate::tally::{Measured, Moments, Tally, TallyError};
use crate::told::{Told, Verdict};
use crate::turns::{Clock, Turns};

pub use account::Account;
pub use audit::Audit;
use audit::Usage;

/// It goes on until it is stopped; no run is a day long.
const LONGEST: Duration = Duration::from_hours(24);

/// Callers beyond those that a silent cluster holds up for a whole deadline.
const SPARE_CALLERS: u64 = 64;

/// What is asked, of whom.
#[derive(Debug, Clone)]
pub struct SteadyOptions {
    /// gRPC addresses of nodes.
    pub endpoints: Vec<String>,
    /// Asked in turn, a check of one each.
    pub clients: Vec<String>,
    /// Checks a second, all clients together.
    pub rate: u64,
    /// Longest wait for an answer.
    pub deadline: Duration,
    /// Threads of the runtime.
    pub threads: usize,
    /// Parts of the run that are measured apart; see [`Steady::enter`].
    pub phases: usize,
}

/// The load did not begin.
#[derive(Debug, thiserror::Error)]
pub enum SteadyError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Client(#[from] InvalidRequest),
    #[error(transparent)]
    Tally(#[from] TallyError),
    #[error("a rate of {sent} checks a second; use 1 to {BENCH_RATE_MAX}")]
    Rate { sent: u64 },
    #[error("a load without clients")]
    NoClients,
    #[error("cannot start the thread that keeps the rate: {0}")]
    Pacer(std::io::Error),
}

/// A load that is under way. It ends when this is dropped.
pub struct Steady {
    shared: Arc<Shared>,
    limiter: RateLimiter,
    workers: JoinSet<()>,
    deadline: Duration,
}

struct Shared {
    clock: Clock,
    turns: Arc<Turns>,
    clients: Vec<String>,
    accounts: Vec<Mutex<Account>>,
    /// Whose turn it is.
    next: AtomicUsize,
    phase: AtomicUsize,
    phases: Vec<Tally>,
    /// Checks sent from this moment on are looked at for [`Steady::first_answers`].
    watched_from: AtomicU64,
}

/// What one part of a run was like. Counts are of checks.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Phase {
    pub checks: u64,
    pub allowed: Counts,
    pub denied: Counts,
    pub unavailable: Counts,
    pub rejected: Counts,
    pub failed: Counts,
    /// From when a check was due to its answer.
    pub latency_ns: Latency,
    /// From when a check was due to when it was sent.
    pub lateness_ns: Latency,
    pub first_failure: Option<String>,
}

impl Steady {
    /// Connects and begins, in the first phase. To be called in a runtime.
    ///
    /// # Errors
    /// [`SteadyError`].
    pub async fn start(options: SteadyOptions, clock: Clock) -> Result<Self, SteadyError> {
        let SteadyOptions { endpoints, clients, rate, deadline, threads, phases } = options;
        if !(1..=BENCH_RATE_MAX).contains(&rate) {
            return Err(SteadyError::Rate { sent: rate });
        }
        if clients.is_empty() {
            return Err(SteadyError::NoClients);
        }
        for client in &clients {
            CheckRequest::new(client)?;
        }
        let limiter = Connect::new(endpoints).deadline(deadline).connect().await?;
        let turns = Arc::new(Turns::new(clock, Span::new(clock(), Duration::ZERO, LONGEST), Some(rate), 1));
        let shared = Arc::new(Shared {
            clock,
            turns: Arc::clone(&turns),
            accounts: clients.iter().map(|_| Mutex::default()).collect(),
            clients,
            next: AtomicUsize::new(0),
            phase: AtomicUsize::new(0),
            phases: (0..phases.max(1)).map(|_| Tally::new(threads)).collect::<Result<_, _>>()?,
            watched_from: AtomicU64::new(u64::MAX),
        });
        let mut workers = JoinSet::new();
        for nth in 0..callers(rate, deadline) {
            workers.spawn(work(nth, Arc::clone(&shared), limiter.clone()));
        }
        pacer::start(&turns, clock).map_err(SteadyError::Pacer)?;
        Ok(Self { shared, limiter, workers, deadline })
    }

    /// What is asked from now on counts for this phase.
    pub fn enter(&self, phase: usize) {
        self.shared.phase.store(phase, Ordering::Relaxed);
    }

    /// Forgets which first answers it had, and looks for those to checks that are sent from `moment` on.
    pub fn watch_from(&self, moment: Nanos) {
        self.shared.watched_from.store(u64::MAX, Ordering::SeqCst);
        for account in &self.shared.accounts {
            locked(account).first_answer = None;
        }
        self.shared.watched_from.store(moment.0, Ordering::SeqCst);
    }

    /// When each of these clients, by their places in the list, first got an owner's answer to a check that was sent since the moment that is
    /// watched from. `None`: not yet.
    #[must_use]
    pub fn first_answers(&self, clients: &[usize]) -> Vec<Option<Nanos>> {
        let first = |client: &usize| locked(self.shared.accounts.get(*client)?).first_answer;
        clients.iter().map(first).collect()
    }

    /// Makes no more calls, and waits for those that are under way.
    pub async fn stop(&mut self) {
        self.shared.turns.end();
        let all = async { while self.workers.join_next().await.is_some() {} };
        // Every call has this deadline of its own.
        let _ = timeout(self.deadline * 2, all).await;
        self.workers.abort_all();
    }

    /// What each phase was like, so far.
    ///
    /// # Errors
    /// [`TallyError`].
    pub fn phases(&self) -> Result<Vec<Phase>, TallyError> {
        self.shared.phases.iter().map(|tally| tally.total().map(|measured| Phase::of(&measured))).collect()
    }

    /// Asks the owner of every client what it counts. To be called when the load was stopped.
    pub async fn audit(&self, within: Duration) -> Audit {
        let limiter = self.limiter.within(within).strict();
        let mut audit = Audit::default();
        for (client, account) in self.shared.clients.iter().zip(&self.shared.accounts) {
            let account = locked(account).clone();
            let peeked = match CheckRequest::new(client) {
                Ok(request) => limiter.peek(request).await.ok(),
                Err(_) => None,
            };
            let usage =
                |peeked: Decision| Usage { used: peeked.limit.saturating_sub(peeked.remaining), limit: peeked.limit };
            audit.add(client, &account, peeked.map(usage));
        }
        audit
    }
}

impl Drop for Steady {
    fn drop(&mut self) {
        self.shared.turns.end();
    }
}

impl Phase {
    fn of(measured: &Measured) -> Self {
        let counts = |verdict| Counts::of(measured, verdict);
        Self {
            checks: measured.calls,
            allowed: counts(Verdict::Allowed),
            denied: counts(Verdict::Denied),
            unavailable: counts(Verdict::Unavailable),
            rejected: counts(Verdict::Rejected),
            failed: counts(Verdict::Failed),
            latency_ns: Latency::of(&measured.latency),
            lateness_ns: Latency::of(&measured.lateness),
            first_failure: measured.told.failure().map(str::to_owned),
        }
    }

    /// Checks of which no owner said yes or no.
    #[must_use]
    pub const fn undecided(&self) -> u64 {
        self.unavailable.total + self.rejected.total + self.failed.total
    }
}

/// As many as a cluster that answers nobody holds up for one deadline and a half.
fn callers(rate: u64, deadline: Duration) -> usize {
    let held_up = u128::from(rate) * deadline.as_millis() * 3 / 2_000;
    let callers = usize::try_from(held_up + u128::from(SPARE_CALLERS)).unwrap_or(usize::MAX);
    callers.min(BENCH_CALLS_MAX)
}

async fn work(nth: usize, shared: Arc<Shared>, limiter: RateLimiter) {
    let mut told = Told::default();
    while let Some(turn) = shared.turns.next().await {
        let place = shared.next.fetch_add(1, Ordering::Relaxed) % shared.clients.len();
        let (phase, sent) = (shared.phase.load(Ordering::Relaxed), (shared.clock)());
        told.clear();
        let Ok(request) = CheckRequest::new(&shared.clients[place]) else { continue };
        match limiter.check(request).await {
            Ok(decision) => told_of::decision(&mut told, &decision),
            Err(error) => told_of::error(&mut told, &error),
        }
        shared.note(nth, place, phase, Moments { turn, sent, done: (shared.clock)() }, &told);
    }
}

impl Shared {
    fn note(&self, worker: usize, place: usize, phase: usize, moments: Moments, told: &Told) {
        let Some((verdict, ..)) = told.counts().next() else { return };
        let is_watched = moments.sent.0 >= self.watched_from.load(Ordering::SeqCst);
        locked(&self.accounts[place]).note(verdict, is_watched.then_some(moments.done));
        if let Some(tally) = self.phases.get(phase) {
            tally.add(worker, moments, told);
        }
    }
}

fn locked(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
