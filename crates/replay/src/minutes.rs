//! The minutes in which most was denied. Requests come in the order of time, so one minute is open and the worst so far are kept.

use drl_core::ShardTime;
use drl_core::caps::REPLAY_ROWS_MAX;

use crate::replay::Verdict;
use crate::report::MinuteRow;
use crate::timestamp;

const NANOS_PER_MINUTE: u64 = 60_000_000_000;

/// One minute, by its number since 1970 (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Minute {
    number: u64,
    requests: u64,
    denied: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Minutes {
    open: Minute,
    /// The worst first; at most [`REPLAY_ROWS_MAX`].
    worst: Vec<Minute>,
}

impl Minutes {
    /// `time` is never before that of the call before.
    pub(crate) fn add(&mut self, time: ShardTime, verdict: Verdict) {
        let number = time.0 / NANOS_PER_MINUTE;
        if number != self.open.number {
            self.close();
            self.open.number = number;
        }
        self.open.requests += 1;
        self.open.denied += u64::from(verdict == Verdict::Denied);
    }

    pub(crate) fn into_worst(mut self) -> Vec<MinuteRow> {
        self.close();
        self.worst.iter().map(Minute::row).collect()
    }

    fn close(&mut self) {
        let minute = std::mem::take(&mut self.open);
        // The earlier of two that are equally bad stays in front.
        let at = self.worst.partition_point(|other| (other.denied, other.requests) >= (minute.denied, minute.requests));
        if minute.denied > 0 && at < REPLAY_ROWS_MAX {
            self.worst.insert(at, minute);
            self.worst.truncate(REPLAY_ROWS_MAX);
        }
    }
}

impl Minute {
    fn row(&self) -> MinuteRow {
        let start = ShardTime(self.number.saturating_mul(NANOS_PER_MINUTE));
        MinuteRow { minute: timestamp::to_rfc3339(start), requests: self.requests, denied: self.denied }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_minutes_come_first_and_quiet_ones_not_at_all() {
        let mut minutes = Minutes::default();
        for (minute, allowed, denied) in [(0, 5, 0), (1, 1, 2), (2, 1, 3), (3, 9, 2), (4, 1, 2)] {
            let time = ShardTime(minute * NANOS_PER_MINUTE + 1);
            (0..allowed).for_each(|_| minutes.add(time, Verdict::Allowed));
            (0..denied).for_each(|_| minutes.add(time, Verdict::Denied));
        }
        let worst: Vec<_> =
            minutes.into_worst().into_iter().map(|row| (row.minute, row.requests, row.denied)).collect();
        let row = |minute: &str, requests, denied| (format!("1970-01-01T00:{minute}:00Z"), requests, denied);
        assert_eq!(worst, [row("02", 4, 3), row("03", 11, 2), row("01", 3, 2), row("04", 3, 2)]);
    }

    #[test]
    fn the_list_never_outgrows_a_screen_and_keeps_the_worst() {
        let mut minutes = Minutes::default();
        for minute in 0..100 {
            (0..=minute).for_each(|_| minutes.add(ShardTime(minute * NANOS_PER_MINUTE), Verdict::Denied));
        }
        let denied: Vec<_> = minutes.into_worst().into_iter().map(|row| row.denied).collect();
        assert_eq!(denied, [100, 99, 98, 97, 96, 95, 94, 93, 92, 91]);
    }
}
