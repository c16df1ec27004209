//! A node's session: from a lease to a key under the node's name, and the end of everything when the deadline has passed.
//!
//! Rules (protocol, epoch rule 4 and authority deadline): a node, at every start and whenever it is past its deadline, drops every
//! role, takes a new session with a new generation, reads all records, raises its promises durably, and only then goes on. The
//! lease id is kept in the locked directory: a restart revokes it and goes on; a key under a foreign lease means wait one TTL,
//! then end ("node id in use").
//!
//! ```text
//!  New -> (Discarding) -> Ending -> Granting -> Noting -> Registering -> Reading -> Promising -> Serving
//!                           ^                              | foreign key: once more after a TTL       |
//!                           +--------------------------- deadline passed -----------------------------+
//! ```

use drl_core::{Generation, Nanos};

use super::agent::{Copies, NodeAgent, Turn};
use super::bugs::{Bug, Bugs};
use super::command::{Closed, Command, Fact, Report};
use super::event::{Found, Token, Wholeness};
use super::heartbeat::Beats;
use super::local::{Local, Role};
use super::marker::RoleMarker;
use super::pending::Pending;
use super::stop::StopReason;
use super::transaction::{Guard, Outcome, Transaction, Write};
use super::view::LeaseId;
use crate::replication::Order;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    New,
    /// The directory was doubtful; its counters and markers are being dropped.
    Discarding,
    Ending,
    Granting,
    Noting,
    Registering,
    /// Somebody else's key has this node's name; asked again then.
    Knocking {
        again_at: Nanos,
        lease: LeaseId,
        transaction: Transaction,
    },
    /// Asked for the last time.
    LastKnock,
    Reading,
    Promising,
    Serving,
    Stopped,
}

impl<B: Bugs> NodeAgent<B> {
    pub(super) fn start(&mut self, found: &Found, turn: &mut Turn<'_>) {
        self.locals = found.shards.iter().map(Local::new).collect();
        self.locals.resize_with(usize::from(self.shards.get()), || Local::new(&super::event::FoundShard::default()));
        (self.lease, self.seen) = (found.lease, found.seen);
        if found.wholeness == Wholeness::Whole || self.bugs.has(Bug::ResumesFromAnyDirectory) {
            return self.begin_session(turn);
        }
        turn.report(Report::JournalDoubtful);
        self.phase = Phase::Discarding;
        let mut facts = Vec::new();
        for shard in self.shards.iter() {
            let local = &mut self.locals[shard.index()];
            if local.marker != RoleMarker::default() {
                local.marker = RoleMarker::default();
                facts.push(self.fact(shard));
            }
        }
        facts.push(Fact::CountersDiscarded);
        self.persist(facts, Pending::Discarded, turn);
    }

    pub(super) fn check_deadline(&mut self, turn: &mut Turn<'_>) {
        let is_over =
            self.phase == Phase::Serving && self.deadline != Nanos::ZERO && self.deadline <= turn.now.boottime;
        let goes_on = self.bugs.has(Bug::RejoinsWithOldRoles) || self.bugs.has(Bug::AnswersPastDeadline);
        if !is_over || goes_on {
            return;
        }
        turn.report(Report::AuthorityLost);
        self.begin_anew(turn);
    }

    /// Drops everything that belonged to the session, and takes another one.
    pub(super) fn begin_anew(&mut self, turn: &mut Turn<'_>) {
        self.drop_every_role(turn);
        self.begin_session(turn);
    }

    pub(super) fn drop_every_role(&mut self, turn: &mut Turn<'_>) {
        if self.deadline != Nanos::ZERO {
            turn.say(Command::SetDeadline(Nanos::ZERO));
        }
        self.deadline = Nanos::ZERO;
        if self.copies == Copies::Two {
            self.silences.clear();
            self.listened.clear();
            self.invitations.clear();
            turn.order(Order::Lifetime(None));
        }
        self.beats = Beats::default();
        self.pending.clear();
        self.retries.clear();
        self.relist_at = Nanos::MAX;
        for shard in self.shards.iter() {
            let Some(local) = self.locals.get_mut(shard.index()) else { continue };
            local.in_flight = None;
            local.behind = None;
            local.follow = None;
            if local.role != Role::Idle {
                self.leave(shard, Closed::Unknown, turn);
            }
        }
    }

    pub(super) fn begin_session(&mut self, turn: &mut Turn<'_>) {
        match self.lease {
            Some(lease) => {
                self.phase = Phase::Ending;
                let token = self.wait_for(Pending::Revoke(lease));
                turn.say(Command::Revoke { token, lease });
            }
            None => self.grant(turn),
        }
    }

    fn grant(&mut self, turn: &mut Turn<'_>) {
        self.phase = Phase::Granting;
        let token = self.wait_for(Pending::Grant);
        turn.say(Command::Grant { token });
    }

    pub(super) fn revoked(&mut self, token: Token, turn: &mut Turn<'_>) {
        self.retries.remove(&token);
        if self.pending.remove(&token).is_some() {
            self.lease = None;
            self.grant(turn);
        }
    }

    pub(super) fn granted(&mut self, token: Token, lease: LeaseId, generation: Generation, turn: &mut Turn<'_>) {
        self.retries.remove(&token);
        let Some(waiting) = self.pending.remove(&token) else { return };
        let facts = vec![Fact::Lease(Some(lease))];
        match waiting.what {
            Pending::Grant => {
                self.phase = Phase::Noting;
                self.lease = Some(lease);
                self.persist(facts, Pending::LeaseNoted { lease, generation }, turn);
            }
            Pending::RenewGrant => {
                self.persist(facts, Pending::RenewNoted(lease), turn);
            }
            _ => {}
        }
    }

    pub(super) fn register(&mut self, lease: LeaseId, generation: Generation, turn: &mut Turn<'_>) {
        self.phase = Phase::Registering;
        self.generation = generation;
        let guards = vec![Guard::NodeAbsent(self.me.clone())];
        let transaction = Transaction::new(guards, vec![self.own_key(lease)]);
        self.send_registration(lease, transaction, turn);
    }

    pub(super) fn own_key(&self, lease: LeaseId) -> Write {
        let draining = self.leaving != super::spread::Leaving::No;
        Write::Node { node: self.me.clone(), generation: self.generation, lease, draining }
    }

    fn send_registration(&mut self, lease: LeaseId, transaction: Transaction, turn: &mut Turn<'_>) {
        let token = self.wait_for(Pending::Register { lease, transaction: transaction.clone() });
        turn.say(Command::Transact { token, transaction });
    }

    pub(super) fn registered(
        &mut self,
        lease: LeaseId,
        transaction: Transaction,
        outcome: Outcome,
        turn: &mut Turn<'_>,
    ) {
        let is_ours = match outcome {
            Outcome::Committed(view) => {
                self.learn(view, turn);
                true
            }
            Outcome::Refused(view) => view.nodes.iter().any(|(node, entry)| {
                // An earlier attempt whose outcome was not known did it.
                *node == self.me && entry.is_some_and(|entry| entry.lease == lease)
            }),
            Outcome::LeaseGone | Outcome::Unknown => return self.begin_anew(turn),
        };
        if is_ours {
            self.phase = Phase::Reading;
            return self.read_all(turn);
        }
        if self.phase == Phase::LastKnock {
            return self.stop(StopReason::NodeIdInUse, turn);
        }
        let wait = self.authority.session_ttl.0.saturating_add(self.authority.retry_after.0);
        let again_at = Nanos(turn.now.boottime.0.saturating_add(wait));
        self.phase = Phase::Knocking { again_at, lease, transaction };
    }

    pub(super) fn knocks_at(&self) -> Option<Nanos> {
        match &self.phase {
            Phase::Knocking { again_at, .. } => Some(*again_at),
            _ => None,
        }
    }

    pub(super) fn knock_again(&mut self, turn: &mut Turn<'_>) {
        if let Phase::Knocking { again_at, lease, transaction } = &self.phase
            && *again_at <= turn.now.boottime
        {
            let (lease, transaction) = (*lease, transaction.clone());
            self.phase = Phase::LastKnock;
            self.send_registration(lease, transaction, turn);
        }
    }

    /// Notes that something got no answer; it is sent again a little later.
    pub(super) fn try_again(&mut self, token: Token, turn: &mut Turn<'_>) {
        if let Some(waiting) = self.pending.get(&token) {
            if matches!(waiting.what, Pending::Records { .. }) {
                turn.report(Report::OutcomeUnknown);
            }
            let at = Nanos(turn.now.boottime.0.saturating_add(self.authority.retry_after.0));
            self.retries.insert(token, at);
        }
    }

    pub(super) fn send_again(&mut self, token: Token, turn: &mut Turn<'_>) {
        let Some(waiting) = self.pending.get(&token) else { return };
        let command = match &waiting.what {
            Pending::Revoke(lease) => Command::Revoke { token, lease: *lease },
            Pending::Grant | Pending::RenewGrant => Command::Grant { token },
            Pending::Register { transaction, .. }
            | Pending::ReadAll(transaction)
            | Pending::Announce(transaction)
            | Pending::Renew { transaction, .. }
            | Pending::Records { transaction, .. } => Command::Transact { token, transaction: transaction.clone() },
            _ => return,
        };
        turn.say(command);
    }
}
