//! The model of one data directory: frames, pages, markers, and what a crash leaves of them. It keeps the claims of the product's
//! store: what was synced survives a power cut, what was written survives the process, and what may be missing is said.

use std::collections::{BTreeMap, VecDeque};

use drl_core::{CommitNo, Epoch, Generation, Seq, ShardCount, ShardId};
use drl_engine::Recoverer;
use drl_engine::ownership::{ClusterId, Fact, Found, FoundShard, LeaseId, Promise, Revision, RoleMarker, Wholeness};

use crate::plant::Plant;
use crate::random::Random;
use crate::swarm::JournalSync;

/// How many superfluous frames are kept: enough for one to be of an earlier epoch.
const EARLIER_MAX: usize = 6;

/// A data directory; a clone is a copy of it.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    frames: Vec<Frame>,
    /// Some frames that a checkpoint has made superfluous.
    earlier: VecDeque<Vec<u8>>,
    /// The last commit behind the last checkpoint.
    base: CommitNo,
    pages: BTreeMap<(ShardId, u8), Vec<u8>>,
    shards: Vec<(RoleMarker, Promise)>,
    lease: Option<LeaseId>,
    seen: Option<(ClusterId, Revision)>,
    /// The boot of the machine at the last write, and whether something was not synced then.
    boot: u64,
    lax: bool,
    doubtful: bool,
    /// The beginning of a frame that was being written when the power went.
    torn: Option<Vec<u8>>,
    /// For the checker: where each shard stands in the journal.
    positions: Vec<(Epoch, Seq)>,
    /// For the checker, per shard: the epoch of which this directory has lost answers. A copy has lost what it had lost when it was
    /// made, not what the directory lost that it replaces.
    lost: Vec<Option<Epoch>>,
}

#[derive(Debug, Clone)]
struct Frame {
    bytes: Vec<u8>,
    synced: bool,
}

/// A promise that went down, or to another generation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PromiseBroken {
    pub shard: ShardId,
}

impl Disk {
    #[must_use]
    pub(crate) fn empty(shards: u16) -> Self {
        Self {
            frames: Vec::new(),
            earlier: VecDeque::new(),
            base: CommitNo(0),
            pages: BTreeMap::new(),
            shards: vec![(RoleMarker::default(), Promise::default()); usize::from(shards)],
            lease: None,
            seen: None,
            boot: 0,
            lax: false,
            doubtful: false,
            torn: None,
            positions: Vec::new(),
            lost: vec![None; usize::from(shards)],
        }
    }

    pub(crate) fn stands_at(&mut self, positions: Vec<(Epoch, Seq)>) {
        self.positions = positions;
    }

    /// Where a shard stands in the journal.
    #[must_use]
    pub(crate) fn position(&self, shard: ShardId) -> (Epoch, Seq) {
        self.positions.get(shard.index()).copied().unwrap_or_default()
    }

    /// The last commit in the journal.
    #[must_use]
    pub(crate) fn last(&self) -> CommitNo {
        CommitNo(self.base.0 + self.frames.len() as u64)
    }

    pub(crate) fn append(&mut self, bytes: Vec<u8>, sync: JournalSync, boot: u64) {
        self.boot = boot;
        self.frames.push(Frame { bytes, synced: false });
        match sync {
            JournalSync::Commit => self.sync(),
            JournalSync::Interval => self.lax = true,
        }
    }

    pub(crate) fn sync(&mut self) {
        self.frames.iter_mut().rev().take_while(|frame| !frame.synced).for_each(|frame| frame.synced = true);
    }

    /// Replaces pages and cuts the journal behind them.
    pub(crate) fn checkpoint(&mut self, pages: Vec<(ShardId, u8, Vec<u8>)>) {
        for (shard, bucket, payload) in pages {
            if payload.is_empty() {
                self.pages.remove(&(shard, bucket));
            } else {
                self.pages.insert((shard, bucket), payload);
            }
        }
        self.base = self.last();
        self.earlier.extend(self.frames.pop().map(|frame| frame.bytes));
        if self.earlier.len() > EARLIER_MAX {
            self.earlier.pop_front();
        }
        self.frames.clear();
    }

    /// Writes facts with an fsync.
    ///
    /// # Errors
    /// [`PromiseBroken`] when a promise would go down.
    pub(crate) fn persist(&mut self, facts: &[Fact], boot: u64) -> Result<(), PromiseBroken> {
        self.boot = boot;
        self.sync();
        for fact in facts {
            match fact {
                Fact::Shard { shard, marker, promise } => {
                    let slot = &mut self.shards[shard.index()];
                    let is_another = promise.epoch == slot.1.epoch && promise.generation != slot.1.generation;
                    if promise.epoch < slot.1.epoch || is_another {
                        return Err(PromiseBroken { shard: *shard });
                    }
                    *slot = (*marker, *promise);
                }
                Fact::Lease(lease) => self.lease = *lease,
                Fact::Seen { cluster, revision } => self.seen = Some((*cluster, *revision)),
                Fact::CountersDiscarded => {
                    self.base = self.last();
                    self.frames.clear();
                    self.earlier.clear();
                    self.pages.clear();
                    self.doubtful = false;
                    self.lax = false;
                }
            }
        }
        Ok(())
    }

    /// Some of a frame gets to the disk. The product's store has a checksum around each; here the engine itself has to notice.
    pub(crate) fn tear(&mut self, mut bytes: Vec<u8>, chance: u64) {
        let cut = usize::try_from(chance).unwrap_or(0) % bytes.len().max(1);
        bytes.truncate(cut);
        self.torn = Some(bytes);
    }

    /// What is found behind the journal; it is cut off.
    pub(crate) const fn take_torn(&mut self) -> Option<Vec<u8>> {
        self.torn.take()
    }

    /// The machine loses power. Whether a frame was lost.
    pub(crate) fn lose_power(&mut self) -> bool {
        let before = self.frames.len();
        self.frames.retain(|frame| frame.synced);
        self.frames.len() < before
    }

    /// Whether its marker names this ownership.
    #[must_use]
    pub(crate) fn knows(&self, shard: ShardId, ownership: (Epoch, Generation)) -> bool {
        let marker = &self.shards[shard.index()].0;
        // An owner's own changes of followers are one epoch ahead of its marker for a moment.
        let is_held = |epoch, generation| (epoch, generation) == ownership;
        marker
            .held
            .is_some_and(|held| is_held(held.epoch, held.generation) || is_held(held.epoch.next(), held.generation))
            || marker.wanted.is_some_and(|wanted| (wanted.epoch, wanted.generation) == ownership)
    }

    /// What it promises.
    #[must_use]
    pub(crate) fn promise(&self, shard: ShardId) -> Promise {
        self.shards[shard.index()].1
    }

    /// Notes, for the checker, that it has not all of the answers of an epoch.
    pub(crate) fn lose(&mut self, shard: ShardId, epoch: Epoch) {
        self.lost[shard.index()] = Some(epoch);
    }

    /// The epoch of which it has lost answers.
    #[must_use]
    pub(crate) fn lost(&self, shard: ShardId) -> Option<Epoch> {
        self.lost[shard.index()]
    }

    /// Reads everything back: a recoverer, and what the engine is told.
    pub(crate) fn recover(
        &mut self,
        boot: u64,
        plant: Plant,
        ignores_doubt: bool,
        random: &mut Random,
    ) -> (Recoverer<Plant>, Found) {
        let count = ShardCount::new(self.shards.len() as u64).unwrap_or(ShardCount::DEFAULT);
        let mut recoverer = Recoverer::with_bugs(count, plant);
        for ((shard, bucket), payload) in &self.pages {
            // What the model wrote is well formed; a fault of the format is a fault of the engine's own tests.
            let _ = recoverer.page(*shard, *bucket, payload);
        }
        for frame in &self.frames {
            let _ = recoverer.frame(&frame.bytes);
        }
        // A section that comes again, or late, changes nothing.
        let written: Vec<&Vec<u8>> = self.earlier.iter().chain(self.frames.iter().map(|frame| &frame.bytes)).collect();
        if let Some(again) = written.get(random.index(2 * written.len() + 1)) {
            let _ = recoverer.frame(again);
        }
        self.doubtful |= self.lax && self.boot != boot && !ignores_doubt;
        self.lax &= self.boot == boot;
        let shards = self.shards.iter().zip(recoverer.found()).map(|((marker, promise), (written, latest))| {
            FoundShard { marker: *marker, promise: *promise, written, latest }
        });
        let found = Found {
            wholeness: if self.doubtful { Wholeness::Doubtful } else { Wholeness::Whole },
            shards: shards.collect(),
            lease: self.lease,
            seen: self.seen,
        };
        (recoverer, found)
    }
}
