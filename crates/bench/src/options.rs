//! What a run is to do, and what cannot be done.

use std::time::Duration;

use drl_core::caps::{BATCH_CHECKS_MAX, BENCH_CALLS_MAX, BENCH_CLIENTS_MAX, BENCH_CONNECTIONS_MAX, BENCH_RATE_MAX};

use crate::door::RespCommand;
use crate::keys::Keys;

/// Which door is asked, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The routing client, over check streams.
    Stream { address: String, namespace: String },
    /// Check streams by hand, to the node at this address only.
    RawStream { address: String, namespace: String },
    /// Unary gRPC calls.
    Unary { address: String, namespace: String },
    /// Unary gRPC calls to a server that decides nothing; see [`crate::echo`].
    Echo { address: String },
    /// The Redis protocol.
    Resp { address: String, command: RespCommand },
}

/// Everything that is chosen for a run, except the door.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    pub connections: usize,
    /// Calls under way on each connection at a time.
    pub in_flight: usize,
    /// Checks in each call.
    pub batch: usize,
    /// Checks a second of an open loop; `None`: a closed loop.
    pub rate: Option<u64>,
    /// How long calls are made and measured.
    pub duration: Duration,
    /// How long calls are made before that.
    pub warmup: Duration,
    /// Longest wait for connecting, and for each call.
    pub timeout: Duration,
    pub keys: Keys,
    /// Checks are of clients 1 to this.
    pub clients: u64,
    pub seed: u64,
    /// Threads of the runtime that the run is in.
    pub threads: usize,
}

/// A run that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOptions {
    #[error("{sent} connections; use 1 to {BENCH_CONNECTIONS_MAX}")]
    Connections { sent: usize },
    #[error(
        "{connections} connections with {in_flight} calls in flight each; together at most {BENCH_CALLS_MAX}, and at least 1"
    )]
    InFlight { connections: usize, in_flight: usize },
    #[error("{sent} checks in a call; use 1 to {BATCH_CHECKS_MAX}")]
    Batch { sent: usize },
    #[error("a rate of {sent} checks a second; use 1 to {BENCH_RATE_MAX}")]
    Rate { sent: u64 },
    #[error("{sent} clients; use 1 to {BENCH_CLIENTS_MAX}")]
    Clients { sent: u64 },
    #[error("a RESP connection has one call in flight; use more connections or larger batches")]
    RespInFlight,
}

impl Target {
    /// Its name on the command line and in reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Stream { .. } => "stream",
            Self::RawStream { .. } => "raw-stream",
            Self::Unary { .. } => "unary",
            Self::Echo { .. } => "echo",
            Self::Resp { .. } => "resp",
        }
    }

    /// Where it is, `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        match self {
            Self::Stream { address, .. }
            | Self::RawStream { address, .. }
            | Self::Unary { address, .. }
            | Self::Echo { address }
            | Self::Resp { address, .. } => address,
        }
    }
}

impl Options {
    /// How many workers there are.
    #[must_use]
    pub const fn workers(&self) -> usize {
        self.connections.saturating_mul(self.in_flight)
    }

    /// # Errors
    /// [`InvalidOptions`]: what is out of its range.
    pub fn validate(&self, target: &Target) -> Result<(), InvalidOptions> {
        let Self { connections, in_flight, batch, rate, clients, .. } = *self;
        if !(1..=BENCH_CONNECTIONS_MAX).contains(&connections) {
            return Err(InvalidOptions::Connections { sent: connections });
        }
        if !(1..=BENCH_CALLS_MAX).contains(&self.workers()) {
            return Err(InvalidOptions::InFlight { connections, in_flight });
        }
        if !(1..=BATCH_CHECKS_MAX).contains(&batch) {
            return Err(InvalidOptions::Batch { sent: batch });
        }
        if let Some(sent) = rate.filter(|rate| !(1..=BENCH_RATE_MAX).contains(rate)) {
            return Err(InvalidOptions::Rate { sent });
        }
        if !(1..=BENCH_CLIENTS_MAX).contains(&clients) {
            return Err(InvalidOptions::Clients { sent: clients });
        }
        if matches!(target, Target::Resp { .. }) && in_flight != 1 {
            return Err(InvalidOptions::RespInFlight);
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn options() -> Options {
        Options {
            connections: 2,
            in_flight: 3,
            batch: 4,
            rate: None,
            duration: Duration::from_secs(3),
            warmup: Duration::from_millis(500),
            timeout: Duration::from_secs(5),
            keys: Keys::Zipf { exponent: 1.5 },
            clients: 1_000,
            seed: 7,
            threads: 1,
        }
    }

    pub(crate) fn target() -> Target {
        Target::Unary { address: "127.0.0.1:7700".to_owned(), namespace: "default".to_owned() }
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let refused = |options: Options| options.validate(&target()).unwrap_err();
        assert_eq!(options().validate(&target()), Ok(()));
        assert_eq!(refused(Options { connections: 0, ..options() }), InvalidOptions::Connections { sent: 0 });
        let many = BENCH_CALLS_MAX / 2 + 1;
        let expected = InvalidOptions::InFlight { connections: 2, in_flight: many };
        assert_eq!(refused(Options { in_flight: many, ..options() }), expected);
        assert!(Options { in_flight: 0, ..options() }.validate(&target()).is_err());
        assert_eq!(refused(Options { batch: 1_025, ..options() }), InvalidOptions::Batch { sent: 1_025 });
        assert_eq!(refused(Options { rate: Some(0), ..options() }), InvalidOptions::Rate { sent: 0 });
        assert_eq!(refused(Options { clients: 0, ..options() }), InvalidOptions::Clients { sent: 0 });
        let resp = Target::Resp { address: String::new(), command: RespCommand::Allow };
        assert_eq!(options().validate(&resp), Err(InvalidOptions::RespInFlight));
        assert_eq!(Options { in_flight: 1, ..options() }.validate(&resp), Ok(()));
    }
}
