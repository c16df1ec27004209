//! A disk with a page cache: what processes see, and what a power cut leaves. Invariant: the durable image is the visible one
//! less the changes since the last sync.

use std::collections::BTreeMap;
use std::sync::Arc;

use drl_core::CommitNo;

use crate::run::Run;
use crate::{Damage, KeyValue, PageId, Record, RecordKind};

/// One change, in the order of writing.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Frame(CommitNo, Arc<[u8]>),
    /// `None` deletes the page.
    Page(PageId, Option<Arc<[u8]>>),
    Record(Record),
    Run(Run),
    /// The pages hold everything up to here.
    Checkpoint(CommitNo),
    /// Frames from here on go.
    CutFrom(CommitNo),
    /// All pages and frames go; this is the last commit.
    Discard(CommitNo),
}

#[derive(Debug, Default)]
pub(super) struct Disk {
    visible: Image,
    durable: Image,
    unsynced: Vec<Change>,
}

#[derive(Debug, Clone, Default)]
struct Image {
    frames: BTreeMap<CommitNo, Arc<[u8]>>,
    pages: BTreeMap<PageId, Arc<[u8]>>,
    records: BTreeMap<(RecordKind, Vec<u8>), Vec<u8>>,
    run: Option<Vec<u8>>,
    checkpoint: CommitNo,
    /// How many changes there were.
    sequence: u64,
}

impl Disk {
    pub(super) fn apply(&mut self, change: Change) {
        self.visible.apply(change.clone());
        self.unsynced.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            self.durable.apply(change);
        }
    }

    pub(super) fn lose_unsynced(&mut self) {
        self.unsynced.clear();
        self.visible = self.durable.clone();
    }

    pub(super) fn damage(&mut self, damage: Damage) {
        self.visible.damage(damage);
        self.durable.damage(damage);
    }

    /// # Errors
    /// A sentence, when the record is not readable.
    pub(super) fn run(&self) -> Result<Option<Run>, String> {
        self.visible.run.as_deref().map(Run::decode).transpose().map_err(|corrupt| corrupt.reason)
    }

    pub(super) const fn checkpoint(&self) -> CommitNo {
        self.visible.checkpoint
    }

    pub(super) const fn sequence(&self) -> u64 {
        self.visible.sequence
    }

    pub(super) fn reached(&self) -> CommitNo {
        self.visible.frames.last_key_value().map_or(self.visible.checkpoint, |(commit, _)| *commit)
    }

    pub(super) fn frames(&self) -> impl Iterator<Item = (CommitNo, &[u8])> {
        self.visible.frames.iter().map(|(commit, value)| (*commit, &**value))
    }

    pub(super) fn pages(&self) -> impl Iterator<Item = (PageId, &[u8])> {
        self.visible.pages.iter().map(|(page, value)| (*page, &**value))
    }

    pub(super) fn records(&self, kind: RecordKind) -> Vec<KeyValue> {
        let of_kind = self.visible.records.iter().filter(|((found, _), _)| *found == kind);
        of_kind.map(|((_, key), value)| (key.clone(), value.clone())).collect()
    }
}

impl Image {
    fn apply(&mut self, change: Change) {
        self.sequence = self.sequence.saturating_add(1);
        match change {
            Change::Frame(commit, value) => drop(self.frames.insert(commit, value)),
            Change::Page(page, Some(value)) => drop(self.pages.insert(page, value)),
            Change::Page(page, None) => drop(self.pages.remove(&page)),
            Change::Record(Record { kind, key, value: Some(value) }) => drop(self.records.insert((kind, key), value)),
            Change::Record(Record { kind, key, value: None }) => drop(self.records.remove(&(kind, key))),
            Change::Run(run) => self.run = Some(run.encode()),
            Change::Checkpoint(upto) => {
                self.checkpoint = upto;
                self.frames = self.frames.split_off(&upto.next());
            }
            Change::CutFrom(commit) => drop(self.frames.split_off(&commit)),
            Change::Discard(last) => {
                self.checkpoint = last;
                self.frames.clear();
                self.pages.clear();
            }
        }
    }

    fn damage(&mut self, damage: Damage) {
        match damage {
            Damage::LoseFrame(commit) => drop(self.frames.remove(&commit)),
            Damage::CorruptFrame(commit) => self.frames.get_mut(&commit).into_iter().for_each(flip),
            Damage::CorruptPage(page) => self.pages.get_mut(&page).into_iter().for_each(flip),
            Damage::LoseMark => {}
        }
    }
}

/// Flips a bit of the last byte.
fn flip(value: &mut Arc<[u8]>) {
    let mut bytes = value.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    *value = bytes.into();
}
