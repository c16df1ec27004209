//! Flipped bits anywhere in a data directory: refused, doubted, or without effect; never wrong data, never a panic.

use std::fs;
use std::path::{Path, PathBuf};

use drl_core::CommitNo;
use drl_store::{CommitSync, Record, RecordKind, Store, Wholeness};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use crate::sample::{ReadBack, frame, page, page_id, recover_whole};
use crate::subjects::{copy, database_files, open};

const FLIPS_PER_FILE: u64 = 40;

/// Frames 21 to 40 in a table file, 41 to 60 in the WAL; six pages and a record in both places.
fn specimen() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (first, last) in [(1, 40), (41, 60)] {
        let store = open(dir.path(), "boot").unwrap();
        recover_whole(&store);
        for commit in first..=last {
            store.append(CommitNo(commit), &frame(commit), CommitSync::Later).unwrap();
            if commit == 20 {
                let pages: Vec<_> = (0..6).map(|number| (page_id(number), page(number, 20))).collect();
                store.write_pages(&pages).unwrap();
                store.checkpoint(CommitNo(20)).unwrap();
            }
        }
        store.put_records(&[record(first)]).unwrap();
    }
    dir
}

fn record(commit: u64) -> Record {
    Record { kind: RecordKind::Policy, key: commit.to_be_bytes().to_vec(), value: Some(frame(commit)) }
}

#[test]
fn flipped_bits_are_refused_doubted_or_without_effect() {
    let specimen = specimen();
    let mut random = StdRng::seed_from_u64(1);
    let mut outcomes = [0_u32; 3];
    for file in files(specimen.path()) {
        let length = fs::metadata(&file).unwrap().len();
        for _ in 0..FLIPS_PER_FILE.min(length) {
            let dir = copy(specimen.path());
            let at = random.random_range(0..length);
            let damaged = dir.path().join(file.strip_prefix(specimen.path()).unwrap());
            flip(&damaged, at, random.random_range(0..8));
            let outcome = outcome(dir.path(), &format!("{} byte {at}", damaged.display()));
            outcomes[outcome as usize] += 1;
        }
    }
    let [whole, doubtful, refused] = outcomes;
    assert!(whole > 0 && doubtful > 0 && refused > 0, "whole {whole}, doubtful {doubtful}, refused {refused}");
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Whole,
    Doubtful,
    Refused,
}

fn outcome(dir: &Path, what: &str) -> Outcome {
    let Ok(store) = open(dir, "boot") else { return Outcome::Refused };
    let mut read_back = ReadBack::default();
    let Ok(recovered) = store.recover(&mut read_back) else { return Outcome::Refused };
    let policies = store.records(RecordKind::Policy);
    for (key, value) in policies.iter().flatten() {
        let commit = u64::from_be_bytes(key[..].try_into().unwrap());
        assert_eq!(*value, frame(commit), "{what}");
    }
    if recovered.wholeness != Wholeness::Whole {
        return Outcome::Doubtful;
    }
    assert_eq!(read_back.commits, (21..=60).collect::<Vec<_>>(), "{what}");
    assert_eq!(read_back.pages.values().copied().collect::<Vec<_>>(), [20; 6], "{what}");
    // Records have no doubt of their own: one that is damaged is an error when they are read.
    match policies {
        Ok(policies) => assert_eq!(policies.len(), 2, "{what}"),
        Err(_) => return Outcome::Refused,
    }
    Outcome::Whole
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn flip(path: &Path, at: u64, bit: u32) {
    let mut bytes = fs::read(path).unwrap();
    bytes[usize::try_from(at).unwrap()] ^= 1 << bit;
    fs::write(path, bytes).unwrap();
}

/// The table files of pages and frames, each damaged in turn; those of records are for others to lose.
#[test]
fn damaged_table_of_counters_is_discarded_and_the_store_lives_on_with_its_policies() {
    let mut discarded = 0;
    let specimen = specimen();
    // The second run's frames reach a table file as well.
    drop(open(specimen.path(), "boot").map(|store| recover_whole(&store)).unwrap());
    for file in database_files(specimen.path(), "sst") {
        let dir = copy(specimen.path());
        flip(&dir.path().join(file.strip_prefix(specimen.path()).unwrap()), 20, 3);
        // A table of nothing but deletions is read when the database is opened, which then refuses.
        let Ok(store) = open(dir.path(), "boot") else { continue };
        let Ok(recovered) = store.recover(&mut ReadBack::default()) else { continue };
        let Wholeness::Doubtful(doubts) = recovered.wholeness else { continue };
        assert!(doubts.iter().any(|doubt| matches!(doubt, drl_store::Doubt::CorruptTable { .. })), "{doubts:?}");
        discarded += 1;
        assert_eq!(store.records(RecordKind::Policy).unwrap().len(), 2);
        store.discard_counters().unwrap();
        let first = recovered.last.0 + 1;
        for commit in first..first + 10 {
            store.append(CommitNo(commit), &frame(commit), CommitSync::Later).unwrap();
            store.write_pages(&[(page_id(1), page(1, commit))]).unwrap();
            store.checkpoint(CommitNo(commit)).unwrap();
        }
        drop(store);
        let store = open(dir.path(), "boot").unwrap();
        let (recovered, read_back) = recover_whole(&store);
        assert_eq!(recovered.last, CommitNo(first + 9));
        assert_eq!(read_back.pages.into_iter().collect::<Vec<_>>(), [(page_id(1), first + 9)]);
        assert_eq!(store.records(RecordKind::Policy).unwrap().len(), 2);
    }
    assert!(discarded >= 2, "a table of frames and one of pages, at least: {discarded}");
}

#[test]
fn policy_behind_a_checkpoint_is_out_of_reach_of_a_cut_journal() {
    for cut in [1, 100, 500, 800, 4_000, u64::MAX] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), "boot").unwrap();
        recover_whole(&store);
        store.put_records(&[record(1)]).unwrap();
        store.mark_policies(1).unwrap();
        store.checkpoint(CommitNo(0)).unwrap();
        store.append(CommitNo(1), &frame(1), CommitSync::Now).unwrap();
        drop(store);
        for log in database_files(dir.path(), "log") {
            let log = fs::File::options().write(true).open(log).unwrap();
            log.set_len(log.metadata().unwrap().len().saturating_sub(cut)).unwrap();
        }
        let store = open(dir.path(), "boot").unwrap();
        let recovered = store.recover(&mut ReadBack::default()).unwrap();
        assert_ne!(recovered.wholeness, Wholeness::Whole, "cut by {cut}");
        assert_eq!(store.records(RecordKind::Policy).unwrap().len(), 1, "cut by {cut}");
    }
}
