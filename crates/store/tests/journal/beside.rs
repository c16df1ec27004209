//! Checkpoints, syncs and records on other threads, beside the thread that appends.

use std::sync::atomic::{AtomicU64, Ordering};

use drl_core::CommitNo;
use drl_store::{CommitSync, Record, RecordKind, Store};

use crate::sample::{ReadBack, frame, page, page_id, recover_whole};
use crate::subjects::open;

const FRAMES: u64 = 4_000;

#[test]
fn checkpoints_syncs_and_records_run_beside_appends() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), "boot").unwrap();
    store.recover(&mut ReadBack::default()).unwrap();
    let appended = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for commit in 1..=FRAMES {
                store.append(CommitNo(commit), &frame(commit), CommitSync::Later).unwrap();
                appended.store(commit, Ordering::Release);
            }
        });
        scope.spawn(|| {
            while appended.load(Ordering::Acquire) < FRAMES {
                let upto = appended.load(Ordering::Acquire);
                let pages: Vec<_> = (0..300).map(|number| (page_id(number), page(number, upto))).collect();
                store.write_pages(&pages).unwrap();
                store.checkpoint(CommitNo(upto)).unwrap();
            }
        });
        scope.spawn(|| {
            while appended.load(Ordering::Acquire) < FRAMES {
                store.sync().unwrap();
                let upto = appended.load(Ordering::Acquire).to_be_bytes().to_vec();
                store
                    .put_records(&[Record { kind: RecordKind::Meta, key: b"upto".to_vec(), value: Some(upto) }])
                    .unwrap();
            }
        });
    });
    drop(store);
    let (recovered, read_back) = recover_whole(&open(dir.path(), "boot").unwrap());
    assert_eq!(recovered.last, CommitNo(FRAMES));
    let page = read_back.pages.values().copied().min().unwrap();
    assert!(read_back.commits.first().is_none_or(|first| *first <= page + 1));
}
