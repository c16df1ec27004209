//! Opening a data directory: whose it is, and what is refused. Each refusal says what to do and changes nothing.

use std::fs;
use std::path::Path;

use drl_core::{CommitNo, NodeId};
use drl_store::{CommitSync, Doubt, OpenError, OpenOptions, RocksStore, Store, Wholeness};
use tempfile::TempDir;

use crate::sample::{ReadBack, frame, recover, recover_whole};
use crate::subjects::open;

/// A directory with `frames` frames that nobody has open.
fn written(frames: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), "boot").unwrap();
    recover_whole(&store);
    for commit in 1..=frames {
        store.append(CommitNo(commit), &frame(commit), CommitSync::Later).unwrap();
    }
    dir
}

fn refusal(dir: &Path) -> OpenError {
    open(dir, "boot").expect_err("it must be refused")
}

#[test]
fn missing_parents_are_created() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("a/b");
    recover_whole(&open(&dir, "boot").unwrap());
    assert!(dir.join("directory.json").exists());
}

#[test]
fn new_file_system_is_an_empty_directory() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("lost+found")).unwrap();
    recover_whole(&open(dir.path(), "boot").unwrap());
}

#[test]
fn second_open_is_refused_until_the_first_ends() {
    let dir = written(1);
    let first = open(dir.path(), "boot").unwrap();
    let refused = refusal(dir.path());
    assert!(matches!(refused, OpenError::AlreadyInUse { .. }), "{refused}");
    assert!(refused.to_string().contains("in use by another process; stop that process"), "{refused}");
    drop(first);
    recover_whole(&open(dir.path(), "boot").unwrap());
}

#[test]
fn directory_of_another_node_is_refused() {
    let dir = written(1);
    let options = OpenOptions { node_id: NodeId::new("node-2").unwrap(), boot_id: "boot".to_owned() };
    let refused = RocksStore::open(dir.path(), options).unwrap_err();
    assert!(matches!(refused, OpenError::OtherNode { .. }), "{refused}");
    assert!(refused.to_string().contains("belongs to node \"node-1\", not to \"node-2\""), "{refused}");
    assert_eq!(recover_whole(&open(dir.path(), "boot").unwrap()).0.last, CommitNo(1));
}

#[test]
fn directory_of_another_format_is_refused() {
    let dir = written(1);
    // A later format may have other fields altogether.
    fs::write(dir.path().join("directory.json"), r#"{"format": 2, "nodes": []}"#).unwrap();
    let refused = refusal(dir.path());
    assert!(matches!(refused, OpenError::OtherFormat { found: 2, supported: 1, .. }), "{refused}");
}

#[test]
fn foreign_directory_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "chapter 1").unwrap();
    let refused = refusal(dir.path());
    assert!(matches!(refused, OpenError::NotADataDirectory { .. }), "{refused}");
    assert!(refused.to_string().contains("it holds thesis.tex but no directory.json"), "{refused}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn unreadable_document_is_refused() {
    let long = "x".repeat(10_000);
    for text in ["", "{}", "[1]", "{\"format\":\"one\"}", "{\"format\":1}", &long] {
        let dir = written(1);
        fs::write(dir.path().join("directory.json"), text).unwrap();
        assert!(matches!(refusal(dir.path()), OpenError::NotADataDirectory { .. }), "{text}");
    }
}

#[test]
fn file_in_place_of_the_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(refusal(&file), OpenError::Io { .. }));
    assert!(matches!(refusal(&file.join("below")), OpenError::Io { .. }));
}

#[test]
fn creation_that_was_interrupted_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), "boot").unwrap());
    fs::rename(dir.path().join("directory.json"), dir.path().join("directory.json.new")).unwrap();
    fs::remove_file(dir.path().join("mark")).unwrap();
    recover_whole(&open(dir.path(), "boot").unwrap());
    let (recovered, _) = recover_whole(&open(dir.path(), "boot").unwrap());
    assert_eq!(recovered.last, CommitNo(0));
}

#[test]
fn lost_document_does_not_turn_a_journal_into_a_new_one() {
    let dir = written(3);
    fs::remove_file(dir.path().join("directory.json")).unwrap();
    assert!(matches!(refusal(dir.path()), OpenError::NotADataDirectory { .. }));
}

#[test]
fn lost_database_is_refused_not_begun_again() {
    let dir = written(3);
    fs::remove_dir_all(dir.path().join("db")).unwrap();
    let refused = refusal(dir.path());
    assert!(matches!(refused, OpenError::Rocks { .. }), "{refused}");
    assert!(refused.to_string().contains("move the directory away"), "{refused}");
}

#[test]
fn directory_that_was_moved_away_and_back_is_whole() {
    let root = tempfile::tempdir().unwrap();
    let (here, away) = (root.path().join("data"), root.path().join("away"));
    let store = open(&here, "boot").unwrap();
    recover_whole(&store);
    store.append(CommitNo(1), &frame(1), CommitSync::Later).unwrap();
    drop(store);
    fs::rename(&here, &away).unwrap();
    assert_eq!(recover_whole(&open(&here, "boot").unwrap()).0.last, CommitNo(0));
    fs::remove_dir_all(&here).unwrap();
    fs::rename(&away, &here).unwrap();
    assert_eq!(recover_whole(&open(&here, "boot").unwrap()).0.last, CommitNo(1));
}

#[test]
fn database_of_another_directory_is_refused() {
    let (one, other) = (written(2), written(2));
    fs::remove_dir_all(one.path().join("db")).unwrap();
    fs::rename(other.path().join("db"), one.path().join("db")).unwrap();
    let error = open(one.path(), "boot").unwrap().recover(&mut ReadBack::default()).unwrap_err();
    assert!(error.to_string().contains("put the parts back together"), "{error}");
}

#[test]
fn mark_of_another_directory_is_a_doubt() {
    let (one, other) = (written(2), written(2));
    fs::copy(other.path().join("mark"), one.path().join("mark")).unwrap();
    let (recovered, _) = recover(&open(one.path(), "boot").unwrap());
    assert_eq!(recovered.wholeness, Wholeness::Doubtful(vec![Doubt::MarkUnreadable]));
}

#[test]
fn unknown_boot_is_another_boot() {
    let dir = tempfile::tempdir().unwrap();
    for sync in [CommitSync::Now, CommitSync::Later] {
        let store = open(dir.path(), "").unwrap();
        let (recovered, _) = recover_whole(&store);
        store.append(recovered.last.next(), &frame(recovered.last.0 + 1), sync).unwrap();
    }
    let (recovered, _) = recover(&open(dir.path(), "").unwrap());
    assert_eq!(recovered.wholeness, Wholeness::Doubtful(vec![Doubt::PowerCut]));
}
