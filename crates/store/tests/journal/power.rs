//! Power cuts, replayed on files: what was in the page cache at the cut may have reached the disk or not, each file for itself.
//! So the WAL is cut back to what a sync had covered, with the mark of then or of later, and started on another boot.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use drl_core::CommitNo;
use drl_store::{CommitSync, Doubt, RocksStore, Store, Wholeness};
use tempfile::TempDir;

use crate::sample::{frame, page, page_id, recover, recover_whole};
use crate::subjects::{copy, database_files, open};

struct Machine {
    dir: TempDir,
    store: RocksStore,
}

/// The newest WAL file as it was at a sync.
struct Synced {
    log: PathBuf,
    bytes: u64,
}

impl Machine {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), "boot").unwrap();
        recover_whole(&store);
        Self { dir, store }
    }

    fn append(&self, first: u64, last: u64, sync: CommitSync) {
        for commit in first..=last {
            self.store.append(CommitNo(commit), &frame(commit), sync).unwrap();
        }
    }

    fn synced(&self) -> Synced {
        let log = database_files(self.dir.path(), "log").pop().unwrap();
        let bytes = log.metadata().unwrap().len();
        Synced { log: log.strip_prefix(self.dir.path()).unwrap().to_owned(), bytes }
    }

    /// A copy of the disk with only `extra_bytes` of what the WAL got after the sync.
    fn cut(&self, synced: &Synced, extra_bytes: u64) -> TempDir {
        let left = copy(self.dir.path());
        let log = left.path().join(&synced.log);
        let length = log.metadata().unwrap().len().min(synced.bytes + extra_bytes);
        File::options().write(true).open(&log).unwrap().set_len(length).unwrap();
        left
    }
}

fn commits(dir: &Path) -> (Wholeness, Vec<u64>) {
    let (recovered, read_back) = recover(&open(dir, "another boot").unwrap());
    (recovered.wholeness, read_back.commits)
}

#[test]
fn run_with_synced_commits_only_loses_nothing_and_is_whole() {
    let machine = Machine::start();
    machine.append(1, 30, CommitSync::Now);
    let synced = machine.synced();
    // A checkpoint that was under way: its pages were not synced, and the mark may have reached the disk after them.
    let pages: Vec<_> = (0..200).map(|number| (page_id(number), page(number, 30))).collect();
    machine.store.write_pages(&pages).unwrap();
    for extra_bytes in [0, 1, 1_000, u64::MAX / 2] {
        let left = machine.cut(&synced, extra_bytes);
        assert_eq!(commits(left.path()), (Wholeness::Whole, (1..=30).collect()), "{extra_bytes} more bytes");
    }
}

#[test]
fn run_with_unsynced_commits_is_doubted_whatever_reached_the_disk() {
    let machine = Machine::start();
    machine.append(1, 10, CommitSync::Now);
    machine.append(11, 20, CommitSync::Later);
    machine.store.sync().unwrap();
    let synced = machine.synced();
    let old_mark = fs::read(machine.dir.path().join("mark")).unwrap();
    machine.append(21, 40, CommitSync::Later);
    for extra_bytes in [0, 1, 1_000, 20_000, u64::MAX / 2] {
        let late = machine.cut(&synced, extra_bytes);
        let early = copy(late.path());
        fs::write(early.path().join("mark"), &old_mark).unwrap();
        for left in [late, early] {
            let (wholeness, commits) = commits(left.path());
            let Wholeness::Doubtful(doubts) = wholeness else { panic!("{extra_bytes} more bytes are whole") };
            assert!(doubts.contains(&Doubt::PowerCut), "{doubts:?}");
            assert!(commits.starts_with(&(1..=20).collect::<Vec<_>>()), "{commits:?}");
        }
    }
}

#[test]
fn closed_run_is_whole_although_its_mark_is_old() {
    let machine = Machine::start();
    let old_mark = fs::read(machine.dir.path().join("mark")).unwrap();
    machine.append(1, 10, CommitSync::Later);
    machine.store.close().unwrap();
    let synced = machine.synced();
    let left = machine.cut(&synced, 0);
    fs::write(left.path().join("mark"), &old_mark).unwrap();
    assert_eq!(commits(left.path()), (Wholeness::Whole, (1..=10).collect()));
}
