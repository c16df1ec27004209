//! How fast frames are appended: `cargo run --release -p drl-store --example bench_append [DIR [MILLIS]]` (default: a temporary directory,
//! 4,000 ms for each measurement).
//! Frames of 64 and 1,000 records of 34 bytes, with and without an fsync each; then appends while checkpoints run beside them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use drl_core::{CommitNo, NodeId, ShardId};
use drl_store::{CommitSync, Corrupt, OpenOptions, PageId, Recovery, RocksStore, Store};

const RECORD_BYTES: usize = 34;
const JOURNAL_BYTES_MAX: u64 = drl_core::caps::JOURNAL_BYTES_MAX;

/// How long each measurement takes.
fn run() -> Duration {
    let millis = std::env::args().nth(2).and_then(|millis| millis.parse().ok());
    Duration::from_millis(millis.unwrap_or(4_000))
}

struct Ignore;

impl Recovery for Ignore {
    fn page(&mut self, _: PageId, _: &[u8]) -> Result<(), Corrupt> {
        Ok(())
    }
    fn frame(&mut self, _: CommitNo, _: &[u8]) -> Result<(), Corrupt> {
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    let temporary = tempfile::tempdir()?;
    let root = std::env::args_os().nth(1).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    println!(
        "{:>8} {:>6} {:>12} {:>14} {:>9} {:>9} {:>9}",
        "records", "sync", "frames/s", "records/s", "p50 us", "p99 us", "max us"
    );
    for records in [64, 1_000] {
        for sync in [CommitSync::Later, CommitSync::Now] {
            let dir = root.join(format!("{records}-{sync:?}"));
            let mut times = appends(&dir, records, sync)?;
            report(records, &format!("{sync:?}"), &mut times);
        }
    }
    for sync in [CommitSync::Later, CommitSync::Now] {
        let (mut times, checkpoints) = beside_checkpoints(&root.join(format!("checkpoints-{sync:?}")), sync)?;
        report(1_000, &format!("{sync:?}"), &mut times);
        println!("         beside checkpoints of 4,096 pages of 6 KiB; each took {checkpoints:.0?} ms");
    }
    restart(&root.join("restart"))
}

fn open(dir: &Path) -> anyhow::Result<RocksStore> {
    let store = RocksStore::open(dir, OpenOptions { node_id: NodeId::new("bench")?, boot_id: "boot".to_owned() })?;
    store.recover(&mut Ignore)?;
    Ok(store)
}

/// Rows that compress about as badly as counters do.
fn frame(records: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(records * RECORD_BYTES);
    while bytes.len() < records * RECORD_BYTES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes.truncate(records * RECORD_BYTES);
    bytes
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

/// The time of each append, for [`run`]; a checkpoint whenever one is due, not counted.
fn appends(dir: &Path, records: usize, sync: CommitSync) -> anyhow::Result<Vec<Duration>> {
    let store = open(dir)?;
    let frame = frame(records);
    let mut times = Vec::new();
    let (start, run) = (now(), run());
    let mut commit = CommitNo(0);
    while start.elapsed() < run {
        commit = commit.next();
        let before = now();
        store.append(commit, &frame, sync)?;
        times.push(before.elapsed());
        if store.journal_bytes() > JOURNAL_BYTES_MAX {
            store.checkpoint(commit)?;
        }
    }
    Ok(times)
}

/// The time of each append while another thread writes pages and checkpoints, and the milliseconds of each checkpoint call.
fn beside_checkpoints(dir: &Path, sync: CommitSync) -> anyhow::Result<(Vec<Duration>, Vec<f64>)> {
    let store = open(dir)?;
    let frame = frame(1_000);
    let (last, done) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let checkpoints = scope.spawn(|| -> anyhow::Result<Vec<f64>> {
            let mut times = Vec::new();
            while !done.load(Ordering::Acquire) {
                let upto = CommitNo(last.load(Ordering::Acquire));
                let content = self::frame(180);
                let pages: Vec<_> = (0..4_096_u16)
                    .map(|page| {
                        (PageId { shard: ShardId::new(page / 4), bucket: page.to_le_bytes()[0] % 4 }, content.clone())
                    })
                    .collect();
                store.write_pages(&pages)?;
                let before = now();
                store.checkpoint(upto)?;
                times.push(before.elapsed().as_secs_f64() * 1e3);
            }
            Ok(times)
        });
        let appended = (|| {
            let mut times = Vec::new();
            let (start, run) = (now(), run());
            while start.elapsed() < run {
                let commit = CommitNo(last.load(Ordering::Acquire)).next();
                let before = now();
                store.append(commit, &frame, sync)?;
                times.push(before.elapsed());
                last.store(commit.0, Ordering::Release);
            }
            anyhow::Ok(times)
        })();
        done.store(true, Ordering::Release);
        let checkpoints = checkpoints.join().ok().context("the checkpoint thread panicked")??;
        Ok((appended?, checkpoints))
    })
}

/// Reading back a full journal of pages and frames after a kill.
fn restart(dir: &Path) -> anyhow::Result<()> {
    let store = open(dir)?;
    let (content, frame) = (frame(180), frame(1_000));
    let pages: Vec<_> = (0..u16::MAX)
        .map(|page| (PageId { shard: ShardId::new(page / 64), bucket: page.to_le_bytes()[0] % 64 }, content.clone()))
        .collect();
    store.append(CommitNo(1), &frame, CommitSync::Later)?;
    store.write_pages(&pages)?;
    store.checkpoint(CommitNo(1))?;
    let mut commit = CommitNo(1);
    while store.journal_bytes() < JOURNAL_BYTES_MAX {
        commit = commit.next();
        store.append(commit, &frame, CommitSync::Later)?;
    }
    drop(store);
    let before = now();
    let store = RocksStore::open(dir, OpenOptions { node_id: NodeId::new("bench")?, boot_id: "boot".to_owned() })?;
    let opened = before.elapsed();
    let recovered = store.recover(&mut Ignore)?;
    println!(
        "restart: open {opened:?}, read back {:?} ({} pages of 6 KiB, {} frames of 34 KB)",
        before.elapsed().saturating_sub(opened),
        recovered.pages,
        recovered.frames
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a figure to read")]
fn report(records: usize, sync: &str, times: &mut [Duration]) {
    let total: Duration = times.iter().sum();
    let frames_per_s = times.len() as f64 / total.as_secs_f64();
    times.sort_unstable();
    let micros = |at: usize| times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e6);
    println!(
        "{records:>8} {sync:>6} {frames_per_s:>12.0} {:>14.0} {:>9.0} {:>9.0} {:>9.0}",
        frames_per_s * records as f64,
        micros(times.len() / 2),
        micros(times.len() * 99 / 100),
        micros(times.len().saturating_sub(1))
    );
}
