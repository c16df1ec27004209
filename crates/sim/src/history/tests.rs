//! Claims of the checker of histories, on histories written by hand.

use drl_core::{Nanos, ShardTime};
use drl_limits::{Algorithm, Limit, Policy, PolicySpec, Window};

use super::{Admitted, Denied, in_real_time, in_shard_time, is_needed};

const SECOND: u64 = 1_000_000_000;

/// 10 in 10 s.
fn policy(algorithm: Algorithm) -> Policy {
    let limits = vec![Limit::new(10, Window::new(Nanos(10 * SECOND)).unwrap()).unwrap()];
    Policy::new(PolicySpec { limits, algorithm, ..PolicySpec::default() }).unwrap()
}

/// One admission that was decided somewhere in these seconds.
fn admitted(from: u64, to: u64) -> Admitted {
    Admitted { sent: from * SECOND, real: to * SECOND, at: None, cost: 1, answered: true }
}

#[test]
fn what_certainly_lies_in_a_window_counts_and_what_may_lie_outside_does_not() {
    let mut history: Vec<_> = (0..10).map(|_| admitted(1, 2)).collect();
    history.push(admitted(0, 3));
    assert!(in_real_time(&policy(Algorithm::SlidingWindow), &history, |_, _| 0).is_err());
    history[10] = admitted(0, 12);
    assert!(
        in_real_time(&policy(Algorithm::SlidingWindow), &history, |_, _| 0).is_ok(),
        "it may be of after the window"
    );
    history[10] = admitted(11, 12);
    assert!(in_real_time(&policy(Algorithm::SlidingWindow), &history, |_, _| 0).is_ok());
    history[10] = admitted(2, 9);
    let over = in_real_time(&policy(Algorithm::SlidingWindow), &history, |_, _| 0).unwrap_err();
    assert_eq!((over.admitted, over.allowed, over.from, over.to), (11, 10, SECOND, 9 * SECOND));
    assert!(in_real_time(&policy(Algorithm::SlidingWindow), &history, |_, _| 1).is_ok());
    history[10].answered = false;
    assert!(in_real_time(&policy(Algorithm::SlidingWindow), &history, |_, _| 0).is_ok());
}

#[test]
fn shard_time_is_exact_where_it_is_known() {
    let at = |second: u64| Admitted { at: Some(ShardTime(second * SECOND)), ..admitted(0, 100) };
    let mut history: Vec<_> = (0..10).map(|_| at(9)).collect();
    history.push(at(10));
    assert!(in_shard_time(&policy(Algorithm::FixedWindow), &history).is_ok());
    assert!(in_shard_time(&policy(Algorithm::SlidingWindow), &history).is_err());
    history[10] = at(0);
    assert!(in_shard_time(&policy(Algorithm::FixedWindow), &history).is_err());
}

#[test]
fn a_denial_is_needed_when_what_may_count_leaves_no_room() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow, Algorithm::TokenBucket] {
        let (policy, denied) = (policy(algorithm), Denied { sent: 5 * SECOND, at: None, cost: 1 });
        let mut history: Vec<_> = (0..8).map(|_| admitted(4, 5)).collect();
        assert!(!is_needed(&policy, &history, &denied, None), "{algorithm}: one was left");
        assert!(is_needed(&policy, &history, &denied, Some(0)), "{algorithm}: everything was lost");
        // Two, because a bucket is asked with a nanosecond of rounding to spare.
        history.extend([Admitted { answered: false, ..admitted(4, 5) }; 2]);
        assert!(is_needed(&policy, &history, &denied, None), "{algorithm}");
        let later = Denied { sent: 60 * SECOND, ..denied };
        assert!(!is_needed(&policy, &history, &later, None), "{algorithm}: long ago");
    }
}
