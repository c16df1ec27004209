//! What damage to a real data directory does to policies and to counters: nothing silently.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use drl_tests::node::Node;
use drl_tests::resp::Reply;

const ALLOW: &[&str] = &["--unknown-client", "allow"];

fn set(node: &Node, arguments: &[&str]) {
    let set = node.drl(&[&["limits", "set"], arguments].concat()).unwrap();
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
}

fn allowed(node: &Node, client: &str, checks: usize) -> i64 {
    let mut connection = node.resp().unwrap();
    (0..checks).map(|_| connection.ask(&["DRL.ALLOW", client]).unwrap().integer().unwrap()).sum()
}

fn metric(node: &Node, name: &str) -> u64 {
    let mut door = TcpStream::connect(node.address("http").unwrap()).unwrap();
    door.write_all(b"GET /metrics HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    door.read_to_string(&mut page).unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
}

fn database_files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(dir.join("db")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = files.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    found.sort();
    found
}

/// Cuts the newest file of the log.
fn cut_log(dir: &Path, bytes: u64) {
    let log = database_files(dir, "log").pop().unwrap();
    let log = std::fs::File::options().write(true).open(log).unwrap();
    log.set_len(log.metadata().unwrap().len().saturating_sub(bytes)).unwrap();
}

#[test]
fn policies_that_a_cut_journal_took_away_are_missed_and_unknown_clients_denied() {
    for cut in [1, 500, 800] {
        let work = tempfile::tempdir().unwrap();
        let dir = work.path().join("node");
        let node = Node::start(&dir, ALLOW).unwrap();
        set(&node, &["--default", "--limit", "1000000", "--window", "1h"]);
        set(&node, &["mallory", "--limit", "3", "--window", "1h"]);
        node.kill_9().unwrap();
        cut_log(&dir, cut);
        let node = Node::start(&dir, ALLOW).unwrap();
        let log = node.log().unwrap();
        assert!(log.contains("policies up to revision 2 are missing") || log.contains("policies=2"), "{cut}: {log}");
        assert!(allowed(&node, "mallory", 50) <= 3 || log.contains("policies=1"), "cut by {cut}");
        set(&node, &["mallory", "--limit", "3", "--window", "1h"]);
        assert!(allowed(&node, "mallory", 50) <= 3, "cut by {cut}");
    }
}

#[test]
fn policies_of_an_idle_node_are_soon_out_of_reach() {
    let work = tempfile::tempdir().unwrap();
    let dir = work.path().join("node");
    let node = Node::start(&dir, ALLOW).unwrap();
    set(&node, &["mallory", "--limit", "3", "--window", "1h"]);
    while metric(&node, "drl_checkpoints_total") == 0 {
        assert!(metric(&node, "drl_uptime_seconds") < 20, "no checkpoint came");
    }
    node.kill_9().unwrap();
    cut_log(&dir, u64::MAX);
    let node = Node::start(&dir, ALLOW).unwrap();
    assert!(!node.log().unwrap().contains("are missing"), "{}", node.log().unwrap());
    assert!(allowed(&node, "mallory", 50) <= 3);
}

#[test]
fn a_damaged_table_of_a_node_is_doubted_or_refused_with_advice_and_never_over_admits() {
    let work = tempfile::tempdir().unwrap();
    let dir = work.path().join("node");
    let node = Node::start(&dir, &[]).unwrap();
    set(&node, &["--default", "--limit", "100", "--window", "24h"]);
    assert_eq!(allowed(&node, "alice", 60), 60);
    assert!(node.terminate().unwrap().success());
    drop(Node::start(&dir, &[]).unwrap()); // reads the log back, which puts everything into tables
    let mut doubted = 0;
    for table in database_files(&dir, "sst") {
        let whole = std::fs::read(&table).unwrap();
        let mut damaged = whole.clone();
        damaged[20] ^= 8;
        let copy = work.path().join("copy");
        copy_directory(&dir, &copy);
        std::fs::write(copy.join("db").join(table.file_name().unwrap()), damaged).unwrap();
        match Node::start(&copy, &[]) {
            Ok(node) => {
                let total = 60 + allowed(&node, "alice", 60);
                assert!(total <= 100, "{table:?}: {total}");
                doubted += usize::from(node.log().unwrap().contains("is damaged"));
                node.kill_9().unwrap();
                let node = Node::start(&copy, &[]).unwrap();
                assert!(total + allowed(&node, "alice", 60) <= 100, "{table:?}");
            }
            Err(refused) => assert!(refused.to_string().contains("from a copy"), "{refused}"),
        }
        std::fs::remove_dir_all(&copy).unwrap();
        let _ = std::fs::remove_file(copy.with_extension("log"));
    }
    assert!(doubted > 0, "a table of counters was among them");
}

fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn unknown_clients_are_denied_while_policies_are_missing() {
    let work = tempfile::tempdir().unwrap();
    let dir = work.path().join("node");
    let node = Node::start(&dir, ALLOW).unwrap();
    assert_eq!(allowed(&node, "stranger", 5), 5);
    set(&node, &["mallory", "--limit", "3", "--window", "1h"]);
    node.kill_9().unwrap();
    std::fs::write(dir.join("policies"), b"damaged").unwrap();
    let node = Node::start(&dir, ALLOW).unwrap();
    assert_eq!(allowed(&node, "stranger", 5), 0);
    assert_eq!(metric(&node, "drl_policies_missing"), 1);
    assert!(node.log().unwrap().contains("the mark of the policies is unreadable"));
    set(&node, &["eve", "--limit", "3", "--window", "1h"]);
    assert_eq!(node.resp().unwrap().ask(&["DRL.ALLOW", "stranger"]).unwrap(), Reply::Integer(1));
}
