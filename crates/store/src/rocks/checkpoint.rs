//! Cutting the journal behind a checkpoint, and discarding the counters: the two ways in which frames disappear.
//!
//! A damaged table file cannot be deleted from, so its column family is replaced as a whole.
//!
//! A cut is one synced write (the checkpoint's record and a range deletion), so it happened or it did not. What makes the bytes
//! go away is behind it: a flush of every column family lets go of the WAL files, and drops from memory the frames that the
//! range deletion covers, so that most frames never reach a table file at all. Invariant: a frame at or below the checkpoint is
//! never read again; even if an old table file showed it once more, recovery begins behind it.

use std::sync::atomic::Ordering;

use drl_core::CommitNo;
use rocksdb::{FlushOptions, WriteBatch};

use super::{RocksStore, options};
use crate::faults::point;
use crate::tail::Tail;
use crate::{CommitSync, Store, WriteError, keys};

impl RocksStore {
    pub(super) fn cut_behind(&self, upto: CommitNo) -> Result<(), WriteError> {
        // Outside the lock: appends go on while most of the bytes reach the disk, and the synced write below has little left.
        self.sync()?;
        self.change(|writer| {
            writer.tail.expect_committed(upto)?;
            if upto <= writer.tail.checkpoint() {
                return Ok(());
            }
            let mut batch = WriteBatch::default();
            self.put_record(&mut batch, keys::CHECKPOINT, &keys::frame(upto))?;
            batch.delete_range_cf(
                &self.column_family(keys::JOURNAL)?,
                keys::frame(CommitNo(0)),
                keys::frame(upto.next()),
            );
            self.commit(batch, CommitSync::Now)?;
            writer.tail.cut(upto);
            self.mark(writer)
        })?;
        point("checkpoint-cut");
        self.release(upto).map_err(|reason| self.stop.because(reason))
    }

    /// Lets go of the WAL files and of the table files that hold nothing but frames up to `upto`.
    fn release(&self, upto: CommitNo) -> Result<(), String> {
        // Before the flush: a policy that is written meanwhile is loose again.
        self.has_loose_policies.store(false, Ordering::Release);
        self.flush_all()?;
        let journal = self.column_family(keys::JOURNAL)?;
        let (first, last) = (keys::frame(CommitNo(0)), keys::frame(upto));
        self.db.delete_file_in_range_cf(&journal, first, last).map_err(|error| error.to_string())
    }

    pub(super) fn flush_all(&self) -> Result<(), String> {
        let column_families =
            [self.column_family(keys::JOURNAL)?, self.column_family(keys::PAGES)?, self.column_family(keys::RECORDS)?];
        let column_families: Vec<_> = column_families.iter().collect();
        self.db.flush_cfs_opt(&column_families, &FlushOptions::default()).map_err(|error| error.to_string())
    }

    pub(super) fn discard(&self) -> Result<(), WriteError> {
        self.change(|writer| {
            // If the process dies in here, the doubt is still on record, and the next start gets here again.
            if self.has_bad_table.swap(false, Ordering::Relaxed) {
                self.replace(keys::JOURNAL)?;
                self.replace(keys::PAGES)?;
            }
            // The checkpoint's record keeps the commit numbers going when there is no frame left to tell.
            let last = writer.tail.last();
            let settled = writer.run.without_doubt();
            let mut batch = WriteBatch::default();
            self.put_record(&mut batch, keys::CHECKPOINT, &keys::frame(last))?;
            self.put_run(&mut batch, &settled)?;
            batch.delete_range_cf(&self.column_family(keys::JOURNAL)?, &[][..], keys::END);
            batch.delete_range_cf(&self.column_family(keys::PAGES)?, &[][..], keys::END);
            self.commit(batch, CommitSync::Now)?;
            writer.tail = Tail::behind(last);
            writer.run = settled;
            self.mark(writer)
        })?;
        self.flush_all().map_err(|reason| self.stop.because(reason))
    }

    /// Drops a column family with its files, unread, and begins it anew.
    fn replace(&self, name: &str) -> Result<(), String> {
        self.db.drop_cf(name).map_err(|error| error.to_string())?;
        self.db.create_cf(name, &options::column_family(name)).map_err(|error| error.to_string())?;
        self.compact_from_now_on(name)
    }

    /// Background compaction is off until the tables were read: it would stop the database at a damaged one.
    pub(super) fn compact_from_now_on(&self, name: &str) -> Result<(), String> {
        let column_family = self.column_family(name)?;
        let on = self.db.set_options_cf(&column_family, &[("disable_auto_compactions", "false")]);
        on.map_err(|error| error.to_string())
    }
}
