//! Why a data directory cannot be opened; each message says what to do.

use std::path::{Path, PathBuf};

/// A data directory that was not opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the data directory {} is in use by another process; stop that process or choose another directory", dir.display())]
    AlreadyInUse { dir: PathBuf },
    #[error(
        "the data directory {} belongs to node {found:?}, not to {expected:?}; start with that node id or choose another directory",
        dir.display()
    )]
    OtherNode { dir: PathBuf, found: String, expected: String },
    #[error(
        "the data directory {} has format {found}, this version reads format {supported}; run the version that wrote it, or choose another directory",
        dir.display()
    )]
    OtherFormat { dir: PathBuf, found: u64, supported: u64 },
    #[error("{} is not a data directory ({reason}); choose an empty or a new directory", dir.display())]
    NotADataDirectory { dir: PathBuf, reason: String },
    #[error("cannot use {}: {source}; check that the path exists and may be written", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error(
        "no space left on device under {}; free {} MiB (what the journal needs to be read back), then start again (nothing that was answered is lost)",
        dir.display(), needed_bytes.div_ceil(1 << 20)
    )]
    NoSpace { dir: PathBuf, needed_bytes: u64 },
    #[error(
        "the database in {} cannot be opened: {reason}; repair the disk or restore it from a copy, or move the directory away to start without its counters (every client begins with its full limit) and its policies (set them again)",
        dir.display()
    )]
    Rocks { dir: PathBuf, reason: String },
}

/// What the operating system's ENOSPC reads like, in its own messages and in RocksDB's.
const NO_SPACE: &str = "No space left on device";

/// Enough for the small files of a database and for its first frames.
const SPACE_BYTES_MIN: u64 = 16 << 20;

impl OpenError {
    /// Whether a later attempt can succeed without anybody choosing another directory.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::AlreadyInUse { .. } | Self::NoSpace { .. })
    }

    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::StorageFull {
            return Self::NoSpace { dir: path.to_owned(), needed_bytes: SPACE_BYTES_MIN };
        }
        Self::Io { path: path.to_owned(), source }
    }

    /// What RocksDB said about the database in `dir`, whose WAL has `wal_bytes`.
    pub(crate) fn rocks(dir: &Path, wal_bytes: u64, error: &rocksdb::Error) -> Self {
        let reason = error.to_string();
        if reason.contains(NO_SPACE) {
            // Reading the WAL back writes it once more, as table files.
            return Self::NoSpace { dir: dir.to_owned(), needed_bytes: wal_bytes.saturating_add(SPACE_BYTES_MIN) };
        }
        Self::Rocks { dir: dir.to_owned(), reason }
    }
}
