//! The sections of a frame that go to other process lifetimes.
//!
//! Rule (design, journal): one frame per commit and destination, with a section for each shard that changed; the same bytes go into the
//! owner's journal and to its followers.

use std::collections::BTreeMap;

use super::target::Target;
use crate::frame::Excerpt;
use crate::ledger::Ledger;
use crate::ownership::{Bug, Bugs, Holder};
use crate::replication::target::Stage;

/// By destination.
#[derive(Debug, Default)]
pub(crate) struct Excerpts {
    to: BTreeMap<Holder, Excerpt>,
    /// The planted bug that sends nothing while a snapshot is under way.
    skips_seeding: bool,
}

impl Excerpts {
    pub(crate) fn new<B: Bugs>(bugs: &B) -> Self {
        Self { to: BTreeMap::new(), skips_seeding: bugs.has(Bug::SnapshotWithoutTail) }
    }

    pub(crate) fn take(&mut self, section: &[u8], targets: &[Target]) {
        for target in targets.iter().filter(|target| target.gets_sections()) {
            if self.skips_seeding && matches!(target.stage, Stage::Seeding { .. }) {
                continue;
            }
            self.to.entry(target.to.clone()).or_insert_with(Excerpt::new).take(section);
        }
    }
}

impl<B: Bugs> Ledger<B> {
    /// Sends what a sealed frame has for others. A copy that no reply waits for and that is too far behind gets nothing more.
    pub(crate) fn send_excerpts(&mut self, excerpts: Excerpts, whole: &[u8]) {
        for (to, excerpt) in excerpts.to {
            if !self.peers.has_room(&to) {
                self.give_up_learners(&to);
            }
            self.peers.send(&to, excerpt.finish(whole), self.sealed);
            if !self.peers.has_room(&to) {
                self.congest();
            }
        }
    }

    /// Notes which shards wait for a copy that is as far behind as it may be.
    ///
    /// Decisions wait then, and not the journal: a node whose journal waited for its followers would not acknowledge what it follows
    /// itself, and two such nodes would wait for each other for good.
    pub(crate) fn congest(&mut self) {
        for held in &mut self.shards {
            let is_behind = |target: &Target| target.required.is_some() && !self.peers.has_room(&target.to);
            held.is_congested = held.targets.iter().any(is_behind);
        }
    }

    fn give_up_learners(&mut self, to: &Holder) {
        for index in 0..self.shards.len() {
            let held = &mut self.shards[index];
            let behind = held.targets.iter_mut().filter(|target| target.to == *to && target.required.is_none());
            let mut is_one = false;
            for target in behind {
                (target.is_broken, is_one) = (true, true);
            }
            if is_one {
                self.restless.insert(held.id);
            }
        }
    }
}
