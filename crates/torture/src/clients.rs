//! Who asks: for each class and algorithm some clients through the Rust client, and some through RESP, each of these at one node for as long
//! as that one answers. Some have little for ten seconds, some little for a year (what was once used up must never come back), and some
//! have plenty (a denial is always needless).

use std::sync::Arc;

use anyhow::Result;
use drl_core::Nanos;
use drl_limits::{Algorithm, Durability, Limit, Policy, PolicySpec, Window};

/// One class with one algorithm: a column of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group {
    pub durability: Durability,
    pub algorithm: Algorithm,
}

/// Every group there is.
pub(crate) const GROUPS: [Group; 6] = [
    Group { durability: Durability::Replicated, algorithm: Algorithm::FixedWindow },
    Group { durability: Durability::Replicated, algorithm: Algorithm::SlidingWindow },
    Group { durability: Durability::Replicated, algorithm: Algorithm::TokenBucket },
    Group { durability: Durability::Async, algorithm: Algorithm::FixedWindow },
    Group { durability: Durability::Async, algorithm: Algorithm::SlidingWindow },
    Group { durability: Durability::Async, algorithm: Algorithm::TokenBucket },
];

/// How a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Rust,
    Resp,
}

/// A client that asks.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub id: String,
    /// Its place in [`GROUPS`].
    pub group: usize,
    pub door: Door,
    pub policy: Arc<Policy>,
}

impl Client {
    /// Whether all that it was ever granted still counts at the end of a run.
    pub(crate) fn is_remembered(&self) -> bool {
        let is_long = self.policy.limits().iter().all(|limit| limit.window().nanos().0 == YEAR);
        // A large bucket refills.
        is_long && (self.policy.algorithm() != Algorithm::TokenBucket || self.policy.limits()[0].requests() < PLENTY)
    }
}

/// Never used up.
const PLENTY: u64 = 1_000_000_000;

/// What a client may do.
struct Allowance {
    name: &'static str,
    requests: u64,
    window: (&'static str, u64),
    /// How many clients have it: through the Rust client, through RESP.
    clients: (usize, usize),
}

const SECOND: u64 = 1_000_000_000;

/// No window of this length ends while a run lasts, but for one in a year.
const YEAR: u64 = 366 * 86_400 * SECOND;

const ALLOWANCES: [Allowance; 3] = [
    Allowance { name: "short", requests: 40, window: ("10s", 10 * SECOND), clients: (2, 1) },
    Allowance { name: "long", requests: 300, window: ("366d", YEAR), clients: (2, 1) },
    Allowance { name: "plenty", requests: PLENTY, window: ("366d", YEAR), clients: (2, 1) },
];

/// The policies, as a place and a value to put there.
#[must_use]
pub(crate) fn policies() -> Vec<(String, String)> {
    let mut policies = Vec::new();
    for group in GROUPS {
        let Group { durability, algorithm } = group;
        for Allowance { name, requests, window, .. } in ALLOWANCES {
            let limits = format!(r#"[{{"requests":{requests},"window":"{}"}}]"#, window.0);
            let value = format!(r#"{{"limits":{limits},"algorithm":"{algorithm}","durability":"{durability}"}}"#);
            policies.push((format!("prefixes/{}", prefix(group, name)), value));
        }
    }
    policies
}

fn prefix(group: Group, allowance: &str) -> String {
    format!("{}-{}-{allowance}-", group.durability, group.algorithm)
}

/// Everybody. Those of another round have other names, so that what was used before does not count.
///
/// # Errors
/// A policy is none.
pub(crate) fn everybody(round: u64) -> Result<Vec<Client>> {
    let mut clients = Vec::new();
    for (index, group) in GROUPS.into_iter().enumerate() {
        for Allowance { name, requests, window, clients: (rust, resp) } in ALLOWANCES {
            let limits = vec![Limit::new(requests, Window::new(Nanos(window.1))?)?];
            let Group { durability, algorithm } = group;
            let policy = Policy::new(PolicySpec { limits, algorithm, durability, ..PolicySpec::default() })?;
            let policy = Arc::new(policy);
            for (door, count) in [(Door::Rust, rust), (Door::Resp, resp)] {
                for number in 0..count {
                    let id = format!("{}{round}-{door:?}-{number}", prefix(group, name));
                    clients.push(Client { id, group: index, door, policy: Arc::clone(&policy) });
                }
            }
        }
    }
    Ok(clients)
}
