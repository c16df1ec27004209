//! Liveness, once faults have stopped. Source: protocol, invariants and the table of failovers.
//!
//! L1: a shard whose owner or follower in sync runs, in the lifetime that its record names, has an answering owner within 2 s; one that
//! nobody runs for, as soon as the wait of a cold take-over is over (`liveness/gone.rs`); and a process that runs has a session. A
//! request that was lost while faults lasted is still waited for, 2 s, and sent again half a second later, so counting begins then. L4:
//! placements come to rest.

mod gone;

use drl_core::{Generation, ShardId};
use drl_engine::ownership::Holder;

pub(crate) use gone::{Evidence, Fences, Gone};

use super::{Era, Truth, Violation};
use crate::swarm::{MILLIS, SECOND};
use crate::trace::Client;

/// What a lost request costs.
const LEFT_OVER: u64 = 2_500 * MILLIS;

/// With somebody up.
const UP_WITHIN: u64 = 2 * SECOND;

/// When nothing has to be waited for: two writes to the disk (8 ms each) and two requests to etcd (6 ms each), and the same again when a
/// heartbeat that was under way refuses the first try, take less than 60 ms; what is left over is for being looked at ten times a second.
const TRIED_WITHIN: u64 = 200 * MILLIS;

/// A session begins at once, unless the key of an earlier one is in its way: that one goes within a TTL, and is asked for again after a
/// TTL and a retry (5.5 s) by a clock that may be slow.
const SESSION_WITHIN: u64 = 5_506 * MILLIS + TRIED_WITHIN;

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
    Gone(Gone),
}

/// How a node stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Session {
    /// No process runs.
    Down,
    /// The process has none yet; when it started.
    Waits {
        started: u64,
    },
    Stands(Generation),
}

/// How each shard and each node stands, and since when.
#[derive(Debug)]
pub(super) struct Silences {
    shards: Vec<(Standing, u64)>,
    /// Since when the ring names whom it names.
    named: Vec<u64>,
    sessions: Vec<(Session, u64)>,
}

impl Silences {
    pub(super) fn new(shards: usize, nodes: usize) -> Self {
        Self {
            shards: vec![(Standing::Answers, 0); shards],
            named: vec![0; shards],
            sessions: vec![(Session::Down, 0); nodes],
        }
    }

    /// `healed`: when faults stopped.
    fn runs(&mut self, node: usize, session: Session, healed: u64, now: u64) -> Result<(), Violation> {
        let (before, since) = &mut self.sessions[node];
        if *before != session {
            (*before, *since) = (session, now);
        }
        match session {
            Session::Waits { started } => {
                // Whoever started later has lost no request.
                let counts_from = if started < healed { (*since).max(healed + LEFT_OVER) } else { *since };
                if now <= counts_from + SESSION_WITHIN {
                    return Ok(());
                }
                let what = format!("node {node} runs, and has no session since {} ms", *since / MILLIS);
                Err(Violation::new("L1", now, what))
            }
            Session::Down | Session::Stands(_) => Ok(()),
        }
    }

    /// Since when a session stands; `None` if it does not.
    fn session_of(&self, holder: &Holder) -> Option<u64> {
        let is_theirs = |(session, _): &&(Session, u64)| *session == Session::Stands(holder.generation);
        self.sessions.iter().find(is_theirs).map(|(_, since)| *since)
    }

    /// The nodes whose sessions began when this evidence stood already, and counted.
    fn joined_after(&self, shard: ShardId, evidence: &Fences, healed: u64, now: u64) -> Vec<usize> {
        let since = match &self.shards[shard.index()] {
            (Standing::Gone(gone), since) if gone.evidence == *evidence => *since,
            _ => now,
        };
        let counts_from = since.max(healed + LEFT_OVER);
        let is_later =
            |(_, (session, at)): &(usize, &(Session, u64))| matches!(session, Session::Stands(_)) && *at > counts_from;
        self.sessions.iter().enumerate().filter(is_later).map(|(node, _)| node).collect()
    }

    /// `healed`: when faults stopped.
    fn stands(&mut self, shard: ShardId, standing: Standing, healed: u64, now: u64) -> Result<(), Violation> {
        let (before, since) = &mut self.shards[shard.index()];
        let (is_same, is_same_taker) = match (&*before, &standing) {
            (Standing::Gone(before), Standing::Gone(gone)) => {
                (before.evidence == gone.evidence, before.taker == gone.taker)
            }
            (before, standing) => (before == standing, false),
        };
        if !is_same {
            *since = now;
        }
        if !is_same_taker {
            self.named[shard.index()] = now;
        }
        let evidence = *since;
        *before = standing;
        let (standing, _) = &self.shards[shard.index()];
        let by = match standing {
            Standing::Answers => return Ok(()),
            Standing::Up => evidence.max(healed + LEFT_OVER) + UP_WITHIN,
            Standing::Gone(gone) => {
                let Some(session) = gone.taker.as_ref().and_then(|taker| self.session_of(taker)) else { return Ok(()) };
                gone::answers_by(gone, gone::Since { evidence, named: self.named[shard.index()], session }, healed)
            }
        };
        if now <= by {
            return Ok(());
        }
        let what = format!("shard {shard} should have an answering owner since {} ms, {standing:?}", by / MILLIS);
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

    /// How a node stands, all being well.
    ///
    /// # Errors
    /// A [`Violation`] when it has had no session for too long.
    pub(crate) fn runs(&mut self, node: usize, session: Session, now: u64) -> Result<(), Violation> {
        let healed = self.healed.unwrap_or(now);
        if self.era == Era::Restored { Ok(()) } else { self.silences.runs(node, session, healed, now) }
    }

    /// The nodes that joined when a shard was waited for already.
    pub(crate) fn joined_after(&self, shard: ShardId, evidence: &Fences, now: u64) -> Vec<usize> {
        self.silences.joined_after(shard, evidence, self.healed.unwrap_or(now), now)
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
