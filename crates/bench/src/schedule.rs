//! When the calls of an open loop are due: evenly spaced from the start, whatever the answers do. Pure.

use drl_core::Nanos;

const SECOND: u128 = 1_000_000_000;

/// Calls 0 to `total` less one, each due at its moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    start: Nanos,
    checks_per_second: u64,
    checks_per_call: u64,
    total: u64,
}

impl Schedule {
    /// The calls of `checks_per_call` checks that make up `checks_per_second` from `start` until `end`; the first is due at `start`.
    pub(crate) fn new(start: Nanos, end: Nanos, checks_per_second: u64, checks_per_call: u64) -> Self {
        let span = u128::from(end.0.saturating_sub(start.0));
        let calls = (span * u128::from(checks_per_second)).div_ceil(SECOND * u128::from(checks_per_call.max(1)));
        let total = u64::try_from(calls).unwrap_or(u64::MAX);
        Self { start, checks_per_second, checks_per_call, total }
    }

    /// How many calls there are.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// When the `nth` call is due, counted from 0.
    pub(crate) fn due(&self, nth: u64) -> Nanos {
        let nanos =
            u128::from(nth) * u128::from(self.checks_per_call) * SECOND / u128::from(self.checks_per_second.max(1));
        Nanos(self.start.0.saturating_add(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    /// How many calls are due by `now`.
    pub(crate) fn due_by(&self, now: Nanos) -> u64 {
        let Some(since) = now.0.checked_sub(self.start.0) else { return 0 };
        let calls =
            u128::from(since) * u128::from(self.checks_per_second) / (SECOND * u128::from(self.checks_per_call.max(1)));
        // One due exactly at a rounded-down moment is due, too.
        let mut calls = u64::try_from(calls).unwrap_or(u64::MAX).saturating_add(1);
        if calls < self.total && self.due(calls) <= now {
            calls += 1;
        }
        calls.min(self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Nanos = Nanos(5_000_000_000);

    fn after(millis: u64) -> Nanos {
        Nanos(START.0 + millis * 1_000_000)
    }

    #[test]
    fn calls_are_due_evenly_and_make_up_the_rate() {
        let schedule = Schedule::new(START, after(2_000), 1_000, 10);
        assert_eq!(schedule.total(), 200);
        assert_eq!((schedule.due(0), schedule.due(1), schedule.due(199)), (START, after(10), after(1_990)));
    }

    #[test]
    fn no_call_is_due_before_its_moment_and_each_is_at_it() {
        for (rate, checks) in [(1, 1), (3, 1), (7, 2), (999_983, 1), (1_000_000, 64), (100_000_000, 1)] {
            let schedule = Schedule::new(START, after(60_000), rate, checks);
            assert_eq!(schedule.due_by(Nanos(START.0 - 1)), 0);
            for nth in [0, 1, 2, 3, 99, 100, 5_000].into_iter().filter(|nth| *nth < schedule.total()) {
                let due = schedule.due(nth);
                assert!(schedule.due_by(due) > nth, "{rate} {checks} {nth}");
                assert!(nth == 0 || schedule.due_by(Nanos(due.0 - 1)) <= nth, "{rate} {checks} {nth}");
            }
            assert_eq!(schedule.due_by(after(120_000)), schedule.total());
        }
    }

    #[test]
    fn nothing_is_due_in_no_time_and_a_slow_rate_has_its_one_call() {
        assert_eq!(Schedule::new(START, START, 1_000, 1).total(), 0);
        assert_eq!(Schedule::new(START, after(10), 1, 1).total(), 1);
        assert_eq!(Schedule::new(Nanos(0), Nanos(u64::MAX), u64::MAX, 1).total(), u64::MAX);
    }
}
