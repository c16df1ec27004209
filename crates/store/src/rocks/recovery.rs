//! Reading the journal back: the pages, the frames behind them up to the first that is missing or damaged, and the verdict
//! whether that is everything. Then the new run begins, with its doubts on record.
//!
//! Invariant: what is handed on passed its checksum under its own key, and frames come without a gap. Damage to one value, or to
//! a table file of pages or frames, is a doubt; records that cannot be read are an error.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use drl_core::CommitNo;
use rocksdb::{DBRawIteratorWithThreadMode, ErrorKind, WriteBatch};

use super::{Database, RocksStore, Writer, options};
use crate::envelope::{self, Kind};
use crate::judge::{self, Evidence};
use crate::mark::{self, Mark, MarkFile};
use crate::run::Run;
use crate::tail::Tail;
use crate::{CommitSync, Doubt, KeyValue, RecordKind, Recovered, Recovery, Wholeness, keys};

/// The frames that were read, and what ended them.
struct Frames {
    tail: Tail,
    count: u64,
    /// The highest commit that has a frame, damaged or not; the checkpoint when there is none.
    reached: CommitNo,
    /// The first frame that is missing or damaged.
    cut: Option<Doubt>,
}

impl RocksStore {
    pub(super) fn read_back(&self, into: &mut dyn Recovery) -> Result<Recovered, String> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.is_some() {
            return Err("it was read back already".to_owned());
        }
        let last_run = self.read_run()?;
        let mark = mark::read(&self.directory.mark(), self.lineage()).map_err(|error| error.to_string())?;
        let mut damage = Vec::new();
        let pages = self.read_pages(into, &mut damage)?;
        let frames = self.read_frames(self.read_checkpoint()?, into)?;
        damage.extend(frames.cut.clone());
        let has_bad_table = damage.iter().any(|doubt| matches!(doubt, Doubt::CorruptTable { .. }));
        self.has_bad_table.store(has_bad_table, Ordering::Relaxed);
        let wholeness = judge::wholeness(Evidence {
            last_run: last_run.as_ref(),
            boot_id: &self.boot_id,
            mark,
            reached: frames.reached,
            sequence: self.db.latest_sequence_number(),
            damage,
        });
        let recovered = Recovered { last: frames.tail.last(), pages, frames: frames.count, wholeness };
        *writer = Some(self.begin_run(frames, &recovered.wholeness)?);
        // With a damaged table this is left to the discarding, which replaces it.
        if !has_bad_table {
            self.compact_from_now_on(keys::JOURNAL)?;
            self.compact_from_now_on(keys::PAGES)?;
        }
        Ok(recovered)
    }

    /// Cuts what may not stay, and puts the new run on disk with its doubts: if the process dies now, they are found again.
    fn begin_run(&self, frames: Frames, wholeness: &Wholeness) -> Result<Writer, String> {
        // What an earlier run on this boot left to the page cache goes to disk before its `lax` is taken back.
        self.flush_all()?;
        let run = Run::begin(self.lineage(), &self.boot_id, judge::summary(wholeness));
        let mut batch = WriteBatch::default();
        self.put_run(&mut batch, &run)?;
        if frames.cut.is_some() {
            let first = keys::frame(frames.tail.last().next());
            batch.delete_range_cf(&self.column_family(keys::JOURNAL)?, first.as_slice(), keys::END);
        }
        self.commit(batch, CommitSync::Now)?;
        let mark = Mark { commit: frames.tail.last(), sequence: self.db.latest_sequence_number() };
        let mark = MarkFile::begin(&self.directory.mark(), self.lineage(), mark).map_err(|error| error.to_string())?;
        self.journal_bytes.store(frames.tail.bytes(), Ordering::Relaxed);
        Ok(Writer { tail: frames.tail, run, mark, value: Vec::new() })
    }

    fn read_pages(&self, into: &mut dyn Recovery, damage: &mut Vec<Doubt>) -> Result<u64, String> {
        let mut pages = 0_u64;
        let mut rows = self.rows(keys::PAGES)?;
        rows.seek_to_first();
        while let Some((key, value)) = rows.item() {
            let page = keys::parse_page(key).ok_or_else(|| format!("a page has a key of {} bytes", key.len()))?;
            match envelope::open(Kind::Page, key, value).and_then(|payload| into.page(page, payload)) {
                Ok(()) => pages = pages.saturating_add(1),
                Err(corrupt) => damage.push(Doubt::CorruptPage { page, reason: corrupt.reason }),
            }
            rows.next();
        }
        damage.extend(bad_table("pages", &rows)?);
        Ok(pages)
    }

    fn read_frames(&self, checkpoint: CommitNo, into: &mut dyn Recovery) -> Result<Frames, String> {
        let mut rows = self.rows(keys::JOURNAL)?;
        rows.seek_to_last();
        let highest = rows.key().map(|key| keys::parse_frame(key).unwrap_or(checkpoint));
        let reached = highest.map_or(checkpoint, |commit| commit.max(checkpoint));
        let cut = bad_table("journal", &rows)?;
        let mut frames = Frames { tail: Tail::behind(checkpoint), count: 0, reached, cut };
        if frames.cut.is_some() {
            return Ok(frames);
        }
        rows.seek(keys::frame(checkpoint.next()));
        while let Some((key, value)) = rows.item() {
            let commit = frames.tail.last().next();
            if let Err(reason) = read_frame(commit, key, value, into) {
                frames.cut = Some(Doubt::CorruptFrame { commit, reason });
                return Ok(frames);
            }
            frames.tail.push(value.len());
            frames.count = frames.count.saturating_add(1);
            rows.next();
        }
        frames.cut = bad_table("journal", &rows)?;
        Ok(frames)
    }

    fn read_run(&self) -> Result<Option<Run>, String> {
        let Some(payload) = self.read_record(keys::RUN)? else { return Ok(None) };
        let run = Run::decode(&payload).map_err(|corrupt| corrupt.reason)?;
        let lineage = self.lineage().to_string();
        if run.lineage == lineage {
            return Ok(Some(run));
        }
        Err(format!(
            "the database is of the data directory {}, but directory.json says {lineage}; put the parts back together",
            run.lineage
        ))
    }

    fn read_checkpoint(&self) -> Result<CommitNo, String> {
        let Some(payload) = self.read_record(keys::CHECKPOINT)? else { return Ok(CommitNo(0)) };
        keys::parse_frame(&payload).ok_or_else(|| format!("the checkpoint record has {} bytes", payload.len()))
    }

    /// A record of the store's own; `None` when there is none.
    fn read_record(&self, key: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let found = self.db.get_pinned_cf_opt(&self.column_family(keys::RECORDS)?, key, &options::read_back());
        let Some(value) = found.map_err(|error| error.to_string())? else { return Ok(None) };
        let payload = envelope::open(Kind::Record, key, &value).map_err(|corrupt| corrupt.reason)?;
        Ok(Some(payload.to_vec()))
    }

    pub(super) fn read_records(&self, kind: RecordKind) -> Result<Vec<KeyValue>, String> {
        let prefix = keys::kind_byte(kind);
        let mut records = Vec::new();
        let mut rows = self.rows(keys::RECORDS)?;
        rows.seek([prefix]);
        while let Some((full_key, value)) = rows.item() {
            let Some((first, key)) = full_key.split_first() else { break };
            if *first != prefix {
                break;
            }
            let payload = envelope::open(Kind::Record, full_key, value)
                .map_err(|corrupt| format!("a {kind:?} record is corrupt: {}", corrupt.reason))?;
            records.push((key.to_vec(), payload.to_vec()));
            rows.next();
        }
        rows.status().map_err(|error| error.to_string())?;
        Ok(records)
    }

    fn rows(&self, column_family: &str) -> Result<DBRawIteratorWithThreadMode<'_, Database>, String> {
        Ok(self.db.raw_iterator_cf_opt(&self.column_family(column_family)?, options::read_back()))
    }
}

/// The doubt when a table file ended the reading; `None` when everything was read.
///
/// # Errors
/// The disk's own, which is no damage that may be discarded.
fn bad_table(what: &'static str, rows: &DBRawIteratorWithThreadMode<'_, Database>) -> Result<Option<Doubt>, String> {
    match rows.status() {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == ErrorKind::Corruption => {
            Ok(Some(Doubt::CorruptTable { what, reason: error.to_string() }))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Hands on the frame under `key`, which must be `commit`.
fn read_frame(commit: CommitNo, key: &[u8], value: &[u8], into: &mut dyn Recovery) -> Result<(), String> {
    let found = keys::parse_frame(key).ok_or_else(|| format!("a frame has a key of {} bytes", key.len()))?;
    if found != commit {
        return Err(format!("it is missing, frame {} follows", found.0));
    }
    envelope::open(Kind::Frame, key, value)
        .and_then(|payload| into.frame(commit, payload))
        .map_err(|corrupt| corrupt.reason)
}
