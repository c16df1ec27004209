//! Under steady load with checkpoints, neither the journal nor the WAL nor anything else in the directory grows without bound.

use drl_core::CommitNo;
use drl_store::{CommitSync, Store};

use crate::sample::{page, page_id};
use crate::subjects::{bytes_on_disk, bytes_reserved, open};

const FRAME_BYTES: usize = 64 << 10;
const FRAMES: u64 = 8_000;
const FRAMES_PER_CHECKPOINT: u64 = 500;
/// Two journals (64 MiB each is where a checkpoint begins), in WAL files and once more in table files, and some pages.
const BYTES_MAX: u64 = 256 << 20;

#[test]
fn directory_stays_bounded_over_half_a_gigabyte_of_frames() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), "boot").unwrap();
    store.recover(&mut crate::sample::ReadBack::default()).unwrap();
    let mut frame = vec![0x5a; FRAME_BYTES];
    let mut bytes_max = 0;
    for commit in 1..=FRAMES {
        frame[..8].copy_from_slice(&commit.to_be_bytes());
        store.append(CommitNo(commit), &frame, CommitSync::Later).unwrap();
        if commit % FRAMES_PER_CHECKPOINT == 0 {
            bytes_max = bytes_max.max(bytes_on_disk(dir.path()));
            let pages: Vec<_> = (0..500).map(|number| (page_id(number), page(number, commit))).collect();
            store.write_pages(&pages).unwrap();
            // Behind the frames that are still arriving, as it is in life.
            store.checkpoint(CommitNo(commit - 100)).unwrap();
        }
    }
    assert!(store.journal_bytes() < 101 * (FRAME_BYTES as u64 + 64));
    assert!(bytes_max < BYTES_MAX, "{bytes_max} bytes");
    let bytes_after = bytes_on_disk(dir.path());
    assert!(bytes_after < 64 << 20, "{bytes_after} bytes after the last checkpoint");
}

#[test]
fn fresh_directory_takes_a_megabyte_of_disk_not_a_memtable() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), "boot").unwrap();
    crate::sample::recover_whole(&store);
    store.append(CommitNo(1), &[1; 100], CommitSync::Now).unwrap();
    let reserved = bytes_reserved(dir.path());
    assert!(reserved < 1 << 20, "{reserved} bytes");
}
