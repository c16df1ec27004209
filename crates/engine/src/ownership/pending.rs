//! What a node waits for: every command with a token leaves a note here, and the answer finds it.
//!
//! Invariant: an answer is taken once. One that comes twice, or after its session has ended, finds nothing.

use drl_core::{Generation, Nanos, ShardId, ShardTime};

use super::agent::{NodeAgent, Turn};
use super::bugs::Bugs;
use super::claim::Claim;
use super::event::Token;
use super::transaction::{Outcome, Transaction};
use super::view::{LeaseId, Revision};

/// What an answer is for, and the highest revision that was seen when it was asked for.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) what: Pending,
    pub(super) seen: Revision,
}

#[derive(Debug, Clone)]
pub(super) enum Pending {
    Discarded,
    Revoke(LeaseId),
    Grant,
    LeaseNoted {
        lease: LeaseId,
        generation: Generation,
    },
    Register {
        lease: LeaseId,
        transaction: Transaction,
    },
    ReadAll(Transaction),
    Promised,
    Beat {
        sent: Nanos,
        time_hi: ShardTime,
    },
    RenewGrant,
    RenewNoted(LeaseId),
    Renew {
        lease: LeaseId,
        sent: Nanos,
        time_hi: ShardTime,
        transaction: Transaction,
    },
    Announce(Transaction),
    Intents(Vec<Claim>),
    Records {
        transaction: Transaction,
        shards: Vec<ShardId>,
    },
    Adoptions(Vec<ShardId>),
    FloorNoted(ShardId),
    /// The next epochs of shards that this node owns.
    Raised(Vec<ShardId>),
    /// Promises to follow.
    Joining(Vec<ShardId>),
    /// A complete copy.
    CopyNoted(ShardId),
}

impl Waiting {
    pub(super) const fn is_reading(&self) -> bool {
        matches!(self.what, Pending::ReadAll(_))
    }
}

impl<B: Bugs> NodeAgent<B> {
    pub(super) fn wait_for(&mut self, what: Pending) -> Token {
        self.last_token = Token(self.last_token.0.saturating_add(1));
        let seen = self.seen.map_or(Revision(0), |(_, revision)| revision);
        self.pending.insert(self.last_token, Waiting { what, seen });
        self.last_token
    }

    pub(super) fn ended(&mut self, token: Token, outcome: Outcome, turn: &mut Turn<'_>) {
        if let (Outcome::Committed(view) | Outcome::Refused(view), Some(waiting)) = (&outcome, self.pending.get(&token))
            && let Some(reason) = self.went_back(view, waiting.seen)
        {
            return self.stop(reason, turn);
        }
        if outcome == Outcome::Unknown
            && !matches!(self.pending.get(&token), Some(Waiting { what: Pending::Beat { .. }, .. }))
        {
            if self.is_superseded(token) {
                return self.forget(token);
            }
            return self.try_again(token, turn);
        }
        self.retries.remove(&token);
        let Some(waiting) = self.pending.remove(&token) else { return };
        match waiting.what {
            Pending::Register { lease, transaction } => self.registered(lease, transaction, outcome, turn),
            Pending::ReadAll(_) => self.read(outcome, turn),
            Pending::Beat { sent, time_hi } => self.beat_ended(sent, time_hi, outcome, turn),
            Pending::Renew { lease, sent, time_hi, .. } => self.renewed(lease, sent, time_hi, outcome, turn),
            Pending::Announce(announcement) => self.announced(&announcement, outcome, turn),
            Pending::Records { transaction, shards } => self.records_ended(&transaction, &shards, outcome, turn),
            _ => {}
        }
    }

    /// Nobody waits for this answer any more.
    pub(super) fn forget(&mut self, token: Token) {
        self.retries.remove(&token);
        self.pending.remove(&token);
    }

    pub(super) fn persisted(&mut self, token: Token, turn: &mut Turn<'_>) {
        let Some(waiting) = self.pending.remove(&token) else { return };
        match waiting.what {
            Pending::Discarded => self.begin_session(turn),
            Pending::LeaseNoted { lease, generation } => self.register(lease, generation, turn),
            Pending::RenewNoted(lease) => self.renew(lease, turn),
            Pending::Promised => self.serve(turn),
            Pending::Intents(claims) => self.take_claims(claims, token, turn),
            Pending::Adoptions(adopted) => self.promised(&adopted, token, turn),
            Pending::FloorNoted(shard) => self.locals[shard.index()].in_flight = None,
            Pending::Raised(shards) => self.raised(&shards, token, turn),
            Pending::Joining(shards) => self.join(&shards, token, turn),
            Pending::CopyNoted(shard) => self.copy_noted(shard, token, turn),
            _ => {}
        }
    }
}
