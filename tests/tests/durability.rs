//! What was answered is not forgotten: kill -9, a directory that moves away and back, a journal that lost its tail.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use drl_tests::node::Node;
use drl_tests::resp::{Connection, Reply, encode};

const CLIENTS: usize = 200;

/// A hundred a day: the next token is earned after 864 s, long after any test, so every count below is exact.
fn throttle(client: usize) -> Vec<u8> {
    encode(&["CL.THROTTLE", &format!("client-{client}"), "99", "100", "86400"])
}

/// Sends `each` requests for every client, interleaved, and counts what each was allowed.
fn use_up(connection: &mut Connection, each: usize) -> Vec<usize> {
    let mut allowed = vec![0; CLIENTS];
    let round: Vec<Vec<u8>> = (0..CLIENTS).map(throttle).collect();
    for _ in 0..each {
        for (client, reply) in connection.pipeline(&round).unwrap().iter().enumerate() {
            allowed[client] += usize::from(reply.integers().unwrap()[0] == 0);
        }
    }
    allowed
}

#[test]
fn two_hundred_clients_have_exactly_the_rest_of_their_limit_after_kill_9() {
    for sync in ["auto", "commit", "interval"] {
        let work = tempfile::tempdir().unwrap();
        let dir = work.path().join("node");
        let node = Node::start(&dir, &["--journal-sync", sync]).unwrap();
        assert_eq!(use_up(&mut node.resp().unwrap(), 60), vec![60; CLIENTS]);
        node.kill_9().unwrap();
        let node = Node::start(&dir, &["--journal-sync", sync]).unwrap();
        let allowed = use_up(&mut node.resp().unwrap(), 60);
        assert_eq!(allowed, vec![40; CLIENTS], "{sync}");
    }
}

#[test]
fn the_counts_live_in_the_data_directory_and_nowhere_else() {
    let work = tempfile::tempdir().unwrap();
    let (dir, away) = (work.path().join("node"), work.path().join("away"));
    let node = Node::start(&dir, &[]).unwrap();
    assert_eq!(use_up(&mut node.resp().unwrap(), 60), vec![60; CLIENTS]);
    node.kill_9().unwrap();
    std::fs::rename(&dir, &away).unwrap();
    let fresh = Node::start(&dir, &[]).unwrap();
    assert_eq!(use_up(&mut fresh.resp().unwrap(), 100), vec![100; CLIENTS], "without the directory nothing is known");
    fresh.kill_9().unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    std::fs::rename(&away, &dir).unwrap();
    let node = Node::start(&dir, &[]).unwrap();
    let allowed = use_up(&mut node.resp().unwrap(), 60);
    assert_eq!(allowed, vec![40; CLIENTS]);
}

fn newest_journal_file(dir: &Path) -> PathBuf {
    let files = std::fs::read_dir(dir.join("db")).unwrap().map(|entry| entry.unwrap().path());
    let logs = files.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.max_by_key(|path| path.metadata().unwrap().modified().unwrap()).unwrap()
}

#[test]
fn a_cut_journal_is_reported_and_admits_nobody_beyond_the_limit() {
    for cut in [1, 40, 4_000] {
        let work = tempfile::tempdir().unwrap();
        let dir = work.path().join("node");
        let node = Node::start(&dir, &[]).unwrap();
        assert_eq!(use_up(&mut node.resp().unwrap(), 60), vec![60; CLIENTS]);
        node.kill_9().unwrap();
        let journal = std::fs::File::options().write(true).open(newest_journal_file(&dir)).unwrap();
        journal.set_len(journal.metadata().unwrap().len() - cut).unwrap();
        let node = Node::start(&dir, &[]).unwrap();
        assert!(node.log().unwrap().contains("tail was cut off"), "cut by {cut}: {}", node.log().unwrap());
        let again = use_up(&mut node.resp().unwrap(), 60);
        assert!(again.iter().all(|allowed| 60 + allowed <= 100), "cut by {cut}: {again:?}");
        node.kill_9().unwrap();
        let node = Node::start(&dir, &[]).unwrap();
        let later = use_up(&mut node.resp().unwrap(), 60);
        let total = again.iter().zip(&later).map(|(again, later)| 60 + again + later);
        assert!(total.max().unwrap() <= 100, "a second restart forgets nothing: {later:?}");
    }
}

#[test]
fn sigterm_ends_with_zero_and_loses_nothing() {
    let work = tempfile::tempdir().unwrap();
    let dir = work.path().join("node");
    let node = Node::start(&dir, &["--journal-sync", "interval"]).unwrap();
    assert_eq!(use_up(&mut node.resp().unwrap(), 60), vec![60; CLIENTS]);
    assert!(node.terminate().unwrap().success());
    let node = Node::start(&dir, &["--journal-sync", "interval"]).unwrap();
    let allowed = use_up(&mut node.resp().unwrap(), 60);
    assert_eq!(allowed, vec![40; CLIENTS]);
}

#[test]
fn configured_limits_and_their_counts_survive_kill_9() {
    let work = tempfile::tempdir().unwrap();
    let dir = work.path().join("node");
    let node = Node::start(&dir, &[]).unwrap();
    let set = node.drl(&["limits", "set", "--default", "--limit", "5", "--window", "1h"]).unwrap();
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    let mut connection = node.resp().unwrap();
    for _ in 0..3 {
        assert_eq!(connection.ask(&["DRL.ALLOW", "alice"]).unwrap(), Reply::Integer(1));
    }
    node.kill_9().unwrap();
    let node = Node::start(&dir, &[]).unwrap();
    let mut connection = node.resp().unwrap();
    let allowed = (0..5).map(|_| connection.ask(&["DRL.ALLOW", "alice"]).unwrap().integer().unwrap()).sum::<i64>();
    assert_eq!(allowed, 2);
}
