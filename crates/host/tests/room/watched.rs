//! A store in memory that is watched while it appends.

use drl_core::CommitNo;
use drl_store::{
    CommitSync, KeyValue, MemoryStore, PageId, Record, RecordKind, RecoverError, Recovered, Recovery, Store, WriteError,
};

/// Does `before` ahead of each append, which fails when that does.
pub(crate) struct Watched<F> {
    pub(crate) store: MemoryStore,
    pub(crate) before: F,
}

impl<F: Fn(CommitNo) -> Result<(), WriteError> + Send + Sync> Store for Watched<F> {
    fn append(&self, commit: CommitNo, frame: &[u8], sync: CommitSync) -> Result<(), WriteError> {
        (self.before)(commit)?;
        self.store.append(commit, frame, sync)
    }
    fn recover(&self, into: &mut dyn Recovery) -> Result<Recovered, RecoverError> {
        self.store.recover(into)
    }
    fn sync(&self) -> Result<(), WriteError> {
        self.store.sync()
    }
    fn write_pages(&self, pages: &[(PageId, Vec<u8>)]) -> Result<(), WriteError> {
        self.store.write_pages(pages)
    }
    fn checkpoint(&self, upto: CommitNo) -> Result<(), WriteError> {
        self.store.checkpoint(upto)
    }
    fn discard_counters(&self) -> Result<(), WriteError> {
        self.store.discard_counters()
    }
    fn put_records(&self, records: &[Record]) -> Result<(), WriteError> {
        self.store.put_records(records)
    }
    fn records(&self, kind: RecordKind) -> Result<Vec<KeyValue>, RecoverError> {
        self.store.records(kind)
    }
    fn mark_policies(&self, revision: u64) -> Result<(), WriteError> {
        self.store.mark_policies(revision)
    }
    fn marked_policies(&self) -> Result<Option<u64>, RecoverError> {
        self.store.marked_policies()
    }
    fn has_loose_policies(&self) -> bool {
        self.store.has_loose_policies()
    }
    fn journal_bytes(&self) -> u64 {
        self.store.journal_bytes()
    }
    fn close(&self) -> Result<(), WriteError> {
        self.store.close()
    }
}
