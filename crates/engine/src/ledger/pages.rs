//! A shard as it goes to disk: its head, and the pages that changed.

use drl_core::ShardTime;

use crate::frame::Head;
use crate::page::{HEAD_BUCKET, Page, PageWriter, write_head};
use crate::row::Place;
use crate::shard::{Shard, bucket_of};

/// Which counters a checkpoint leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drops {
    Expired,
    Everything,
}

impl Shard {
    /// Whether another node has what is here: its owner, or a copy that replies wait for.
    pub(super) fn is_backed(&self) -> bool {
        self.following.is_some() || self.targets.iter().any(|target| target.required.is_some() && !target.is_broken)
    }

    pub(crate) fn head(&self) -> Head {
        Head { shard: self.id, epoch: self.epoch, seq: self.seq, time: self.latest, floor: self.floor }
    }

    pub(super) fn take_pages(&mut self, now: ShardTime, drops: Drops) -> Vec<Page> {
        self.drop_expired(now, drops);
        let dirty = std::mem::take(&mut self.dirty);
        if dirty == 0 {
            return Vec::new();
        }
        let mut writers: Vec<PageWriter> = (0..HEAD_BUCKET).map(|_| PageWriter::default()).collect();
        for (key, row) in self.table.iter() {
            let bucket = bucket_of(key);
            let is_taken = dirty & (1 << bucket) == 0 || writers[usize::from(bucket)].row(key, &row.counter);
            debug_assert!(is_taken, "a page holds fewer rows than a dictionary holds shapes");
        }
        let dirty_pages = (0..HEAD_BUCKET).zip(writers).filter(|(bucket, _)| dirty & (1 << bucket) != 0);
        let mut pages: Vec<Page> =
            dirty_pages.map(|(bucket, writer)| Page { bucket, payload: writer.finish() }).collect();
        pages.push(Page { bucket: HEAD_BUCKET, payload: write_head(&self.head()) });
        pages
    }

    /// Drops counters that say no more than their absence would, and marks their pages.
    fn drop_expired(&mut self, now: ShardTime, drops: Drops) {
        let mut table = std::mem::take(&mut self.table);
        let mut dropped = 0;
        table.retain(|key, row| {
            let is_dropped = drops == Drops::Everything || self.is_expired(row, now);
            let keeps = row.place == Place::OpenFrame || !is_dropped;
            if !keeps {
                dropped |= 1 << bucket_of(key);
            }
            keeps
        });
        self.table = table;
        self.dirty |= dropped;
    }
}
