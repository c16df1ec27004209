//! The options of the database, each with its reason. Sized for machines from 2 GiB: at most about 336 MiB of memtables, 8 MiB
//! of cache per column family. What is *absent* matters as much: no merge operator and no compaction filter (values are absolute, and what has
//! expired disappears at a checkpoint), no TTL and no periodic compaction (nothing depends on a clock), no disabled WAL, no
//! manual WAL flush and no unordered write (kill -9 loses nothing that was answered).

use drl_core::caps::JOURNAL_BYTES_MAX;
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode, LogLevel, Options,
    ReadOptions, WriteOptions,
};

use crate::directory::Stage;
use crate::faults::{Plant, is_planted};
use crate::{CommitSync, keys};

const MIB: usize = 1 << 20;

/// The journal's memtable takes a whole journal between two checkpoints and some: what a checkpoint cuts is dropped from memory
/// and never written a second time.
#[expect(clippy::cast_possible_truncation, reason = "a constant far below 4 GiB")]
const JOURNAL_MEMTABLE_BYTES: usize = JOURNAL_BYTES_MAX as usize + 16 * MIB;

/// One megabyte at a time, so that the kernel writes back steadily instead of all at once at an fsync.
const WRITE_BACK_BYTES: u64 = 1 << 20;

/// All memtables together: a full one of the journal, and two of the pages beside it. Below the first, RocksDB would flush the
/// journal early and write every frame twice.
const MEMTABLES_BYTES: usize = JOURNAL_MEMTABLE_BYTES + 64 * MIB;

pub(super) fn database(stage: Stage) -> Options {
    let mut options = unreserved();
    // Only a directory under creation may get a new database; elsewhere a missing one is damage.
    options.create_if_missing(stage == Stage::New);
    // A crash may fall between dropping a damaged column family and creating it anew. One that is missing otherwise is noticed by
    // the mark and by the run record.
    options.create_missing_column_families(true);
    // A torn end of the WAL is cut at the last whole write, and nothing behind damage is replayed; the mark tells what is
    // missing. The other modes either refuse to start after every kill -9 or skip damage in the middle.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    // Damage met in the background stops the database instead of being carried along.
    options.set_paranoid_checks(true);
    // A WAL file that was synced and is gone or shorter is an error at the start.
    options.set_track_and_verify_wals_in_manifest(true);
    // The WAL is cut when every column family has been flushed, which a checkpoint does; this is the bound when none comes.
    options.set_max_total_wal_size(4 * JOURNAL_BYTES_MAX);
    options.set_wal_bytes_per_sync(WRITE_BACK_BYTES);
    options.set_bytes_per_sync(WRITE_BACK_BYTES);
    // The sum of all memtables, against a pages column family that grows while the journal does.
    options.set_db_write_buffer_size(MEMTABLES_BYTES);
    // One flush and one compaction: the other cores belong to the checks.
    options.set_max_background_jobs(2);
    // Some tens of files exist at 64 MiB each; the cap leaves the process's descriptors to connections.
    options.set_max_open_files(256);
    // The manifest grows by a line per checkpoint; rewritten at this size instead of RocksDB's gigabyte.
    options.set_max_manifest_file_size(4 * MIB);
    // Small directories stay small, on a small disk too.
    options.set_manifest_preallocation_size(64 << 10);
    // RocksDB's own log: warnings only, two files, no statistics on a timer.
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(4 * MIB);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options
}

/// The defaults, but for files that take the disk they need and no more: a WAL file would reserve as much as all memtables may
/// hold, in every directory, however small.
fn unreserved() -> Options {
    // The only way to this option. It is only refused by a RocksDB that no longer has it, which then reserves as it likes.
    Options::default().get_options_from_string("allow_fallocate=false").unwrap_or_default()
}

pub(super) fn column_families() -> Vec<ColumnFamilyDescriptor> {
    [keys::JOURNAL, keys::PAGES, keys::RECORDS]
        .map(|name| ColumnFamilyDescriptor::new(name, column_family(name)))
        .into()
}

pub(super) fn column_family(name: &str) -> Options {
    match name {
        keys::JOURNAL => journal(),
        keys::PAGES => pages(),
        _ => records(),
    }
}

fn journal() -> Options {
    let mut options = common();
    options.set_disable_auto_compactions(true); // until it was read back
    options.set_write_buffer_size(JOURNAL_MEMTABLE_BYTES);
    // One fills while one is flushed; with two a slow flush would stop the appends, which a third prevents.
    options.set_max_write_buffer_number(3);
    // Frames live for seconds; compressing them would cost more than writing them.
    options.set_compression_type(DBCompressionType::None);
    options
}

fn pages() -> Options {
    let mut options = common();
    options.set_disable_auto_compactions(true); // until it was read back
    options.set_write_buffer_size(32 * MIB);
    options.set_max_write_buffer_number(3);
    // Pages stay, and rows of like counters repeat each other.
    options.set_compression_type(DBCompressionType::Lz4);
    options
}

fn records() -> Options {
    let mut options = common();
    options.set_write_buffer_size(4 * MIB);
    options.set_compression_type(DBCompressionType::Lz4);
    options
}

fn common() -> Options {
    let mut table = BlockBasedOptions::default();
    // Everything is read once, in order, at the start; a cache beyond the present block would hold what nobody asks for again.
    table.set_block_cache(&Cache::new_lru_cache(8 * MIB));
    table.set_block_size(16 << 10);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_target_file_size_base(64 << 20);
    // Both default to 30 days by the clock.
    options.set_ttl(0);
    options.set_periodic_compaction_seconds(0);
    options
}

pub(super) fn write(sync: CommitSync) -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(sync == CommitSync::Now && !is_planted(Plant::LostFsync));
    options
}

/// Reading everything back: in order, with read-ahead, past the cache, every block's checksum verified.
pub(super) fn read_back() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_verify_checksums(true);
    options.fill_cache(false);
    options.set_readahead_size(2 * MIB);
    options
}
