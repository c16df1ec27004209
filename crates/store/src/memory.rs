//! The in-memory double of the journal, for tests: it keeps every claim of the contract, and can crash, lose power, be damaged
//! and fail a write on demand.
//!
//! Invariant: [`Crash::Process`] keeps every write, [`Crash::Power`] exactly those that were synced. Values lie in the same
//! envelopes as on disk, so damage is found in the same way.

mod disk;
mod recovery;

use std::sync::{Mutex, MutexGuard, PoisonError};

use drl_core::CommitNo;

use self::disk::{Change, Disk};
use crate::envelope::{self, Kind};
use crate::mark::Mark;
use crate::run::Run;
use crate::tail::Tail;
use crate::{
    CommitSync, KeyValue, PageId, Record, RecordKind, RecoverError, Recovered, Recovery, Store, WriteError, bounds,
    keys,
};

/// How a process ends without closing its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// kill -9: the page cache keeps everything that was written.
    Process,
    /// The machine: what was not synced is gone, and the next start is on another boot.
    Power,
}

/// What can happen to a journal while no process has it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// The frame disappears.
    LoseFrame(CommitNo),
    /// A bit of the frame flips.
    CorruptFrame(CommitNo),
    /// A bit of the page flips.
    CorruptPage(PageId),
    /// The high-water mark disappears.
    LoseMark,
}

/// A journal in memory. [`MemoryStore::crash`] ends one process and begins the next, which has to recover.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    disk: Disk,
    mark: Option<Mark>,
    /// Of the last synced moment.
    durable_mark: Option<Mark>,
    policy_mark: u64,
    has_loose_policies: bool,
    boot: u64,
    writer: Option<Writer>,
    fail_next: Option<String>,
    stopped: Option<String>,
}

#[derive(Debug)]
struct Writer {
    tail: Tail,
    run: Run,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty journal, ready to be recovered.
    #[must_use]
    pub fn new() -> Self {
        let mark = Some(Mark::default());
        let state = State {
            disk: Disk::default(),
            mark,
            durable_mark: mark,
            policy_mark: 0,
            has_loose_policies: false,
            boot: 1,
            writer: None,
            fail_next: None,
            stopped: None,
        };
        Self { state: Mutex::new(state) }
    }

    /// Ends the process. The next one finds what the crash left, and the store accepts writes again once it is recovered.
    pub fn crash(&self, crash: Crash) {
        let mut state = self.state();
        if crash == Crash::Power {
            state.disk.lose_unsynced();
            state.mark = state.durable_mark;
            state.boot = state.boot.saturating_add(1);
        }
        state.writer = None;
        state.fail_next = None;
        state.stopped = None;
    }

    /// Damages what is stored; to be noticed at the next recovery.
    pub fn damage(&self, damage: Damage) {
        let mut state = self.state();
        match damage {
            Damage::LoseMark => {
                state.mark = None;
                state.durable_mark = None;
            }
            Damage::LoseFrame(_) | Damage::CorruptFrame(_) | Damage::CorruptPage(_) => state.disk.damage(damage),
        }
    }

    /// Makes the next write fail with `reason`, and so every later one.
    pub fn fail_next_write(&self, reason: &str) {
        self.state().fail_next = Some(reason.to_owned());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One change; any failure stops the store.
    fn change(
        &self,
        change: impl FnOnce(&mut Disk, &mut Writer) -> Result<CommitSync, String>,
    ) -> Result<(), WriteError> {
        let mut state = self.state();
        let state = &mut *state;
        if let Some(reason) = state.stopped.clone() {
            return Err(WriteError { reason });
        }
        let outcome = match (state.fail_next.take(), state.writer.as_mut()) {
            (Some(reason), _) => Err(reason),
            (None, None) => Err("the journal must be read back before the first write".to_owned()),
            (None, Some(writer)) => change(&mut state.disk, writer).map(|sync| (sync, writer.tail.last())),
        };
        match outcome {
            Ok((sync, last)) => {
                state.mark = Some(Mark { commit: last, sequence: state.disk.sequence() });
                if sync == CommitSync::Now {
                    state.sync();
                }
                Ok(())
            }
            Err(reason) => {
                state.stopped = Some(reason.clone());
                Err(WriteError { reason })
            }
        }
    }
}

impl Store for MemoryStore {
    fn recover(&self, into: &mut dyn Recovery) -> Result<Recovered, RecoverError> {
        self.state().read_back(into).map_err(|reason| RecoverError { reason })
    }

    fn append(&self, commit: CommitNo, frame: &[u8], sync: CommitSync) -> Result<(), WriteError> {
        self.change(|disk, writer| {
            writer.tail.expect_next(commit)?;
            bounds::frame(frame)?;
            if sync == CommitSync::Later && !writer.run.lax {
                writer.run = writer.run.with_lax();
                disk.apply(Change::Run(writer.run.clone()));
                disk.sync();
            }
            let mut value = Vec::new();
            envelope::seal(Kind::Frame, &keys::frame(commit), frame, &mut value);
            writer.tail.push(value.len());
            disk.apply(Change::Frame(commit, value.into()));
            Ok(sync)
        })
    }

    fn sync(&self) -> Result<(), WriteError> {
        let mut state = self.state();
        if let Some(reason) = state.stopped.clone() {
            return Err(WriteError { reason });
        }
        state.sync();
        Ok(())
    }

    fn write_pages(&self, pages: &[(PageId, Vec<u8>)]) -> Result<(), WriteError> {
        self.change(|disk, _| {
            bounds::pages(pages)?;
            for (page, payload) in pages {
                let mut value = Vec::new();
                envelope::seal(Kind::Page, &keys::page(*page), payload, &mut value);
                disk.apply(Change::Page(*page, (!payload.is_empty()).then(|| value.into())));
            }
            Ok(CommitSync::Later)
        })
    }

    fn checkpoint(&self, upto: CommitNo) -> Result<(), WriteError> {
        self.change(|disk, writer| {
            writer.tail.expect_committed(upto)?;
            if upto > writer.tail.checkpoint() {
                writer.tail.cut(upto);
                disk.apply(Change::Checkpoint(upto));
            }
            Ok(CommitSync::Now)
        })?;
        self.state().has_loose_policies = false;
        Ok(())
    }

    fn discard_counters(&self) -> Result<(), WriteError> {
        self.change(|disk, writer| {
            let last = writer.tail.last();
            writer.tail = Tail::behind(last);
            writer.run = writer.run.without_doubt();
            disk.apply(Change::Discard(last));
            disk.apply(Change::Run(writer.run.clone()));
            Ok(CommitSync::Now)
        })
    }

    fn put_records(&self, records: &[Record]) -> Result<(), WriteError> {
        self.change(|disk, _| {
            bounds::records(records)?;
            for record in records {
                disk.apply(Change::Record(record.clone()));
            }
            Ok(CommitSync::Now)
        })?;
        self.state().has_loose_policies |= records.iter().any(|record| record.kind == RecordKind::Policy);
        Ok(())
    }

    fn records(&self, kind: RecordKind) -> Result<Vec<KeyValue>, RecoverError> {
        Ok(self.state().disk.records(kind))
    }

    fn mark_policies(&self, revision: u64) -> Result<(), WriteError> {
        self.change(|_, _| Ok(CommitSync::Now))?;
        self.state().policy_mark = revision;
        Ok(())
    }

    fn marked_policies(&self) -> Result<Option<u64>, RecoverError> {
        Ok(Some(self.state().policy_mark))
    }

    fn has_loose_policies(&self) -> bool {
        self.state().has_loose_policies
    }

    fn journal_bytes(&self) -> u64 {
        self.state().writer.as_ref().map_or(0, |writer| writer.tail.bytes())
    }

    fn close(&self) -> Result<(), WriteError> {
        self.change(|disk, writer| {
            writer.run = writer.run.without_lax();
            disk.apply(Change::Run(writer.run.clone()));
            Ok(CommitSync::Now)
        })
    }
}
