//! The journal of a node: frames, pages and records in RocksDB, and the in-memory double.
//!
//! * [`Store`] is the contract, in `store.rs` with its values and errors; `conformance` holds it as claims that both keep.
//! * [`RocksStore`] (`rocks.rs`) is the one that nodes run; `directory.rs` is its data directory, `mark.rs` its high-water mark,
//!   `policy_mark.rs` that of the policies.
//! * [`MemoryStore`] (`memory.rs`) is the double for tests: it can crash, lose power, be damaged and fail a write.
//! * Shared by both: `envelope.rs` and `keys.rs` (the format on disk), `tail.rs` (commit numbers without a gap), `run.rs` (a
//!   process lifetime) and `judge.rs` (is the journal whole?).
//!
//! Payloads are opaque bytes here; nothing in this crate knows a counter, reads a clock or decides a check.

mod bounds;
#[doc(hidden)]
pub mod conformance;
mod directory;
mod envelope;
pub mod faults;
mod judge;
mod keys;
mod lineage;
mod mark;
mod memory;
mod open_error;
mod policy_mark;
mod rocks;
mod run;
mod stop;
mod store;
mod tail;

pub use lineage::Lineage;
pub use memory::{Crash, Damage, MemoryStore};
pub use open_error::OpenError;
pub use rocks::{OpenOptions, RocksStore};
pub use store::{
    CommitSync, Corrupt, Doubt, KeyValue, PageId, Record, RecordKind, RecoverError, Recovered, Recovery, Store,
    Wholeness, WriteError,
};
