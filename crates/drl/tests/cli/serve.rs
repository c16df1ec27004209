//! The life of a node: start, stop, crash, and the starts that are refused.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::node::Node;
use crate::process::drl;

const FREE_PORTS: [&str; 4] = ["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];

#[track_caller]
fn remaining(node: &Node) -> u64 {
    let decision = node.drl(&["check", "alice", "--peek", "--output", "json"]).json();
    decision["remaining"].as_u64().unwrap_or_else(|| panic!("{decision}"))
}

fn spend(node: &Node, cost: &str) {
    node.drl(&["check", "alice", "--cost", cost]).expect_code(0);
}

#[test]
fn the_real_addresses_are_printed_and_each_door_answers() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path(), &["--resp-listen", "127.0.0.1:0"]);
    let doors: Vec<&str> = node.addresses.iter().map(|(door, _)| door.as_str()).collect();
    assert_eq!(doors, ["grpc", "http", "resp"]);
    for door in doors {
        std::net::TcpStream::connect(node.address(door)).unwrap();
    }
    assert_eq!(node.terminate(), Some(0));
}

#[test]
fn a_stop_on_request_is_exit_code_0_and_keeps_everything() {
    let directory = tempfile::tempdir().unwrap();
    for (signal, left) in [(Signal::TERM, 90), (Signal::INT, 80)] {
        let node = Node::start(directory.path(), &[]);
        node.drl(&["limits", "set", "alice", "--limit", "100", "--window", "1d"]).expect_code(0);
        spend(&node, "10");
        assert_eq!(remaining(&node), left);
        node.signal(signal);
        assert_eq!(node.wait().code(), Some(0));
    }
}

#[test]
fn kill_9_forgets_nothing_that_was_answered() {
    for sync in ["auto", "commit", "interval"] {
        let directory = tempfile::tempdir().unwrap();
        let node = Node::start(directory.path(), &["--journal-sync", sync]);
        node.drl(&["limits", "set", "alice", "--limit", "100", "--window", "1d"]).expect_code(0);
        spend(&node, "60");
        node.kill();
        let node = Node::start(directory.path(), &["--journal-sync", sync]);
        assert_eq!(remaining(&node), 40, "{sync}");
        node.drl(&["check", "alice", "--cost", "41"]).expect_code(1);
        spend(&node, "40");
    }
}

#[test]
fn a_port_in_use_is_named_with_its_flag() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let data_dir = directory.path().join("data");
    for flag in ["--listen", "--http-listen", "--resp-listen"] {
        // The last of a flag that is given twice would be an error, so each is given once.
        let others = FREE_PORTS.chunks(2).filter(|pair| pair[0] != flag).flatten().copied();
        let arguments: Vec<&str> = ["serve", "--data-dir", data_dir.to_str().unwrap(), "--node-id", "n1", flag, &taken]
            .into_iter()
            .chain(others)
            .collect();
        let ran = drl(&arguments).expect_code(1);
        assert!(ran.stderr.contains(&taken) && ran.stderr.contains(flag), "{ran:?}");
        assert!(!ran.stdout.contains("ready"), "{ran:?}");
        assert!(!data_dir.exists(), "a start that failed left its directory behind");
    }
}

#[test]
fn a_data_directory_in_use_or_of_another_node_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let start = |id: &str| drl(&[&["serve", "--data-dir", data_dir, "--node-id", id][..], &FREE_PORTS].concat());
    let node = Node::start(directory.path(), &[]);
    let ran = start("n1").expect_code(1);
    assert!(ran.stderr.contains(data_dir) && ran.stderr.contains("use"), "{ran:?}");
    assert_eq!(node.terminate(), Some(0));
    let ran = start("n2").expect_code(1);
    assert!(ran.stderr.contains("n1") && ran.stderr.contains("n2"), "{ran:?}");
}

#[test]
fn a_data_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let data_dir = file.to_str().unwrap();
    let ran = drl(&[&["serve", "--data-dir", data_dir, "--node-id", "n1"][..], &FREE_PORTS].concat()).expect_code(1);
    assert!(ran.stderr.contains(data_dir), "{ran:?}");
}

#[test]
fn unknown_clients_are_allowed_where_the_flag_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path(), &["--unknown-client", "allow"]);
    let decision = node.drl(&["check", "nobody", "--output", "json"]).expect_code(0).json();
    assert_eq!(decision["reason"], "unknown-client");
}

#[test]
fn wrong_flags_of_a_node_say_what_is_allowed() {
    for (flag, value, part) in [
        ("--node-id", "a/b", "use 1 to 253 of a-z A-Z 0-9 . _ -"),
        ("--listen", "7700", "give HOST:PORT"),
        ("--resp-listen", "127.0.0.1:99999", "not 0 to 65535"),
        ("--journal-sync", "always", "auto, commit, interval"),
        ("--unknown-client", "maybe", "deny, allow"),
        ("--shards", "abc", "not a whole number; choose 1 to 16384"),
        ("--shards", "0", "choose 1 to 16384"),
        ("--shards", "16385", "choose 1 to 16384"),
        ("--default-durability", "sync", "use replicated, async"),
        ("--drain-timeout", "30", "write whole numbers with units"),
        ("--log", "xml", "text, json"),
        ("--authority", "60", "write whole numbers with units"),
        ("--etcd", "127.0.0.1:2379", "it must start with http:// or https://"),
        ("--etcd-user", "drl", "--etcd-user must be NAME:PASSWORD"),
        ("--etcd-ca", "ca.pem", "--etcd-ca is given without --etcd"),
    ] {
        drl(&["serve", flag, value]).expect_refusal(2, part);
    }
}
