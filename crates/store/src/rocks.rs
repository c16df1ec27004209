//! The journal in RocksDB: opening it, and every write in one place.
//!
//! Invariants: a write of the database is followed by its mark, that of records by an fsync before it; a write that failed is the last one
//! (`stop.rs`); frames have consecutive commit numbers (`tail.rs`). Does not know what frames, pages and records hold.

mod checkpoint;
mod options;
mod recovery;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use drl_core::{CommitNo, NodeId};
use rocksdb::{BoundColumnFamily, DBWithThreadMode, MultiThreaded, Options, WriteBatch};

use crate::directory::{Directory, Stage};
use crate::envelope::{self, Kind};
use crate::faults::{Plant, is_planted, point};
use crate::mark::{Mark, MarkFile};
use crate::run::Run;
use crate::stop::Stop;
use crate::tail::Tail;
use crate::{
    CommitSync, KeyValue, Lineage, OpenError, PageId, Record, RecordKind, RecoverError, Recovered, Recovery, Store,
    WriteError, bounds, keys, policy_mark,
};

/// Column families may be replaced while others are written.
type Database = DBWithThreadMode<MultiThreaded>;

/// Pages are written in batches of about this size: large enough to be fast, small enough that an append waits for one only
/// about a millisecond.
const PAGE_BATCH_BYTES: usize = 1 << 20;

/// Who opens the directory.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    pub node_id: NodeId,
    /// From `/proc/sys/kernel/random/boot_id`; empty when unknown, which counts as another boot at every start.
    pub boot_id: String,
}

/// A journal in RocksDB, in a data directory of its own. Dropping it without [`Store::close`] is like kill -9.
pub struct RocksStore {
    db: Database,
    directory: Directory,
    boot_id: String,
    stop: Stop,
    /// `None` until the journal was read back. Held around an append and its mark, so that they stay in step; never while a
    /// flush runs, nor while records are synced: their mark comes behind that.
    writer: Mutex<Option<Writer>>,
    journal_bytes: AtomicU64,
    has_loose_policies: AtomicBool,
    /// A table file of frames or pages cannot be read, hence not compacted either: it has to go as a whole.
    has_bad_table: AtomicBool,
}

/// What changes with the writes.
#[derive(Debug)]
struct Writer {
    tail: Tail,
    run: Run,
    mark: MarkFile,
    /// The envelope being built, kept for its allocation.
    value: Vec<u8>,
}

impl RocksStore {
    /// Opens the data directory `dir` and locks it; creates it when it is missing or empty.
    ///
    /// # Errors
    /// [`OpenError`], one variant for each reason.
    pub fn open(dir: &Path, options: OpenOptions) -> Result<Self, OpenError> {
        let directory = Directory::open(dir, &options.node_id)?;
        let settings = options::database(directory.stage());
        Self::open_with(directory, &settings, options.boot_id)
    }

    fn open_with(mut directory: Directory, settings: &Options, boot_id: String) -> Result<Self, OpenError> {
        let db = Database::open_cf_descriptors(settings, directory.database(), options::column_families())
            .map_err(|error| OpenError::rocks(directory.root(), directory.wal_bytes(), &error))?;
        if directory.stage() == Stage::New {
            let mark = directory.mark();
            MarkFile::begin(&mark, directory.lineage(), Mark::default())
                .map_err(|error| OpenError::io(&mark, error))?;
            let policies = directory.policy_mark();
            policy_mark::write(&policies, directory.lineage(), 0).map_err(|error| OpenError::io(&policies, error))?;
            directory.establish()?;
        }
        Ok(Self {
            db,
            directory,
            boot_id,
            stop: Stop::default(),
            writer: Mutex::new(None),
            journal_bytes: AtomicU64::new(0),
            has_loose_policies: AtomicBool::new(false),
            has_bad_table: AtomicBool::new(false),
        })
    }

    /// The identity of the data directory.
    #[must_use]
    pub const fn lineage(&self) -> Lineage {
        self.directory.lineage()
    }

    /// Runs one change under the lock. Any failure stops the store.
    fn change(&self, change: impl FnOnce(&mut Writer) -> Result<(), String>) -> Result<(), WriteError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.stop.check()?;
        let Some(writer) = writer.as_mut() else {
            return Err(self.stop.because("the journal must be read back before the first write".to_owned()));
        };
        let outcome = change(writer).map_err(|reason| self.stop.because(reason));
        self.journal_bytes.store(writer.tail.bytes(), Ordering::Relaxed);
        outcome
    }

    /// One write of the database.
    fn commit(&self, batch: WriteBatch, sync: CommitSync) -> Result<(), String> {
        point("write");
        let written = self.db.write_opt(batch, &options::write(sync)).map_err(|error| error.to_string());
        point("written");
        written
    }

    /// Moves the mark to what was just written. Not for pages: they may be lost until their checkpoint, and a mark that
    /// reached the disk before them would cry wolf after a power cut.
    fn mark(&self, writer: &Writer) -> Result<(), String> {
        let mark = Mark { commit: writer.tail.last(), sequence: self.db.latest_sequence_number() };
        writer.mark.write(mark).map_err(|error| format!("the high-water mark: {error}"))
    }

    fn column_family(&self, name: &str) -> Result<Arc<BoundColumnFamily<'_>>, String> {
        self.db.cf_handle(name).ok_or_else(|| format!("the database has no column family {name}"))
    }

    /// Adds the run record to `batch`.
    fn put_run(&self, batch: &mut WriteBatch, run: &Run) -> Result<(), String> {
        self.put_record(batch, keys::RUN, &run.encode())
    }

    fn put_record(&self, batch: &mut WriteBatch, key: &[u8], payload: &[u8]) -> Result<(), String> {
        let mut value = Vec::new();
        envelope::seal(Kind::Record, key, payload, &mut value);
        batch.put_cf(&self.column_family(keys::RECORDS)?, key, &value);
        Ok(())
    }

    /// Writes the run record alone, with an fsync, and takes it over.
    fn begin(&self, writer: &mut Writer, run: Run) -> Result<(), String> {
        let mut batch = WriteBatch::default();
        self.put_run(&mut batch, &run)?;
        self.commit(batch, CommitSync::Now)?;
        writer.run = run;
        self.mark(writer)
    }

    /// Writes some pages, about [`PAGE_BATCH_BYTES`] of them, and returns the rest.
    fn write_page_batch<'a>(&self, pages: &'a [(PageId, Vec<u8>)]) -> Result<&'a [(PageId, Vec<u8>)], WriteError> {
        let mut rest = pages;
        self.change(|writer| {
            let column_family = self.column_family(keys::PAGES)?;
            let mut batch = WriteBatch::default();
            while let Some(((page, payload), behind)) = rest.split_first() {
                let key = keys::page(*page);
                if payload.is_empty() {
                    batch.delete_cf(&column_family, key);
                } else {
                    envelope::seal(Kind::Page, &key, payload, &mut writer.value);
                    batch.put_cf(&column_family, key, &writer.value);
                }
                rest = behind;
                if batch.size_in_bytes() >= PAGE_BATCH_BYTES {
                    break;
                }
            }
            self.commit(batch, CommitSync::Later)
        })?;
        Ok(rest)
    }
}

impl Store for RocksStore {
    fn recover(&self, into: &mut dyn Recovery) -> Result<Recovered, RecoverError> {
        self.read_back(into).map_err(|reason| RecoverError { reason })
    }

    fn append(&self, commit: CommitNo, frame: &[u8], sync: CommitSync) -> Result<(), WriteError> {
        self.change(|writer| {
            writer.tail.expect_next(commit)?;
            bounds::frame(frame)?;
            if sync == CommitSync::Later && !writer.run.lax {
                let lax = writer.run.with_lax();
                self.begin(writer, lax)?;
            }
            let key = keys::frame(commit);
            envelope::seal(Kind::Frame, &key, frame, &mut writer.value);
            let mut batch = WriteBatch::with_capacity_bytes(writer.value.len().saturating_add(64));
            batch.put_cf(&self.column_family(keys::JOURNAL)?, key, &writer.value);
            self.commit(batch, sync)?;
            writer.tail.push(writer.value.len());
            self.mark(writer)
        })
    }

    fn sync(&self) -> Result<(), WriteError> {
        self.stop.check()?;
        point("fsync");
        if is_planted(Plant::LostFsync) {
            return Ok(());
        }
        self.db.flush_wal(true).map_err(|error| self.stop.because(error.to_string()))?;
        point("fsynced");
        Ok(())
    }

    fn write_pages(&self, pages: &[(PageId, Vec<u8>)]) -> Result<(), WriteError> {
        self.change(|_| bounds::pages(pages))?;
        let mut rest = pages;
        while !rest.is_empty() {
            rest = self.write_page_batch(rest)?;
        }
        Ok(())
    }

    fn checkpoint(&self, upto: CommitNo) -> Result<(), WriteError> {
        self.cut_behind(upto)
    }

    fn discard_counters(&self) -> Result<(), WriteError> {
        self.discard()
    }

    fn put_records(&self, records: &[Record]) -> Result<(), WriteError> {
        self.change(|_| {
            bounds::records(records)?;
            let column_family = self.column_family(keys::RECORDS)?;
            let mut batch = WriteBatch::default();
            for record in records {
                let key = keys::record(record.kind, &record.key);
                match &record.value {
                    Some(value) => self.put_record(&mut batch, &key, value)?,
                    None => batch.delete_cf(&column_family, &key),
                }
            }
            self.commit(batch, CommitSync::Later)?;
            if records.iter().any(|record| record.kind == RecordKind::Policy) {
                self.has_loose_policies.store(true, Ordering::Release);
            }
            Ok(())
        })?;
        // Not as a part of the write: every append would wait for that fsync, and while shards move there is always one under way.
        self.sync()?;
        self.change(|writer| self.mark(writer))
    }

    fn mark_policies(&self, revision: u64) -> Result<(), WriteError> {
        self.change(|_| {
            policy_mark::write(&self.directory.policy_mark(), self.lineage(), revision)
                .map_err(|error| format!("the mark of the policies: {error}"))
        })
    }

    fn marked_policies(&self) -> Result<Option<u64>, RecoverError> {
        let read = policy_mark::read(&self.directory.policy_mark(), self.lineage());
        read.map_err(|error| RecoverError { reason: format!("the mark of the policies: {error}") })
    }

    fn has_loose_policies(&self) -> bool {
        self.has_loose_policies.load(Ordering::Acquire)
    }

    fn records(&self, kind: RecordKind) -> Result<Vec<KeyValue>, RecoverError> {
        self.read_records(kind).map_err(|reason| RecoverError { reason })
    }

    fn journal_bytes(&self) -> u64 {
        self.journal_bytes.load(Ordering::Relaxed)
    }

    fn close(&self) -> Result<(), WriteError> {
        self.sync()?;
        self.change(|writer| {
            let settled = writer.run.without_lax();
            self.begin(writer, settled)?;
            writer.mark.sync().map_err(|error| format!("the high-water mark: {error}"))
        })
    }
}

impl std::fmt::Debug for RocksStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RocksStore").field("dir", &self.directory.root()).finish_non_exhaustive()
    }
}
