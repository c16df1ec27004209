//! What a journal is, whatever keeps it: the trait, its values and its errors. Payloads are opaque bytes here; the engine gives
//! them meaning, the store keeps them whole (an envelope with format version and checksum around each) and in order.
//!
//! Invariant: what [`Store::append`] returned for survives kill -9; with [`CommitSync::Now`] it survives a power cut. What may
//! be missing after either is *said* ([`Wholeness`]), never silently absent.

use drl_core::{CommitNo, ShardId};

/// A page: one hash bucket of a shard's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageId {
    pub shard: ShardId,
    /// 0 to [`drl_core::caps::PAGES_PER_SHARD`] less one.
    pub bucket: u8,
}

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitSync {
    /// fsync before returning.
    Now,
    /// Left to a later [`Store::sync`]; survives the process, not the machine.
    Later,
}

/// Small values with a name of their own. They are always written with an fsync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// One of a kind: clock, identity key, settings.
    Meta,
    /// The role this directory last held for a shard, and under which epoch.
    Role,
    /// A policy.
    Policy,
}

/// A change of one record; `None` deletes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub kind: RecordKind,
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

/// A record's key and value, as [`Store::records`] returns them.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// Receives what [`Store::recover`] reads back.
pub trait Recovery {
    /// A page as of the last checkpoint.
    ///
    /// # Errors
    /// [`Corrupt`] when the payload makes no sense; the store adds it to the doubts and goes on.
    fn page(&mut self, page: PageId, payload: &[u8]) -> Result<(), Corrupt>;

    /// A frame behind the last checkpoint; commits come in order without a gap.
    ///
    /// # Errors
    /// [`Corrupt`] when the payload makes no sense; the store adds it to the doubts and cuts the journal there.
    fn frame(&mut self, commit: CommitNo, payload: &[u8]) -> Result<(), Corrupt>;
}

/// A payload that its reader refused, with the reader's reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Corrupt {
    pub reason: String,
}

/// What recovery found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The last commit that was read back; the next one to append is its successor.
    pub last: CommitNo,
    pub pages: u64,
    pub frames: u64,
    pub wholeness: Wholeness,
}

/// Whether everything that was ever answered from this directory is in it. Only a whole journal may be resumed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wholeness {
    Whole,
    /// At least one doubt; each says what it means to an operator.
    Doubtful(Vec<Doubt>),
}

/// A reason why a journal may not be whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    #[error("the journal ends at commit {}, but commit {} was completed: its tail was cut off", found.0, completed.0)]
    TailMissing { found: CommitNo, completed: CommitNo },
    #[error("frame {} is corrupt ({reason}); the journal was cut there", commit.0)]
    CorruptFrame { commit: CommitNo, reason: String },
    #[error("page {} of shard {} is corrupt ({reason})", page.bucket, page.shard)]
    CorruptPage { page: PageId, reason: String },
    #[error("a table file of the {what} is damaged ({reason})")]
    CorruptTable { what: &'static str, reason: String },
    #[error("the machine restarted after commits that were not yet on disk (journal-sync interval)")]
    PowerCut,
    #[error("the high-water mark of completed commits is missing or unreadable")]
    MarkUnreadable,
    #[error("records or a checkpoint that were completed are missing: the end of the database was cut off")]
    WritesMissing,
    #[error("an earlier start found the journal doubtful and its counters were not discarded since ({reason})")]
    Unsettled { reason: String },
}

/// Reading back failed as a whole; nothing may be served from this directory.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot read the data directory: {reason}; restore it from a copy, or move it away to start without its counters (every client \
     begins with its full limit) and its policies (set them again)"
)]
pub struct RecoverError {
    pub reason: String,
}

/// A write failed. The store has stopped and refuses every later write with the same reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot write the journal: {reason}; free space or repair the disk, then start again (nothing that was answered is lost)"
)]
pub struct WriteError {
    pub reason: String,
}

/// A journal of one node. Appends come one at a time, pages and checkpoints from one thread, records and syncs from any.
pub trait Store: Send + Sync {
    /// Reads everything back, once, before the first write: the pages, then the frames behind them. A doubt stays a doubt at
    /// every later start, until [`Store::discard_counters`] settles it.
    ///
    /// # Errors
    /// [`RecoverError`] when the directory cannot be read at all. Damage that leaves the rest readable is a [`Doubt`].
    fn recover(&self, into: &mut dyn Recovery) -> Result<Recovered, RecoverError>;

    /// Appends one frame. `commit` is the successor of the last one.
    ///
    /// # Errors
    /// [`WriteError`] when the frame may not be in the journal, when `commit` is another number, or when an earlier write
    /// failed.
    fn append(&self, commit: CommitNo, frame: &[u8], sync: CommitSync) -> Result<(), WriteError>;

    /// Puts everything appended so far on disk.
    ///
    /// # Errors
    /// [`WriteError`] as for [`Store::append`].
    fn sync(&self) -> Result<(), WriteError>;

    /// Replaces pages; an empty payload deletes the page. Durable with the next [`Store::checkpoint`].
    ///
    /// # Errors
    /// [`WriteError`] as for [`Store::append`].
    fn write_pages(&self, pages: &[(PageId, Vec<u8>)]) -> Result<(), WriteError>;

    /// Declares that the pages hold everything up to and including `upto`: syncs, then cuts the journal behind it. An older
    /// `upto` than that of the last checkpoint changes nothing.
    ///
    /// # Errors
    /// [`WriteError`] as for [`Store::append`].
    fn checkpoint(&self, upto: CommitNo) -> Result<(), WriteError>;

    /// Drops every page and frame (not the records), because they may not be resumed from, and settles the doubts. Commit
    /// numbers go on.
    ///
    /// # Errors
    /// [`WriteError`] as for [`Store::append`].
    fn discard_counters(&self) -> Result<(), WriteError>;

    /// Changes records, all or none, with an fsync.
    ///
    /// # Errors
    /// [`WriteError`] as for [`Store::append`].
    fn put_records(&self, records: &[Record]) -> Result<(), WriteError>;

    /// All records of a kind, by key.
    ///
    /// # Errors
    /// [`RecoverError`] when one cannot be read or fails its checksum.
    fn records(&self, kind: RecordKind) -> Result<Vec<KeyValue>, RecoverError>;

    /// Declares that the policies were changed up to `revision`, with an fsync, where damage to the records does not reach.
    ///
    /// # Errors
    /// [`WriteError`] as for [`Store::append`].
    fn mark_policies(&self, revision: u64) -> Result<(), WriteError>;

    /// The last revision that was marked, 0 when none was; `None` when that cannot be known any more.
    ///
    /// # Errors
    /// [`RecoverError`] when the operating system refuses to read it.
    fn marked_policies(&self) -> Result<Option<u64>, RecoverError>;

    /// Whether policies were written that a damaged end of the database would take away; the next [`Store::checkpoint`], of any
    /// commit, moves them out of its reach.
    fn has_loose_policies(&self) -> bool;

    /// Bytes of frames behind the last checkpoint.
    fn journal_bytes(&self) -> u64;

    /// Syncs and records that nothing is in flight: a later start on another boot still finds a whole journal.
    ///
    /// # Errors
    /// [`WriteError`] as for [`Store::append`].
    fn close(&self) -> Result<(), WriteError>;
}
