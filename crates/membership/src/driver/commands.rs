//! Carrying out commands, in order, and publishing what has changed since.

use std::collections::VecDeque;
use std::sync::Arc;

use drl_coordination::LeaseId;
use drl_engine::ownership::{ClusterId, Command, Event, Fact, Report, Revision, Token};
use drl_host::Stopped as HostStopped;

use super::Driver;
use crate::membership::{Departure, Standing, Stopped};
use crate::placement::InSync;
use crate::translate;

impl Driver {
    /// Gives events to the state machine and carries out everything that follows.
    pub(super) fn step(&mut self, events: Vec<Event>) {
        let mut events = VecDeque::from(events);
        let mut commands = Vec::new();
        while !events.is_empty() {
            self.agent.steps(self.ownership.now(), events.drain(..), &mut commands);
            let mut commands = commands.drain(..).peekable();
            while let Some(command) = commands.next() {
                let carried_out = match command {
                    // As many as come together: whoever is invited to many shards is invited once.
                    Command::Copies(order) => {
                        let mut orders = vec![order];
                        while let Some(Command::Copies(order)) =
                            commands.next_if(|next| matches!(next, Command::Copies(_)))
                        {
                            orders.push(order);
                        }
                        self.ownership.obey(orders).map(|()| None)
                    }
                    command => self.carry_out(command),
                };
                match carried_out {
                    Ok(follows) => events.extend(follows),
                    // Without counters there is nothing to own.
                    Err(HostStopped { .. }) => events.push_back(Event::StoreFailed),
                }
            }
        }
    }

    fn carry_out(&mut self, command: Command) -> Result<Option<Event>, HostStopped> {
        match command {
            Command::Grant { token } => self.errands.grant(token, self.ttl),
            Command::Revoke { token, lease } => {
                self.state.keeper = None;
                match LeaseId::new(lease.0) {
                    Some(lease) => self.errands.revoke(token, lease),
                    None => return Ok(Some(Event::Revoked { token })),
                }
            }
            Command::Transact { token, transaction } => {
                let txn = translate::txn(&self.keys, &self.introduction, &transaction);
                self.errands.transact(token, transaction, txn);
            }
            Command::Persist { token, facts } => self.errands.persist(token, facts),
            Command::Copies(order) => self.ownership.obey([order])?,
            Command::Activate { shard, epoch, origin, clock } => {
                if let Some(commit) = self.ownership.activate(shard, epoch, origin, clock)? {
                    self.errands.journaled(shard, epoch, commit);
                }
                self.state.answering.insert(shard);
            }
            Command::Close { shard, closed } => {
                self.state.answering.remove(&shard);
                self.ownership.close(shard, closed)?;
            }
            Command::Freeze { shards } => {
                return Ok(Some(Event::Frozen { shards: self.ownership.freeze(&shards)? }));
            }
            Command::Thaw { shard } => self.ownership.thaw(shard)?,
            Command::SetDeadline(deadline) => {
                self.state.deadline = deadline;
                self.ownership.set_deadline(deadline)?;
                self.note_seen();
            }
            Command::WakeAt(at) => self.state.wake_at = at,
            Command::Drained { named } => {
                let others = self.book.staying().filter(|node| **node != self.me).count();
                self.board.departure.send_replace(Some(Departure { named, others }));
            }
            Command::Stop(reason) => {
                let reason = self.state.distrust.clone().unwrap_or_else(|| reason.to_string());
                tracing::error!(reason, "this node answers for nothing any more");
                self.board.stopped.send_replace(Some(Stopped { reason: reason.into() }));
            }
            Command::Report(Report::TakenCold { .. }) => self.state.taken_cold += 1,
            Command::Report(Report::TakenWarm { .. }) => self.state.taken_warm += 1,
            Command::Report(Report::TimeAhead { by, .. }) => {
                let (shards, most) = self.state.ahead;
                self.state.ahead = (shards + 1, most.max(by));
            }
            Command::Report(report) => say(report),
        }
        Ok(None)
    }

    /// Puts on disk how far etcd was seen, with each heartbeat: after a restart too, a node must notice that an older backup was
    /// restored. Nobody waits for it.
    fn note_seen(&mut self) {
        if let Some(seen) = self.seen() {
            self.errands.persist(Token(0), vec![seen]);
        }
    }

    /// The highest revision in any answer so far.
    pub(super) fn seen(&self) -> Option<Fact> {
        let seen = self.coordination.seen()?;
        Some(Fact::Seen { cluster: ClusterId(seen.cluster.0), revision: Revision(seen.revision.0) })
    }

    /// Tells others what has changed.
    pub(super) fn publish(&mut self) {
        let shards = std::mem::take(&mut self.state.taken_cold);
        if shards > 0 {
            tracing::error!(shards, "taken over without their counters, which count as used up for a window");
        }
        let shards = std::mem::take(&mut self.state.taken_warm);
        if shards > 0 {
            tracing::warn!(shards, "taken over with their counters from an owner that is silent");
        }
        let (shards, most) = std::mem::take(&mut self.state.ahead);
        if shards > 0 {
            tracing::warn!(
                shards,
                seconds = most.secs_ceil(),
                "the time of shards is ahead of this machine's wall clock"
            );
        }
        if let Some(placement) = self.book.take_placement() {
            self.board.placement.send_replace(Arc::new(placement));
        }
        let placement = self.board.placement.borrow();
        let standing = Standing {
            generation: Some(self.agent.generation()).filter(|generation| generation.0 != 0),
            deadline: self.state.deadline,
            owned: placement.owned_by(&self.me),
            in_sync: placement.seats.iter().flatten().filter(|seat| seat.in_sync && seat.owner.node == self.me).count(),
            followed: placement.followed_by(&self.me, InSync::Yes),
            learning: placement.followed_by(&self.me, InSync::No),
            answering: self.state.answering.len(),
            trouble: self.state.trouble.clone(),
            broken_keys: self
                .book
                .broken()
                .iter()
                .map(|(key, broken)| (key.to_string(), broken.reason.clone()))
                .collect(),
        };
        drop(placement);
        self.board.standing.send_if_modified(|before| {
            let is_new = *before != standing;
            *before = standing;
            is_new
        });
    }
}

fn say(report: Report) {
    match report {
        Report::AuthorityLost => {
            tracing::error!("no heartbeat reached etcd in time: this node answers for nothing until one does");
        }
        Report::SessionRecreated => tracing::warn!("the session was gone and is there again; this node goes on"),
        Report::JournalDoubtful => {
            tracing::error!("the journal is not whole: this node's counters of current windows count as used up");
        }
        // Counted, and said once for all.
        Report::TakenCold { .. } | Report::TakenWarm { .. } | Report::TimeAhead { .. } => {}
        Report::OutcomeUnknown => tracing::info!("a transaction was not answered; it is sent again"),
    }
}
