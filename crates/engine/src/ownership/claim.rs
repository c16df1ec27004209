//! Claims: the transactions by which a node becomes the owner of shards whose owner it is not waiting for any more.
//!
//! | claim | of | when |
//! |---|---|---|
//! | genesis | a shard without a record | the plan names this node |
//! | resume | a shard of an earlier lifetime of this node | at once, if the directory holds that very ownership (`marker.rs`) |
//! | warm | a shard that this node follows in sync, in this lifetime or an earlier one | its owner is suspected (`followers.rs`) |
//! | cold | any other shard whose owner is gone | after the wait (`absence.rs`), if the plan names this node of those who can have waited |
//!
//! Rules (protocol, section 2): the intent is on disk before the transaction is sent; a batch has at most 100 records, all or
//! nothing, and compares lease, revisions and, for a cold take-over, that the owner is still gone. A refused batch says how
//! things stand; what is still possible is claimed again. Nothing follows from the outcome itself: records decide.

use std::collections::{BTreeMap, BTreeSet};

use drl_core::caps::TXN_RECORDS_MAX;
use drl_core::{Nanos, NodeId, ShardId, ShardTime};

use super::agent::{NodeAgent, Turn};
use super::bugs::{Bug, Bugs};
use super::command::Command;
use super::event::Token;
use super::local::Role;
use super::marker::{Origin, Wanted};
use super::pending::Pending;
use super::record::{Holder, ShardRecord};
use super::spread::Leaving;
use super::transaction::{Guard, Outcome, Transaction, Write};
use super::view::{Beat, Revision, Versioned, View};

/// A change of one record that makes this node its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) shard: ShardId,
    pub(super) origin: Origin,
    /// The record as it would be, and the revision that it replaces.
    pub(super) record: ShardRecord,
    pub(super) changed: Revision,
    /// Who must still be gone.
    pub(super) gone: Vec<Holder>,
}

/// A shard, the revision that is replaced, and the record as it would be.
pub(super) type Change = (ShardId, Revision, ShardRecord);

impl<B: Bugs> NodeAgent<B> {
    pub(super) fn claim(&mut self, turn: &mut Turn<'_>) {
        let shards: Vec<ShardId> = self.shards.iter().collect();
        let claims: Vec<Claim> =
            shards.into_iter().filter_map(|shard| self.claim_of(shard, turn.now.boottime)).collect();
        if claims.is_empty() {
            return;
        }
        for claim in &claims {
            let (epoch, generation) = (claim.record.epoch, claim.record.owner.generation);
            let wanted = Wanted { epoch, generation, origin: claim.origin };
            self.locals[claim.shard.index()].marker.wanted = Some(wanted);
        }
        let facts = claims.iter().map(|claim| self.fact(claim.shard)).collect();
        let shards: Vec<ShardId> = claims.iter().map(|claim| claim.shard).collect();
        let token = self.persist(facts, Pending::Intents(claims), turn);
        for shard in shards {
            self.locals[shard.index()].in_flight = Some(token);
        }
    }

    fn claim_of(&mut self, shard: ShardId, now: Nanos) -> Option<Claim> {
        let local = &self.locals[shard.index()];
        if local.role != Role::Idle || local.in_flight.is_some() {
            return None;
        }
        let Some(Versioned { record, changed }) = self.known.record(shard) else {
            let is_free = !self.known.is_unreadable(shard);
            let wants = is_free && self.leaving == Leaving::No && self.is_planned(shard);
            let (record, changed) = (ShardRecord::first(self.myself()), Revision(0));
            return wants.then_some(Claim { shard, origin: Origin::Empty, record, changed, gone: Vec::new() });
        };
        let changed = *changed;
        if self.bugs.has(Bug::PromotesUnsynced) && self.would_promote(shard, record) {
            let record = record.resumed_by(self.myself());
            return Some(Claim { shard, origin: Origin::Resume, record, changed, gone: Vec::new() });
        }
        if (record.owner.node == self.me || self.may_take_over(shard, record))
            && let Some(origin) = self.resume_origin(shard, record)
        {
            let mut next = record.resumed_by(self.myself());
            next.cold &= origin == Origin::Cold || !self.bugs.has(Bug::ColdLostByCrash);
            return Some(Claim { shard, origin, record: next, changed, gone: Vec::new() });
        }
        if self.leaving != Leaving::No || !self.is_over(record.fences(), now) {
            return None;
        }
        let (record, gone) = (record.taken_cold_by(self.myself()), record.fences().cloned().collect::<Vec<_>>());
        let wants = self.is_planned_for_lost(shard, &gone);
        wants.then_some(Claim { shard, origin: Origin::Cold, record, changed, gone })
    }

    fn resume_origin(&self, shard: ShardId, record: &ShardRecord) -> Option<Origin> {
        let origin = self.locals[shard.index()].marker.resumes(record, &self.me);
        match origin {
            None if self.bugs.has(Bug::ResumesFromAnyDirectory) => Some(Origin::Resume),
            Some(Origin::Cold) if self.bugs.has(Bug::ColdLostByCrash) => Some(Origin::Resume),
            _ => origin,
        }
    }

    /// Whether all of them have been gone for long enough.
    fn is_over<'a>(&self, mut gone: impl Iterator<Item = &'a Holder>, now: Nanos) -> bool {
        let wait = if self.bugs.has(Bug::ColdWithoutWaiting) {
            Nanos::ZERO
        } else if self.bugs.has(Bug::ColdWaitsTooLong) {
            Nanos(self.authority.cold_wait().0 + Nanos::from_secs(2).0)
        } else {
            self.authority.cold_wait()
        };
        gone.all(|holder| self.absences.over_at(holder, wait).is_some_and(|over| over <= now))
    }

    pub(super) fn is_planned(&mut self, shard: ShardId) -> bool {
        let me = self.me.clone();
        self.plan().and_then(|plan| plan.get(shard)).is_some_and(|seats| seats.owner.as_ref() == Some(&me))
    }

    /// Whether the plan names this node, when those are passed over who joined when `gone` were gone already. They are passed over one by
    /// one, as the plan names them: then nodes that saw somebody join a moment earlier or later than others still come to the same one.
    fn is_planned_for_lost(&mut self, shard: ShardId, gone: &[Holder]) -> bool {
        let later = self.absences.joined_after(gone);
        let mut passed_over = BTreeSet::new();
        loop {
            let plan = if passed_over.is_empty() { self.plan() } else { self.plan_without(&passed_over) };
            match plan.and_then(|plan| plan.get(shard)).and_then(|seats| seats.owner.clone()) {
                // A later session of its own has forgotten nothing.
                Some(owner) if owner == self.me => return true,
                Some(owner) if later.contains(&owner) && passed_over.insert(owner.clone()) => {}
                _ => return false,
            }
        }
    }

    /// The intents are on disk: sends the transactions.
    pub(super) fn take_claims(&mut self, claims: Vec<Claim>, intent: Token, turn: &mut Turn<'_>) {
        let mut batches: BTreeMap<Vec<Holder>, Vec<Claim>> = BTreeMap::new();
        for claim in claims {
            let local = &mut self.locals[claim.shard.index()];
            if local.in_flight == Some(intent) {
                local.in_flight = None;
            }
            let is_idle = local.role == Role::Idle;
            let stands = self.known.record(claim.shard).map_or(Revision(0), |versioned| versioned.changed);
            // What was seen meanwhile may have begun the waiting anew.
            if is_idle && stands == claim.changed && self.is_over(claim.gone.iter(), turn.now.boottime) {
                batches.entry(claim.gone.clone()).or_default().push(claim);
            }
        }
        for (gone, claims) in batches {
            for batch in claims.chunks(TXN_RECORDS_MAX) {
                self.send_claims(&gone, batch, turn);
            }
        }
    }

    /// Whoever follows another node, warm or cold, also promises a `time_hi` as high as that node's. Then the record's owner always
    /// has a heartbeat that covers every earlier epoch, also an owner that dies before it answers for the first time.
    fn send_claims(&mut self, gone: &[Holder], claims: &[Claim], turn: &mut Turn<'_>) {
        let changes = claims.iter().map(|claim| (claim.shard, claim.changed, claim.record.clone())).collect();
        let mut theirs = ShardTime::ZERO;
        for claim in claims {
            let promised = self.promised_before(claim);
            self.locals[claim.shard.index()].behind = Some((claim.record.epoch, promised));
            theirs = theirs.max(promised);
        }
        let records = claims.iter().filter_map(|claim| self.known.record(claim.shard));
        let others: BTreeSet<NodeId> =
            records.map(|versioned| versioned.record.owner.node.clone()).filter(|node| *node != self.me).collect();
        if gone.is_empty() && others.is_empty() {
            return self.send_records(Vec::new(), changes, turn);
        }
        let mut guards: Vec<Guard> = gone.iter().flat_map(|holder| self.absences.guards(holder, &self.known)).collect();
        if self.bugs.has(Bug::ColdNotCompared) {
            guards.clear();
        }
        let own = self.last_beat();
        if !guards.contains(&own) {
            guards.push(own);
        }
        let time_hi = self.time_hi(turn.now.boottime).max(theirs);
        let beat = Write::Beat { node: self.me.clone(), time_hi };
        self.send_changes(guards, changes, Some(beat), turn);
    }

    /// The latest time that the owner of the record which a claim replaces, or anybody else who must be gone, has promised. That is behind
    /// whatever was decided under any earlier epoch. For a cold take-over the transaction compares that they have promised nothing since.
    fn promised_before(&self, claim: &Claim) -> ShardTime {
        let owner = self.known.record(claim.shard).map(|versioned| &versioned.record.owner);
        let nodes = owner.into_iter().chain(&claim.gone).map(|holder| &holder.node);
        let promised = nodes.map(|node| match self.known.beat(node) {
            // Of this node it was an earlier lifetime: what it has promised since is for its other shards.
            _ if *node == self.me => self.beats.inherited,
            Some(beat) if !self.bugs.has(Bug::ColdPromisesNoTime) => beat.time_hi,
            _ => ShardTime::ZERO,
        });
        promised.max().unwrap_or_default()
    }

    /// Sends one transaction that changes records under this node's lease.
    pub(super) fn send_records(&mut self, guards: Vec<Guard>, changes: Vec<Change>, turn: &mut Turn<'_>) {
        self.send_changes(guards, changes, None, turn);
    }

    fn send_changes(&mut self, guards: Vec<Guard>, changes: Vec<Change>, beat: Option<Write>, turn: &mut Turn<'_>) {
        let Some(lease) = self.lease else { return };
        let mut all = vec![Guard::Lease { node: self.me.clone(), lease }];
        all.extend(guards);
        all.extend(changes.iter().map(|(shard, changed, _)| Guard::Record { shard: *shard, changed: *changed }));
        let shards: Vec<ShardId> = changes.iter().map(|(shard, ..)| *shard).collect();
        let records = changes.into_iter().map(|(shard, _, record)| Write::Record { shard, record });
        let writes = records.chain(beat).collect();
        let transaction = Transaction::new(all, writes);
        let token = self.wait_for(Pending::Records { transaction: transaction.clone(), shards: shards.clone() });
        for shard in shards {
            self.locals[shard.index()].in_flight = Some(token);
        }
        turn.say(Command::Transact { token, transaction });
    }

    /// A transaction on records ended: learns how they stand now.
    pub(super) fn records_ended(
        &mut self,
        transaction: &Transaction,
        shards: &[ShardId],
        outcome: Outcome,
        turn: &mut Turn<'_>,
    ) {
        for shard in shards {
            self.locals[shard.index()].in_flight = None;
        }
        match outcome {
            Outcome::Committed(view) => {
                let written = written_by(transaction, &view);
                self.learn(view, turn);
                self.learn(written, turn);
            }
            Outcome::Refused(view) => {
                self.swaps_refused(shards);
                let session_stands = view.nodes.iter().any(|(node, entry)| {
                    *node == self.me && entry.is_some_and(|entry| Some(entry.lease) == self.lease)
                });
                if !session_stands {
                    self.beats.next = self.beats.next.min(turn.now.boottime);
                }
                self.learn(view, turn);
            }
            Outcome::LeaseGone | Outcome::Unknown => self.swaps_refused(shards),
        }
    }
}

/// What a committed transaction wrote, as a view.
fn written_by(transaction: &Transaction, view: &View) -> View {
    let changed = view.revision;
    let mut written = View::at(view.cluster, view.revision);
    for write in &transaction.writes {
        match write {
            Write::Record { shard, record } => {
                written.records.push((*shard, Some(Versioned { record: record.clone(), changed })));
            }
            Write::Beat { node, time_hi } => {
                written.beats.push((node.clone(), Some(Beat { changed, time_hi: *time_hi })));
            }
            Write::Node { .. } => {}
        }
    }
    written
}
