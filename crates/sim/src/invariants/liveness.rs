//! Liveness, once faults have stopped. Source: protocol, invariants and the table of failovers.
//!
//! L1: a shard whose owner or follower in sync runs, in the lifetime that its record names, has an answering owner within 2 s; where
//! neither does, after TTL + A. A request that was lost while faults lasted is still waited for, 2 s, and sent again half a second later, so
//! counting begins then. L4: placements come to rest.

use drl_core::{Generation, ShardId};

use super::{Era, Truth, Violation};
use crate::swarm::{MILLIS, SECOND};
use crate::trace::Client;

/// What a lost request costs.
const LEFT_OVER: u64 = 2_500 * MILLIS;

/// With somebody up.
const UP_WITHIN: u64 = 2 * SECOND;

/// With nobody, and their nodes' keys gone or of later lifetimes: whoever takes over may have to wait for its own earlier session (TTL and a
/// retry), then comes the wait of a cold take-over by the slowest clock, and as long as if somebody were up. A key that nobody keeps
/// alive goes within a TTL.
const GONE_WITHIN: u64 = 5_500 * MILLIS + 60_300 * MILLIS + UP_WITHIN;

/// So long after the end of faults nothing moves any more, and nobody is turned away.
pub(crate) const AT_REST_AFTER: u64 = 90 * SECOND;

/// The last part of a run, in which every shard must have answered: a client asks every 3 s, or more often.
const LAST: u64 = 5 * SECOND;

pub(super) fn check(answered: &[u64], clients: &[Client], end: u64) -> Result<(), Violation> {
    let silent = answered.iter().enumerate().find(|(shard, answered)| {
        let is_asked = clients.iter().any(|client| client.shard.index() == *shard);
        is_asked && **answered + LAST < end
    });
    match silent {
        None => Ok(()),
        Some((shard, answered)) => {
            let what = format!("shard {shard} has not answered since {} s", answered / SECOND);
            Err(Violation::new("L1", end, what))
        }
    }
}

/// How a shard stands at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    Answers,
    /// Its owner or its follower in sync runs.
    Up,
    /// Neither does; the generations of their nodes' keys. Whoever waits for them begins anew when a key changes.
    Gone(Vec<Generation>),
}

/// How each shard stands, and since when.
#[derive(Debug)]
pub(super) struct Silences(Vec<(Standing, u64)>);

impl Silences {
    pub(super) fn new(shards: usize) -> Self {
        Self(vec![(Standing::Answers, 0); shards])
    }

    /// `healed`: when faults stopped.
    pub(super) fn stands(
        &mut self,
        shard: ShardId,
        standing: Standing,
        healed: u64,
        now: u64,
    ) -> Result<(), Violation> {
        let (before, since) = &mut self.0[shard.index()];
        if *before != standing {
            (*before, *since) = (standing, now.max(healed + LEFT_OVER));
        }
        let within = match before {
            Standing::Answers => return Ok(()),
            Standing::Up => UP_WITHIN,
            Standing::Gone(_) => GONE_WITHIN,
        };
        if now <= *since + within {
            return Ok(());
        }
        let what = format!("shard {shard} has no answering owner since {} ms, {before:?}", *since / MILLIS);
        Err(Violation::new("L1", now, what))
    }
}

/// A record changed; `healed`: when faults stopped, if they have.
pub(super) fn changed(shard: ShardId, healed: Option<u64>, now: u64) -> Result<(), Violation> {
    match healed.filter(|healed| healed + AT_REST_AFTER < now) {
        None => Ok(()),
        Some(_) => Err(Violation::new("L4", now, format!("the record of shard {shard} changes although all is well"))),
    }
}

impl Truth {
    /// A record changes.
    ///
    /// # Errors
    /// A [`Violation`] when placements should have come to rest.
    pub(crate) fn changes(&self, shard: ShardId, now: u64) -> Result<(), Violation> {
        if self.era == Era::Restored { Ok(()) } else { changed(shard, self.healed, now) }
    }

    /// How a shard stands, all being well.
    ///
    /// # Errors
    /// A [`Violation`] when it has been silent for too long.
    pub(crate) fn stands(&mut self, shard: ShardId, standing: Standing, now: u64) -> Result<(), Violation> {
        let healed = self.healed.unwrap_or(now);
        if self.era == Era::Restored { Ok(()) } else { self.silences.stands(shard, standing, healed, now) }
    }
}
