//! Until when a node may answer, and how long others wait before they assume that it no longer does.
//!
//! Rule (protocol, authority deadline): a heartbeat that succeeded and was sent at `t_sent` gives
//! `deadline = t_sent + A (1 - rho) - delta`; a cold take-over waits `A (1 + rho) + delta`. `t_sent` is taken before sending. With
//! clock rates within rho of real time, whoever waits is longer than whoever answers: `A (1 - rho) / (1 - rho) <= A` of real time
//! on one side, `A (1 + rho) / (1 + rho) >= A` on the other.

use drl_core::Nanos;

/// The spans of time that ownership goes by. All nodes of a cluster have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority {
    /// A: how long one heartbeat lets a node answer.
    pub span: Nanos,
    /// rho, in millionths: how far a clock's rate may be off.
    pub drift_ppm: u64,
    /// delta: for whatever arithmetic and scheduling cost on either side.
    pub margin: Nanos,
    /// How often a node shows that its session lives.
    pub beat_every: Nanos,
    /// After this long without a keep-alive etcd ends a session.
    pub session_ttl: Nanos,
    /// How long after a failure something is tried again.
    pub retry_after: Nanos,
    /// How often everything is read anew, whatever the watch says.
    pub relist_every: Nanos,
}

impl Default for Authority {
    fn default() -> Self {
        Self {
            span: Nanos::from_secs(60),
            drift_ppm: 1_000,
            margin: Nanos::from_millis(100),
            beat_every: Nanos::from_secs(5),
            session_ttl: Nanos::from_secs(5),
            retry_after: Nanos::from_millis(500),
            relist_every: Nanos::from_secs(60),
        }
    }
}

impl Authority {
    /// From here on a node whose last good heartbeat was sent at `sent` does not answer.
    #[must_use]
    pub const fn deadline(&self, sent: Nanos) -> Nanos {
        Nanos(sent.0.saturating_add(self.span.0).saturating_sub(self.drift().saturating_add(self.margin.0)))
    }

    /// How long somebody must be gone before a cold take-over.
    #[must_use]
    pub const fn cold_wait(&self) -> Nanos {
        Nanos(self.span.0.saturating_add(self.drift()).saturating_add(self.margin.0))
    }

    const fn drift(&self) -> u64 {
        (self.span.0 / 1_000_000).saturating_mul(self.drift_ppm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_gives_59_84_seconds_and_costs_others_60_16() {
        let authority = Authority::default();
        assert_eq!(authority.deadline(Nanos::from_secs(100)), Nanos::from_millis(159_840));
        assert_eq!(authority.cold_wait(), Nanos::from_millis(60_160));
    }

    #[test]
    fn whenever_etcd_goes_away_checks_go_on_for_fifty_seconds() {
        let authority = Authority::default();
        // The last heartbeat that succeeded was sent so long before.
        let sent = Nanos::from_secs(100);
        let away = Nanos(sent.0 + authority.beat_every.0);
        assert!(authority.deadline(sent) >= Nanos(away.0 + Nanos::from_secs(50).0));
    }

    #[test]
    fn whoever_waits_is_longer_than_whoever_answers_at_the_worst_rates() {
        let authority = Authority::default();
        let slowest_answerer = u128::from(authority.deadline(Nanos::ZERO).0) * 1_000_000 / (1_000_000 - 1_000);
        let fastest_waiter = u128::from(authority.cold_wait().0) * 1_000_000 / (1_000_000 + 1_000);
        assert!(slowest_answerer < fastest_waiter);
    }
}
