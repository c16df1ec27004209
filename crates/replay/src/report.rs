//! What a replay found. Its JSON is an interface: `requests, allowed, denied, clients, clients_denied` at the top keep their names.

use std::cmp::Reverse;
use std::sync::Arc;

use drl_core::ShardTime;
use drl_core::caps::REPLAY_ROWS_MAX;
use serde::Serialize;

use crate::line::Malformed;
use crate::replay::Verdict;
use crate::timestamp;

/// The outcome of a replay. `requests` = `allowed` + `denied`; lines that were left out are in none of the three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub requests: u64,
    pub allowed: u64,
    pub denied: u64,
    /// Distinct keys.
    pub clients: u64,
    /// Distinct keys with at least one request denied.
    pub clients_denied: u64,
    /// Lines that could not be read.
    pub malformed: u64,
    /// Whole lines whose request has no key, like no user.
    pub unkeyed: u64,
    /// Time of the earliest and of the latest request in UTC, RFC 3339; `None` without requests.
    pub first: Option<String>,
    pub last: Option<String>,
    /// Most denied first; at most [`REPLAY_ROWS_MAX`].
    pub top_denied: Vec<ClientRow>,
    /// Most denied first; at most [`REPLAY_ROWS_MAX`].
    pub worst_minutes: Vec<MinuteRow>,
    /// The first malformed lines.
    pub malformed_lines: Vec<Malformed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientRow {
    /// As the log has it; bytes that are not UTF-8 are replaced.
    pub client: String,
    pub requests: u64,
    pub denied: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MinuteRow {
    /// Start of the minute in UTC, RFC 3339.
    pub minute: String,
    pub requests: u64,
    pub denied: u64,
}

/// What one key met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ClientTally {
    requests: u64,
    denied: u64,
}

impl ClientTally {
    pub(crate) fn add(&mut self, verdict: Verdict) {
        self.requests += 1;
        self.denied += u64::from(verdict == Verdict::Denied);
    }
}

impl Report {
    /// `keys` and `tallies` go together by index.
    pub(crate) fn new(
        span: Option<(ShardTime, ShardTime)>,
        keys: &[Arc<[u8]>],
        tallies: &[ClientTally],
        worst_minutes: Vec<MinuteRow>,
    ) -> Self {
        let requests = tallies.iter().map(|tally| tally.requests).sum();
        let denied = tallies.iter().map(|tally| tally.denied).sum();
        let mut denied_clients: Vec<(&ClientTally, &Arc<[u8]>)> =
            tallies.iter().zip(keys).filter(|(tally, _)| tally.denied > 0).collect();
        denied_clients.sort_unstable_by_key(|(tally, key)| (Reverse((tally.denied, tally.requests)), *key));
        Self {
            requests,
            allowed: requests - denied,
            denied,
            clients: count(keys.len()),
            clients_denied: count(denied_clients.len()),
            malformed: 0,
            unkeyed: 0,
            first: span.map(|(first, _)| timestamp::to_rfc3339(first)),
            last: span.map(|(_, last)| timestamp::to_rfc3339(last)),
            top_denied: denied_clients
                .iter()
                .take(REPLAY_ROWS_MAX)
                .map(|(tally, key)| client_row(tally, key))
                .collect(),
            worst_minutes,
            malformed_lines: Vec::new(),
        }
    }

    pub(crate) fn with_lines_left_out(self, unkeyed: u64, malformed: u64, malformed_lines: Vec<Malformed>) -> Self {
        Self { malformed, unkeyed, malformed_lines, ..self }
    }
}

fn client_row(tally: &ClientTally, key: &[u8]) -> ClientRow {
    let client = String::from_utf8_lossy(key).into_owned();
    ClientRow { client, requests: tally.requests, denied: tally.denied }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
