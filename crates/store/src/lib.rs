//! The journal: frames, pages and records in RocksDB, and the in-memory double.

mod store;

pub use store::{
    CommitSync, Corrupt, Doubt, PageId, Record, RecordKind, RecoverError, Recovered, Recovery, Store, Wholeness, WriteError,
};
