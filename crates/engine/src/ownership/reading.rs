//! Reading everything: at the start of a session, after a broken watch, and now and then anyway.
//!
//! Rules (protocol, epoch rules 4 and 8): a new session reads all records and raises its promises to their epochs, durably, before
//! anything else. The read is a transaction that writes the node's own key again, so that no stale member can answer it. Revision
//! and cluster id are kept on disk; when they, or an epoch, go back, etcd was restored from a backup: every role is dropped.
//!
//! A reading without an outcome is sent again only while no later one is under way: an outage of the store would leave as many of them as
//! were asked for meanwhile, to be sent all at once when it is back.

use drl_core::Nanos;

use super::agent::{Copies, NodeAgent, Turn};
use super::bugs::Bugs;
use super::command::{Command, Fact};
use super::event::Token;
use super::pending::{Pending, Waiting};
use super::promise::Promise;
use super::session::Phase;
use super::stop::StopReason;
use super::transaction::{Guard, Outcome, Reads, Transaction};
use super::view::{Revision, View};
use crate::replication::Order;

impl<B: Bugs> NodeAgent<B> {
    pub(super) fn read_all(&mut self, turn: &mut Turn<'_>) {
        let Some(lease) = self.lease else { return };
        self.relist_at = Nanos(turn.now.boottime.0.saturating_add(self.authority.relist_every.0));
        let without_outcome =
            |token: &Token, waiting: &Waiting| waiting.is_reading() && self.retries.contains_key(token);
        let superseded: Vec<Token> = self
            .pending
            .iter()
            .filter(|(token, waiting)| without_outcome(token, waiting))
            .map(|(token, _)| *token)
            .collect();
        for token in superseded {
            self.forget(token);
        }
        let guards = vec![Guard::Lease { node: self.me.clone(), lease }];
        let transaction = Transaction { guards, writes: vec![self.own_key(lease)], reads: Reads::Everything };
        let token = self.wait_for(Pending::ReadAll(transaction.clone()));
        turn.say(Command::Transact { token, transaction });
    }

    /// Whether a reading was sent after this one, and waits for its answer.
    pub(super) fn is_superseded(&self, reading: Token) -> bool {
        let is_reading = |token| self.pending.get(token).is_some_and(Waiting::is_reading);
        is_reading(&reading) && self.pending.keys().any(|token| *token > reading && is_reading(token))
    }

    pub(super) fn read(&mut self, outcome: Outcome, turn: &mut Turn<'_>) {
        match (outcome, self.phase == Phase::Reading) {
            (Outcome::Committed(view), is_first) => {
                self.learn(view, turn);
                let own = self.known.beat(&self.me).map(|beat| beat.time_hi).unwrap_or_default();
                self.beats.time_hi = self.beats.time_hi.max(own);
                self.doubt_no_more();
                if is_first {
                    // The session's key stands, so no earlier one can send a heartbeat any more, and this one has sent none yet.
                    self.beats.inherited = own;
                    self.promise_everything(turn);
                }
            }
            (_, true) => self.begin_anew(turn),
            (Outcome::Refused(view), false) => {
                self.learn(view, turn);
                self.beats.next = self.beats.next.min(turn.now.boottime);
                // The session was re-created, or is about to be: what was asked for is still not known.
                self.relist_at = Nanos(turn.now.boottime.0.saturating_add(self.authority.retry_after.0));
            }
            (Outcome::LeaseGone | Outcome::Unknown, false) => {}
        }
    }

    /// Raises every promise to what the records say, on disk.
    fn promise_everything(&mut self, turn: &mut Turn<'_>) {
        self.phase = Phase::Promising;
        let mut facts = Vec::new();
        for shard in self.shards.iter() {
            if self.known.is_unreadable(shard) {
                continue;
            }
            let found = self.known.record(shard).map(|versioned| Promise::of(&versioned.record)).unwrap_or_default();
            let local = &mut self.locals[shard.index()];
            if !local.promise.allows(found) {
                let (found, promised) = (found.epoch.0, local.promise.epoch.0);
                return self.stop(StopReason::EpochWentBack { shard: shard.get(), found, promised }, turn);
            }
            // Only what is new is written: the others are on disk.
            if local.promise != found {
                local.promise = found;
                facts.push(self.fact(shard));
            }
        }
        facts.extend(self.seen_fact());
        self.persist(facts, Pending::Promised, turn);
    }

    pub(super) fn serve(&mut self, turn: &mut Turn<'_>) {
        // A watch that broke meanwhile has asked for another reading; it is not forgotten here.
        self.phase = Phase::Serving;
        self.beats.next = turn.now.boottime;
        if self.copies == Copies::Two {
            turn.order(Order::Lifetime(Some(self.myself())));
        }
    }

    pub(super) fn seen_fact(&self) -> Option<Fact> {
        self.seen.map(|(cluster, revision)| Fact::Seen { cluster, revision })
    }

    /// What an answer proves about etcd's past: `sent_after` was seen before the question was sent.
    pub(super) fn went_back(&self, view: &View, sent_after: Revision) -> Option<StopReason> {
        let (cluster, _) = self.seen?;
        if cluster != view.cluster {
            return Some(StopReason::OtherCluster { found: view.cluster, seen: cluster });
        }
        (view.revision < sent_after).then_some(StopReason::RevisionWentBack { found: view.revision, seen: sent_after })
    }
}
