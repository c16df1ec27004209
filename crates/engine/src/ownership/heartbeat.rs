//! Heartbeats: what lets a node answer, and until when.
//!
//! Rules (protocol, authority deadline): every 5 s a transaction that compares the node's key with its own lease and puts
//! `hb/<me>`, because keep-alive replies and read-only transactions can come from a stale member. Success moves the deadline to what
//! the time of *sending* gives. Refused with the key absent: a new lease, and the key again in a transaction that compares it
//! absent; that counts as a heartbeat and roles go on, but only while the old deadline is still ahead when the answer comes, because
//! behind it somebody may have taken over. Refused with another lease: stop. No answer: nothing changes.
//!
//! It also compares the heartbeat before it: one that was thought lost and comes late must not put an older `time_hi` back.
//!
//! Rule (protocol, time): a node never stamps above the `time_hi` that it last committed. It is computed as the time that its
//! shards can reach before the deadline, so a deadline is only moved when `time_hi` covers every shard.

use drl_core::{Nanos, ShardTime};

use super::agent::{NodeAgent, Turn};
use super::bugs::Bugs;
use super::command::{Command, Report};
use super::event::Token;
use super::pending::Pending;
use super::stop::StopReason;
use super::transaction::{Guard, Outcome, Transaction, Write};
use super::view::{Beat, LeaseId, NodeEntry, Revision, View};

/// The heartbeats of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Beats {
    /// When the next one is sent.
    pub(super) next: Nanos,
    pub(super) outstanding: Option<Token>,
    /// The highest `time_hi` that was committed, by any generation of this node.
    pub(super) time_hi: ShardTime,
    /// The highest that was committed before this session, by earlier generations.
    pub(super) inherited: ShardTime,
    /// One was sent at once because the session seems to be gone.
    hurried: bool,
}

impl Beats {
    pub(super) fn due_at(&self) -> Option<Nanos> {
        self.outstanding.is_none().then_some(self.next)
    }
}

impl<B: Bugs> NodeAgent<B> {
    pub(super) fn beat_when_due(&mut self, turn: &mut Turn<'_>) {
        let Some(lease) = self.lease else { return };
        if self.beats.due_at().is_none_or(|due| due > turn.now.boottime) {
            return;
        }
        let sent = turn.now.boottime;
        let time_hi = self.time_hi(sent);
        let guards = vec![Guard::Lease { node: self.me.clone(), lease }, self.last_beat()];
        let writes = vec![Write::Beat { node: self.me.clone(), time_hi }];
        let token = self.wait_for(Pending::Beat { sent, time_hi });
        self.beats.outstanding = Some(token);
        turn.say(Command::Transact { token, transaction: Transaction::new(guards, writes) });
    }

    /// The highest `time_hi` that this node is known to have committed.
    pub(super) fn own_time_hi(&self) -> ShardTime {
        self.known.beat(&self.me).map(|beat| beat.time_hi).unwrap_or_default().max(self.beats.time_hi)
    }

    /// The latest time that any shard of this node can reach before a deadline that begins now.
    pub(super) fn time_hi(&self, now: Nanos) -> ShardTime {
        let clocks = self.locals.iter().filter_map(super::local::Local::clock);
        clocks.map(|clock| clock.time(now).plus(self.authority.span)).max().unwrap_or_default().max(self.own_time_hi())
    }

    /// A heartbeat follows the one before it, so that one which was thought lost cannot come late and take `time_hi` back.
    pub(super) fn last_beat(&self) -> Guard {
        let changed = self.known.beat(&self.me).map_or(Revision(0), |beat| beat.changed);
        Guard::Beat { node: self.me.clone(), changed }
    }

    fn learn_own_beat(&mut self, mut view: View, time_hi: ShardTime, turn: &mut Turn<'_>) {
        view.beats.push((self.me.clone(), Some(Beat { changed: view.revision, time_hi })));
        self.learn(view, turn);
    }

    pub(super) fn beat_ended(&mut self, sent: Nanos, time_hi: ShardTime, outcome: Outcome, turn: &mut Turn<'_>) {
        self.beats.outstanding = None;
        match outcome {
            Outcome::Committed(view) => {
                self.learn_own_beat(view, time_hi, turn);
                self.beats.next = Nanos(sent.0.saturating_add(self.authority.beat_every.0));
                self.counts(sent, time_hi, turn);
            }
            Outcome::LeaseGone | Outcome::Unknown => {
                self.beats.next = Nanos(turn.now.boottime.0.saturating_add(self.authority.retry_after.0));
            }
            Outcome::Refused(view) => {
                let entry = view.nodes.iter().find(|(node, _)| *node == self.me).and_then(|(_, entry)| *entry);
                self.learn(view, turn);
                match entry {
                    Some(entry) if Some(entry.lease) == self.lease => self.beats.next = turn.now.boottime,
                    Some(_) => self.stop(StopReason::NodeIdInUse, turn),
                    None => self.session_gone(turn),
                }
            }
        }
    }

    /// A transaction that proves this node's session was committed.
    fn counts(&mut self, sent: Nanos, time_hi: ShardTime, turn: &mut Turn<'_>) {
        self.beats.time_hi = self.beats.time_hi.max(time_hi);
        let deadline = self.authority.deadline(sent);
        let mut running = self.locals.iter().filter_map(|local| match local.role {
            super::local::Role::Active { clock, .. } | super::local::Role::Frozen { clock, .. } => Some(clock),
            _ => None,
        });
        if running.any(|clock| clock.time(deadline) > self.beats.time_hi) {
            // A shard was activated after this heartbeat was sent. The next one covers it.
            self.beats.next = turn.now.boottime;
        } else if deadline > self.deadline {
            self.deadline = deadline;
            turn.say(Command::SetDeadline(deadline));
        }
        self.activate_covered(turn);
    }

    /// Whether this node's key is there, as far as is known. No record can be changed without it; whatever was tried would be refused, and
    /// tried again. The next heartbeat creates it anew, and does not wait.
    pub(super) fn session_stands(&mut self, turn: &Turn<'_>) -> bool {
        let stands = self.known.node(&self.me).is_some_and(|entry| Some(entry.lease) == self.lease);
        if !stands && !self.beats.hurried {
            self.beats.next = self.beats.next.min(turn.now.boottime);
        }
        self.beats.hurried = !stands;
        stands
    }

    /// The key is gone: etcd was away, or ended the session early.
    fn session_gone(&mut self, turn: &mut Turn<'_>) {
        if self.deadline == Nanos::ZERO {
            // Nothing was ever answered in this session, so nothing says until when others have waited.
            return self.begin_anew(turn);
        }
        let token = self.wait_for(Pending::RenewGrant);
        self.beats.outstanding = Some(token);
        turn.say(Command::Grant { token });
    }

    pub(super) fn renew(&mut self, lease: LeaseId, turn: &mut Turn<'_>) {
        let sent = turn.now.boottime;
        let time_hi = self.time_hi(sent);
        let guards = vec![Guard::NodeAbsent(self.me.clone()), self.last_beat()];
        let writes = vec![self.own_key(lease), Write::Beat { node: self.me.clone(), time_hi }];
        let transaction = Transaction::new(guards, writes);
        let token = self.wait_for(Pending::Renew { lease, sent, time_hi, transaction: transaction.clone() });
        self.beats.outstanding = Some(token);
        turn.say(Command::Transact { token, transaction });
    }

    pub(super) fn renewed(
        &mut self,
        lease: LeaseId,
        sent: Nanos,
        time_hi: ShardTime,
        outcome: Outcome,
        turn: &mut Turn<'_>,
    ) {
        self.beats.outstanding = None;
        self.beats.next = turn.now.boottime;
        match outcome {
            Outcome::Committed(view) => {
                self.lease = Some(lease);
                let (created, draining) = (view.revision, self.leaving != super::spread::Leaving::No);
                let own = NodeEntry { generation: self.generation, lease, created, draining };
                let nodes = vec![(self.me.clone(), Some(own))];
                self.learn_own_beat(View { nodes, ..view }, time_hi, turn);
                turn.report(Report::SessionRecreated);
                self.counts(sent, time_hi, turn);
            }
            Outcome::Refused(view) => {
                let entry = view.nodes.iter().find(|(node, _)| *node == self.me).and_then(|(_, entry)| *entry);
                self.learn(view, turn);
                match entry {
                    // An earlier attempt did it; the next heartbeat says until when.
                    Some(entry) if entry.lease == lease => self.lease = Some(lease),
                    Some(_) => self.stop(StopReason::NodeIdInUse, turn),
                    // An earlier attempt did it, and that session is gone too; or a heartbeat came late.
                    None => self.session_gone(turn),
                }
            }
            Outcome::LeaseGone | Outcome::Unknown => self.session_gone(turn),
        }
    }
}
