//! A disk that is really full: a tmpfs of 48 MiB, filled by the journal. Needs root; says so loudly where it has to skip.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use drl_core::CommitNo;
use drl_store::{CommitSync, OpenError, Store, WriteError};
use tempfile::TempDir;

use crate::sample::{frame, recover_whole};
use crate::subjects::open;

struct SmallDisk {
    dir: TempDir,
}

impl SmallDisk {
    /// `None` where mounting is not allowed.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=48m", "drl-test"]).arg(dir.path()).output();
        match mount {
            Ok(output) if output.status.success() => Some(Self { dir }),
            refused => {
                // Past the harness, which keeps what a passing test prints.
                let _ = writeln!(std::io::stderr(), "SKIPPED: a full disk needs `mount -t tmpfs` (root): {refused:?}");
                None
            }
        }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Takes what is left of the disk, or `bytes` of it.
    fn fill(&self, bytes: usize) -> PathBuf {
        let ballast = self.dir.path().join("ballast");
        let _ = std::fs::write(&ballast, vec![1; bytes]);
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.dir.path()).status();
    }
}

/// Appends until the disk is full; the last commit that was answered, and the error.
fn append_until_full(dir: &Path, sync: CommitSync) -> (CommitNo, WriteError) {
    let store = open(dir, "boot").unwrap();
    let mut last = recover_whole(&store).0.last;
    // 100 MB are more than the disk holds.
    for _ in 0..40_000 {
        let commit = last.next();
        if let Err(error) = store.append(commit, &frame(commit.0), sync) {
            assert_eq!(store.append(commit, &frame(commit.0), sync), Err(error.clone()), "stopped for good");
            assert_eq!(store.checkpoint(last), Err(error.clone()));
            return (last, error);
        }
        last = commit;
    }
    panic!("the disk never filled up");
}

#[test]
fn full_disk_stops_the_journal_and_nothing_answered_is_lost() {
    let Some(disk) = SmallDisk::mount() else { return };
    // Reading back writes the journal once more, so as much must become free as the journal takes.
    let ballast = disk.fill(28 << 20);
    let (answered, error) = append_until_full(&disk.data(), CommitSync::Later);
    assert!(error.to_string().contains("No space left on device"), "{error}");
    assert!(error.to_string().contains("free space"), "{error}");
    std::fs::remove_file(ballast).unwrap();
    let store = open(&disk.data(), "boot").unwrap();
    let (recovered, read_back) = recover_whole(&store);
    assert!(recovered.last >= answered, "{recovered:?}, answered {answered:?}");
    assert_eq!(read_back.commits.len() as u64, recovered.last.0);
    store.checkpoint(recovered.last).unwrap();
    store.append(recovered.last.next(), b"it goes on", CommitSync::Now).unwrap();
}

#[test]
fn full_disk_at_the_start_is_said() {
    let Some(disk) = SmallDisk::mount() else { return };
    let (answered, _) = {
        let ballast = disk.fill(24 << 20);
        let outcome = append_until_full(&disk.data(), CommitSync::Now);
        std::fs::remove_file(ballast).unwrap();
        outcome
    };
    let ballast = disk.fill(100 << 20);
    match open(&disk.data(), "boot").map(|store| store.recover(&mut crate::sample::ReadBack::default())) {
        Err(error) => {
            assert!(matches!(error, OpenError::NoSpace { .. }), "{error}");
            assert!(error.to_string().contains("MiB (what the journal needs"), "{error}");
        }
        Ok(Err(error)) => assert!(error.to_string().contains("No space left on device"), "{error}"),
        Ok(Ok(recovered)) => assert!(recovered.last >= answered),
    }
    std::fs::remove_file(ballast).unwrap();
    let (recovered, _) = recover_whole(&open(&disk.data(), "boot").unwrap());
    assert!(recovered.last >= answered);
}
