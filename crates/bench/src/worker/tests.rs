//! Both loops before a server that stalls: what callers would have waited, and what a loop that waits along with the server sees of it.
//! The time is the runtime's, which stands still while anybody works, so that a run takes no time and is the same each time.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, advance, timeout, timeout_at};

use super::*;
use crate::keys::Keys;
use crate::span::Span;
use crate::tally::Measured;
use crate::told::Verdict;

/// The paused clock of the runtime, from its start.
fn now() -> Nanos {
    thread_local!(static START: Instant = Instant::now());
    Nanos::from(START.with(Instant::elapsed))
}

const SERVICE: Duration = Duration::from_millis(1);
const DURATION: Duration = Duration::from_secs(10);
const STALL: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(5));

/// Answers after a millisecond, except that nothing is answered during the stall.
#[derive(Clone)]
struct Stalling {
    start: Instant,
}

async fn until(moment: Instant) {
    let _ = timeout_at(moment, std::future::pending::<()>()).await;
}

impl Line for Stalling {
    async fn ask(&mut self, asks: &Asks, told: &mut Told) {
        let answered = Instant::now() + SERVICE;
        let is_stalled = (STALL.0..STALL.1).contains(&(answered - self.start));
        until(if is_stalled { self.start + STALL.1 } else { answered }).await;
        told.add(Verdict::Allowed, "within-limit", asks.len() as u64);
    }
}

/// Never answers.
struct Deaf;

impl Line for Deaf {
    async fn ask(&mut self, asks: &Asks, told: &mut Told) {
        let _ = timeout(Duration::from_secs(1), std::future::pending::<()>()).await;
        told.fail(Verdict::Failed, "timed-out", asks.len(), || "no answer".to_owned());
    }
}

/// Runs workers over these lines, and releases what is due each millisecond.
async fn measured(lines: Vec<impl Line>, rate: Option<u64>, batch: usize, warmup: Duration) -> (Measured, Arc<Turns>) {
    let span = Span::new(now(), warmup, DURATION);
    let turns = Arc::new(Turns::new(now, span, rate, batch as u64));
    let tally = Arc::new(Tally::new(2).unwrap());
    let shared = Shared { clock: now, turns: Arc::clone(&turns), tally: Arc::clone(&tally), batch, begin: span.begin };
    let mut workers = JoinSet::new();
    for (nth, line) in lines.into_iter().enumerate() {
        let clients = Clients::new(Keys::Uniform, 100, 1, nth as u64).unwrap();
        workers.spawn(work(nth, line, clients, shared.clone()));
    }
    if let Turns::Open(open) = &*turns {
        while open.release(now()).is_some() {
            advance(Duration::from_millis(1)).await;
        }
    }
    let caught_up = timeout(Duration::from_secs(5), async { while workers.join_next().await.is_some() {} });
    if caught_up.await.is_err() {
        turns.end();
        while workers.join_next().await.is_some() {}
    }
    (tally.total().unwrap(), turns)
}

fn stalling(count: usize) -> Vec<Stalling> {
    vec![Stalling { start: Instant::now() }; count]
}

fn checks(measured: &Measured) -> u64 {
    measured.told.counts().map(|(.., checks)| checks).sum()
}

/// A tenth of all calls is due during the stall, so the 99th percentile must be within its last tenth.
#[tokio::test(start_paused = true)]
async fn an_open_loop_charges_a_stall_to_every_call_that_was_due_in_it() {
    let (measured, turns) = measured(stalling(4), Some(1_000), 1, Duration::ZERO).await;
    assert_eq!((checks(&measured), turns.missed(Nanos::ZERO)), (10_000, 0));
    let p99 = Duration::from_nanos(measured.latency.value_at_quantile(0.99));
    assert!((Duration::from_millis(880)..=Duration::from_millis(1_100)).contains(&p99), "{p99:?}");
    let p50 = Duration::from_nanos(measured.latency.value_at_quantile(0.5));
    assert!(p50 < Duration::from_millis(5), "{p50:?}");
}

/// Coordinated omission as such: the workers waited along with the server, so four calls of thousands saw the stall.
#[tokio::test(start_paused = true)]
async fn a_closed_loop_hardly_sees_a_stall() {
    let (measured, _) = measured(stalling(4), None, 1, Duration::ZERO).await;
    let p99 = Duration::from_nanos(measured.latency.value_at_quantile(0.99));
    assert!(checks(&measured) > 10_000 && p99 < Duration::from_millis(5), "{p99:?}");
    assert!(measured.latency.max() >= 900_000_000);
}

#[tokio::test(start_paused = true)]
async fn what_is_due_in_the_warm_up_is_asked_and_not_counted() {
    let (measured, turns) = measured(stalling(4), Some(1_000), 10, Duration::from_secs(3)).await;
    assert_eq!((checks(&measured), measured.calls, turns.missed(Nanos::ZERO)), (10_000, 1_000, 0));
}

#[tokio::test(start_paused = true)]
async fn checks_that_nobody_was_free_for_are_missed_and_those_that_failed_are_not_latencies() {
    let (measured, turns) = measured(vec![Deaf, Deaf], Some(100), 1, Duration::ZERO).await;
    let (asked, missed) = (checks(&measured), turns.missed(Nanos::ZERO));
    assert_eq!(asked + missed, 1_000);
    assert!((28..=34).contains(&asked), "two workers, one second each, for 15 seconds: {asked}");
    assert_eq!(measured.latency.len(), 0);
}
