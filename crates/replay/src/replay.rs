//! Reads lines, then asks one counter per key, in the order of the log's own times. It decides nothing itself: what is allowed is what
//! [`Counter::check`] says, as on a server.

use std::io::{self, BufRead, Read};

use drl_core::Cost;
use drl_core::caps::{LOG_LINE_BYTES_MAX, REPLAY_MALFORMED_SHOWN_MAX, REPLAY_REQUESTS_MAX};
use drl_limits::{Counter, Decision, Policy, Reason};

use crate::Key;
use crate::line::{self, Malformed, MalformedReason};
use crate::minutes::Minutes;
use crate::report::{ClientTally, Report};
use crate::requests::Requests;

/// What every line costs.
const COST_OF_A_REQUEST: Cost = Cost::ONE;

/// A policy, the field that it counts by, and the requests read so far.
#[derive(Debug)]
pub struct Replay {
    policy: Policy,
    key: Key,
    requests: Requests,
    unkeyed: u64,
    malformed: u64,
    malformed_shown: Vec<Malformed>,
}

/// Why reading stopped before the end of the log.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the log cannot be read after line {lines}: {source}")]
    Io { lines: u64, source: io::Error },
    #[error(transparent)]
    TooManyRequests(#[from] TooManyRequests),
}

/// More requests than one replay holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {REPLAY_REQUESTS_MAX} requests; replay the log in parts, like a day at a time")]
pub struct TooManyRequests;

impl Replay {
    #[must_use]
    pub fn new(policy: Policy, key: Key) -> Self {
        Self { policy, key, requests: Requests::default(), unkeyed: 0, malformed: 0, malformed_shown: Vec::new() }
    }

    /// Takes all lines of `log`. May be called again for the next file of a rotated log, in any order.
    ///
    /// # Errors
    /// [`ReadError::Io`] when `log` fails, [`ReadError::TooManyRequests`] at the cap. What was read before stays. A malformed line is
    /// no error.
    pub fn read(&mut self, mut log: impl BufRead) -> Result<(), ReadError> {
        let key = self.key.clone();
        let json_names = key.json_names();
        let mut line = Vec::new();
        let mut number = 0;
        while next_line(&mut log, &mut line).map_err(|source| ReadError::Io { lines: number, source })? {
            number += 1;
            let text = line.trim_ascii_end();
            if line.len() > LOG_LINE_BYTES_MAX {
                self.leave_out(number, MalformedReason::TooLong);
            } else if !text.is_empty() {
                self.take(number, line::parse(text, &key, &json_names))?;
            }
        }
        Ok(())
    }

    /// Plays all requests that were read, one counter per key.
    #[must_use]
    pub fn run(self) -> Report {
        let (keys, requests) = self.requests.into_time_order();
        let mut counters: Vec<Option<Counter>> = keys.iter().map(|_| None).collect();
        let mut tallies = vec![ClientTally::default(); keys.len()];
        let mut minutes = Minutes::default();
        for request in &requests {
            let counter = counters[request.key.index()].get_or_insert_with(|| Counter::fresh(&self.policy));
            let verdict = Verdict::of(&counter.check(&self.policy, request.time, COST_OF_A_REQUEST));
            tallies[request.key.index()].add(verdict);
            minutes.add(request.time, verdict);
        }
        let span = requests.first().zip(requests.last()).map(|(first, last)| (first.time, last.time));
        let report = Report::new(span, &keys, &tallies, minutes.into_worst());
        report.with_lines_left_out(self.unkeyed, self.malformed, self.malformed_shown)
    }

    fn take(&mut self, number: u64, line: Result<line::Parsed<'_>, MalformedReason>) -> Result<(), TooManyRequests> {
        match line {
            Ok(line::Parsed { time, key: Some(key) }) => self.requests.push(time, &key)?,
            Ok(line::Parsed { key: None, .. }) => self.unkeyed += 1,
            Err(reason) => self.leave_out(number, reason),
        }
        Ok(())
    }

    fn leave_out(&mut self, line: u64, reason: MalformedReason) {
        self.malformed += 1;
        if self.malformed_shown.len() < REPLAY_MALFORMED_SHOWN_MAX {
            self.malformed_shown.push(Malformed { line, reason });
        }
    }
}

/// What a request met: under a shadow policy, what it would have met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    Denied,
}

impl Verdict {
    fn of(decision: &Decision) -> Self {
        if decision.allowed && decision.reason != Reason::Shadow { Self::Allowed } else { Self::Denied }
    }
}

/// Reads the next line into `line`; false at the end. Of a line longer than the cap one byte more than the cap is kept and the rest is
/// passed over.
fn next_line(log: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let most = u64::try_from(LOG_LINE_BYTES_MAX + 1).unwrap_or(u64::MAX);
    let read = log.by_ref().take(most).read_until(b'\n', line)?;
    if line.len() > LOG_LINE_BYTES_MAX && line.last() != Some(&b'\n') {
        log.skip_until(b'\n')?;
    }
    Ok(read > 0)
}

#[cfg(test)]
mod tests;
