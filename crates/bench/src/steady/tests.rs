//! Figures of a made-up load: what counts as answered, unknown and over.

use super::*;
use crate::turns::Turn;

#[test]
fn there_are_callers_for_a_deadline_of_silence_and_never_too_many() {
    assert_eq!(callers(2_000, Duration::from_secs(1)), 3_064);
    assert_eq!(callers(1, Duration::from_millis(1)), 64);
    assert_eq!(callers(BENCH_RATE_MAX, Duration::from_mins(1)), BENCH_CALLS_MAX);
}

fn shared(clients: usize) -> Shared {
    let clock: Clock = || Nanos::ZERO;
    let span = Span::new(clock(), Duration::ZERO, LONGEST);
    Shared {
        clock,
        turns: Arc::new(Turns::new(clock, span, Some(1), 1)),
        clients: (0..clients).map(|client| client.to_string()).collect(),
        accounts: (0..clients).map(|_| Mutex::default()).collect(),
        next: AtomicUsize::new(0),
        phase: AtomicUsize::new(0),
        phases: vec![Tally::new(1).unwrap(), Tally::new(1).unwrap()],
        watched_from: AtomicU64::new(u64::MAX),
    }
}

#[test]
fn only_checks_sent_after_the_watched_moment_are_first_answers_and_each_counts_for_its_phase() {
    let shared = shared(2);
    let mut told = Told::default();
    told.add(Verdict::Allowed, "within-limit", 1);
    let moments = |sent, done| Moments { turn: Turn::Due(Nanos(sent)), sent: Nanos(sent), done: Nanos(done) };
    shared.note(0, 0, 0, moments(1, 20), &told);
    shared.watched_from.store(10, Ordering::SeqCst);
    shared.note(0, 0, 1, moments(9, 30), &told);
    assert_eq!(locked(&shared.accounts[0]).first_answer, None);
    shared.note(0, 0, 1, moments(10, 40), &told);
    shared.note(0, 0, 1, moments(11, 50), &told);
    assert_eq!(locked(&shared.accounts[0]).first_answer, Some(Nanos(40)));
    assert_eq!((locked(&shared.accounts[0]).granted, locked(&shared.accounts[1]).granted), (4, 0));
    let checks = shared.phases.iter().map(|tally| tally.total().unwrap().calls);
    assert_eq!(checks.collect::<Vec<_>>(), [1, 3]);
}
