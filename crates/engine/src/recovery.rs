//! Builds a ledger back from pages and the frames behind them.
//!
//! Rule: sections of a shard apply in (epoch, seq) order and the last one wins; a section at or below what the shard already has
//! changes nothing. (As in `PacificA`, MSR-TR-2008-25: prepared requests are ordered by
//! configuration version and serial number.)

use drl_core::{CommitNo, Epoch, ShardCount, ShardId, ShardTime};

use crate::bytes::Malformed;
use crate::frame::{self, Head, Section};
use crate::ledger::Ledger;
use crate::ownership::{Bug, Bugs, NoBugs, Written};
use crate::page::{self, HEAD_BUCKET};
use crate::row::{Place, Row};
use crate::shard::{Shard, bucket_of};

/// A ledger in the making.
pub struct Recoverer<B = NoBugs> {
    shards: Vec<Shard>,
    /// The latest revision of policies that a frame was sealed under.
    policies: u64,
    bugs: B,
}

impl Recoverer {
    #[must_use]
    pub fn new(shards: ShardCount) -> Self {
        Self::with_bugs(shards, NoBugs)
    }
}

impl<B: Bugs> Recoverer<B> {
    /// As [`Recoverer::new`], with rules that are broken on purpose.
    #[must_use]
    pub fn with_bugs(shards: ShardCount, bugs: B) -> Self {
        Self { shards: shards.iter().map(|id| Shard::new(id, Epoch::default())).collect(), policies: 0, bugs }
    }

    /// Takes a page as a checkpoint wrote it. All pages come before the first frame.
    ///
    /// # Errors
    /// [`Malformed`] when the payload does not follow the format or is not of this shard; nothing is taken then.
    pub fn page(&mut self, shard: ShardId, bucket: u8, payload: &[u8]) -> Result<(), Malformed> {
        let slot = self.shards.get_mut(shard.index()).ok_or(Malformed { what: "page shard" })?;
        if bucket == HEAD_BUCKET {
            let head = page::read_head(payload)?;
            return if head.shard == shard {
                slot.stand_at(&head);
                Ok(())
            } else {
                Err(Malformed { what: "page shard" })
            };
        }
        let rows = page::read(payload)?;
        if rows.iter().any(|(key, _)| bucket_of(*key) != bucket) {
            return Err(Malformed { what: "page bucket" });
        }
        slot.table.reserve(rows.len());
        for (key, counter) in rows {
            slot.table.insert(key, Row { counter, place: Place::Sealed });
        }
        Ok(())
    }

    /// Takes a frame of the journal.
    ///
    /// # Errors
    /// [`Malformed`] when the payload does not follow the format; nothing of it is taken then.
    pub fn frame(&mut self, payload: &[u8]) -> Result<(), Malformed> {
        let sections = frame::read(payload)?;
        if sections.iter().any(|section| section.head.shard.index() >= self.shards.len()) {
            return Err(Malformed { what: "section shard" });
        }
        self.policies = self.policies.max(frame::policy_revision(payload));
        let order = if self.bugs.has(Bug::SeqWithoutEpoch) { Order::Seq } else { Order::EpochThenSeq };
        for section in sections {
            self.shards[section.head.shard.index()].apply(section, order);
        }
        Ok(())
    }

    /// The highest epoch that any shard was written under.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.shards.iter().map(|shard| shard.epoch).max().unwrap_or_default()
    }

    /// The latest time at which any shard decided.
    #[must_use]
    pub fn latest(&self) -> ShardTime {
        self.shards.iter().map(|shard| shard.latest).max().unwrap_or_default()
    }

    /// The ledger, its shards resumed under `epoch`; the next frame gets the commit number after `sealed`.
    #[must_use]
    pub fn finish(self, epoch: Epoch, sealed: CommitNo) -> Ledger<B> {
        let mut ledger = self.into_ledger(sealed);
        for shard in &mut ledger.shards {
            shard.epoch = epoch;
            shard.seq = drl_core::Seq::default();
        }
        ledger
    }

    /// The ledger with every shard as it was found and closed; ownership decides which ones are answered for, and under which
    /// epoch. The next frame gets the commit number after `sealed`.
    #[must_use]
    pub fn into_ledger(self, sealed: CommitNo) -> Ledger<B> {
        let count = u64::try_from(self.shards.len()).unwrap_or(u64::MAX);
        let count = ShardCount::new(count).unwrap_or(ShardCount::DEFAULT);
        let mut ledger = Ledger::with_bugs(count, Epoch::default(), sealed, self.bugs);
        ledger.shards = self.shards;
        ledger.peers.stamped = self.policies;
        ledger
    }

    /// Of every shard, in order: whether anything is in the journal, and the latest time of it.
    pub fn found(&self) -> impl Iterator<Item = (Written, ShardTime)> {
        self.shards.iter().map(|shard| (shard.written, shard.latest))
    }
}

/// How sections are put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    EpochThenSeq,
    /// The planted bug.
    Seq,
}

impl Shard {
    fn stand_at(&mut self, head: &Head) {
        (self.epoch, self.seq, self.floor) = (head.epoch, head.seq, head.floor);
        self.latest = self.latest.max(head.time);
        self.written = Written::Yes;
    }

    fn apply(&mut self, section: Section, order: Order) {
        let is_old = match order {
            Order::EpochThenSeq => (section.head.epoch, section.head.seq) <= (self.epoch, self.seq),
            Order::Seq => section.head.seq <= self.seq,
        };
        if is_old {
            return;
        }
        if section.head.floor > self.floor || section.part.is_first() {
            self.table.clear();
            self.dirty = u64::MAX;
        }
        if section.part.is_first() {
            self.latest = ShardTime::ZERO;
        }
        self.stand_at(&section.head);
        for (key, counter) in section.rows {
            self.dirty |= 1 << bucket_of(key);
            match counter {
                Some(counter) => self.table.insert(key, Row { counter, place: Place::Sealed }),
                None => self.table.remove(key),
            };
        }
    }
}
