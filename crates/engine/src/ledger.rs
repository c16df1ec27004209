//! All shards of a node and the frame that is open: checks go in, and now and then the open frame comes out as bytes.
//!
//! Invariant: every change that an answer depends on is in the open frame or in one that was sealed before; sealing a frame gives
//! it the next commit number.

use std::collections::BTreeSet;

use drl_core::caps::{ASYNC_UNACKED_COST, SNAPSHOT_ROWS_PER_PART};
use drl_core::{CommitNo, Cost, Epoch, KeyHash, Nanos, ShardCount, ShardId, ShardTime};
use drl_limits::{Decision, Policy};

use crate::dictionary::DictionaryWriter;
use crate::frame::{FrameWriter, Part};
use crate::gate::Gate;
use crate::ownership::{Bug, Bugs, NoBugs, ShardClock, Written};
use crate::page::Page;
use crate::replication::{Excerpts, Letter, News, Peers};
use crate::row::Place;
use crate::shard::{Outcome, Presence, Shard};

mod answering;
mod fetching;
mod pages;

pub use answering::{Refusal, Stamp};
use pages::Drops;

/// The shards and the open frame.
#[derive(Debug, Clone)]
pub struct Ledger<B = NoBugs> {
    pub(crate) bugs: B,
    pub(crate) shards: Vec<Shard>,
    /// Shards with something in the open frame, in the order in which they came.
    pub(crate) touched: Vec<ShardId>,
    pub(crate) open_rows: usize,
    /// The last commit number that was given out.
    pub(crate) sealed: CommitNo,
    pub(crate) dictionary: DictionaryWriter,
    /// Until when this process may answer, by `CLOCK_BOOTTIME`; a node that stands alone never asks.
    deadline: Nanos,
    /// Shards whose first admission has not been told yet.
    first_written: Vec<ShardId>,
    pub(crate) peers: Peers,
    /// Shards with a copy in the making, or with somebody who waits until everything is acknowledged.
    pub(crate) restless: BTreeSet<ShardId>,
    /// The last commit that is in this node's journal, as far as it was told.
    pub(crate) journaled: CommitNo,
    pub(crate) async_bound: u64,
    pub(crate) snapshot_rows: usize,
    /// The revision of the policies that the last frame was sealed under.
    pub(crate) policies: u64,
    /// Whether everything in the last frame is, or will be before anybody is answered, in another node's journal too.
    is_backed: bool,
}

/// A check that found its shard and its policy.
#[derive(Clone, Copy)]
pub struct Charge<'a> {
    pub shard: ShardId,
    pub key: KeyHash,
    pub policy: &'a Policy,
    pub cost: Cost,
}

impl Ledger {
    /// No counters; every shard in `epoch`, the next frame gets the commit number after `sealed`.
    #[must_use]
    pub fn new(shards: ShardCount, epoch: Epoch, sealed: CommitNo) -> Self {
        Self::with_bugs(shards, epoch, sealed, NoBugs)
    }
}

impl<B: Bugs> Ledger<B> {
    /// As [`Ledger::new`], with rules that are broken on purpose.
    #[must_use]
    pub fn with_bugs(shards: ShardCount, epoch: Epoch, sealed: CommitNo, bugs: B) -> Self {
        Self {
            bugs,
            shards: shards.iter().map(|id| Shard::new(id, epoch)).collect(),
            touched: Vec::new(),
            open_rows: 0,
            sealed,
            dictionary: DictionaryWriter::default(),
            deadline: Nanos::ZERO,
            first_written: Vec::new(),
            peers: Peers::default(),
            restless: BTreeSet::new(),
            journaled: sealed,
            async_bound: ASYNC_UNACKED_COST,
            snapshot_rows: SNAPSHOT_ROWS_PER_PART,
            policies: 0,
            is_backed: false,
        }
    }

    /// Decides and, when it passes, charges.
    pub fn charge(&mut self, charge: Charge<'_>, now: ShardTime) -> (Decision, Outcome) {
        self.change(charge.shard, |shard| shard.charge(charge.key, charge.policy, charge.cost, now))
    }

    /// Decides and changes nothing.
    pub fn peek(&mut self, charge: Charge<'_>, now: ShardTime) -> Decision {
        self.shards[charge.shard.index()].peek(charge.key, charge.policy, charge.cost, now)
    }

    /// Gives back cost that was charged at `decided_at`.
    pub fn refund(
        &mut self,
        shard: ShardId,
        key: KeyHash,
        cost: Cost,
        decided_at: ShardTime,
        now: ShardTime,
    ) -> Outcome {
        self.change(shard, |shard| ((), shard.refund(key, cost, decided_at, now))).1
    }

    /// Forgets what a key has used.
    pub fn reset(&mut self, shard: ShardId, key: KeyHash, now: ShardTime) -> Outcome {
        self.change(shard, |shard| ((), shard.reset(key, now))).1
    }

    /// Declares the counters of every shard lost: until its windows have passed, a key without a row counts as used up.
    pub fn lose_everything(&mut self, at: ShardTime) {
        for shard in &mut self.shards {
            shard.floor = Some(at);
            shard.latest = shard.latest.max(at);
            shard.table.clear();
            shard.changed.clear();
            shard.dirty = u64::MAX;
        }
        self.touched = self.shards.iter().map(|shard| shard.id).collect();
        self.shards.iter_mut().for_each(|shard| shard.presence = Presence::Present);
        self.open_rows = 0;
    }

    /// Answers for every shard from now on, whatever the time: a node that stands alone.
    pub fn stand_alone(&mut self, clock: ShardClock) {
        self.deadline = Nanos::MAX;
        for shard in &mut self.shards {
            shard.gate = Gate::Open(clock);
        }
    }

    /// Rows in the open frame.
    #[must_use]
    pub const fn open_rows(&self) -> usize {
        self.open_rows
    }

    /// Whether there is nothing to seal.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.touched.is_empty()
    }

    /// The commit number that the open frame will get.
    #[must_use]
    pub const fn open(&self) -> CommitNo {
        self.sealed.next()
    }

    /// The latest time at which any shard decided.
    #[must_use]
    pub fn latest(&self) -> ShardTime {
        self.shards.iter().map(|shard| shard.latest).max().unwrap_or_default()
    }

    /// Counters in memory.
    #[must_use]
    pub fn counters(&self) -> usize {
        self.shards.iter().map(|shard| shard.table.len()).sum()
    }

    /// Closes the open frame, writes it into `out` (which is cleared first) and opens the next one. `None` when it was empty.
    pub fn seal(&mut self, policy_revision: u64, out: &mut Vec<u8>) -> Option<CommitNo> {
        if self.touched.is_empty() {
            return None;
        }
        self.policies = policy_revision;
        self.is_backed = self.open_is_backed();
        let mut writer = FrameWriter::new(out, &mut self.dictionary, policy_revision);
        let mut copies = Excerpts::new(&self.bugs);
        let mut carried_over = Vec::new();
        self.open_rows = 0;
        for id in self.touched.drain(..) {
            let shard = &mut self.shards[id.index()];
            // A copy has the seq of its owner; only an owner gives the next one.
            if shard.following.is_none() {
                shard.seq = shard.seq.next();
            }
            let part = if std::mem::take(&mut shard.is_anew) { Part::First } else { Part::Changes };
            writer.section(shard.head(), part);
            let written = shard.changed.iter().take_while(|key| {
                let row = shard.table.get_mut(**key);
                let is_written = writer.row(**key, row.as_ref().map(|row| &row.counter));
                if is_written && let Some(row) = row {
                    row.place = Place::Sealed;
                }
                is_written
            });
            let written = written.count();
            shard.changed.drain(..written);
            shard.sealed = self.sealed.next();
            copies.take(writer.close(), &shard.targets);
            if shard.changed.is_empty() {
                shard.presence = Presence::Absent;
            } else {
                self.open_rows += shard.changed.len();
                carried_over.push(id);
            }
        }
        writer.finish();
        self.touched = carried_over;
        self.sealed = self.sealed.next();
        self.send_excerpts(copies, out);
        Some(self.sealed)
    }

    /// Whether everything in the open frame goes into another node's journal too before anybody is answered.
    #[must_use]
    pub fn open_is_backed(&self) -> bool {
        self.touched.iter().all(|id| self.shards[id.index()].is_backed())
    }

    /// Whether everything in the frame that was sealed last is in another node's journal too before anybody is answered.
    #[must_use]
    pub const fn is_backed(&self) -> bool {
        self.is_backed
    }

    /// What is to be sent to other lifetimes.
    pub fn take_letters(&mut self) -> Vec<Letter> {
        self.peers.take_letters()
    }

    /// What ownership has to know.
    pub fn take_news(&mut self) -> Vec<News> {
        self.peers.take_news()
    }

    /// The pages of a shard that changed since they were last taken, with expired counters dropped. The head page comes last.
    pub fn take_pages(&mut self, shard: ShardId, now: ShardTime) -> Vec<Page> {
        let drops = if self.bugs.has(Bug::EvictsRunningCounters) { Drops::Everything } else { Drops::Expired };
        self.shards[shard.index()].take_pages(now, drops)
    }

    fn change<T>(&mut self, id: ShardId, change: impl FnOnce(&mut Shard) -> (T, Outcome)) -> (T, Outcome) {
        let shard = &mut self.shards[id.index()];
        let before = shard.changed.len();
        let (answer, outcome) = change(shard);
        let added = shard.changed.len() - before;
        if added > 0 && shard.presence == Presence::Absent {
            shard.presence = Presence::Present;
            self.touched.push(id);
        }
        if added > 0 && shard.written == Written::Never {
            shard.written = Written::Yes;
            self.first_written.push(id);
        }
        self.open_rows += added;
        (answer, outcome)
    }
}
