//! `drl dev`: a cluster in one process, from its first line to its end.

use std::net::TcpListener;
use std::path::Path;

use rustix::process::Signal;
use serde_json::json;

use crate::node::Node;
use crate::process::{command, drl, finish};

/// A cluster on free ports, whose temporary directories are below `temporary`.
fn start(temporary: &Path, more: &[&str]) -> Node {
    let arguments = [&["dev", "--base-port", "0"][..], more].concat();
    Node::spawn(command(&arguments).env("TMPDIR", temporary))
}

#[test]
fn three_nodes_answer_as_one_and_leave_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let dev = start(temporary.path(), &[]);
    let doors: Vec<&str> = dev.addresses.iter().map(|(door, _)| door.as_str()).collect();
    let expected = ["n1 grpc", "n1 http", "n1 resp", "n2 grpc", "n2 http", "n2 resp", "n3 grpc", "n3 http", "n3 resp"];
    assert_eq!(doors, expected);
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 1);
    let ask = |node: &str, line: &str| {
        let arguments: Vec<&str> = line.split(' ').collect();
        finish(command(&arguments).env("DRL_ENDPOINT", dev.address(&format!("{node} grpc"))).env("DRL_OUTPUT", "json"))
    };
    let status = ask("n2", "cluster status").expect_code(0).json();
    assert_eq!((&status["cluster"], &status["healthy"]), (&json!("dev"), &json!(true)));
    assert_eq!(status["nodes"].as_array().unwrap().len(), 3);
    let revision = ask("n1", "limits set --default --limit 2 --window 1h").expect_code(0).json()["revision"].clone();
    for node in ["n1", "n2", "n3"] {
        // A node has the limit when its revision is as high.
        while ask(node, "cluster status").json()["policies"]["revision"].as_u64() < revision.as_u64() {}
    }
    for client in ["a", "b", "c", "d"] {
        let codes = ["n1", "n2", "n3"].map(|node| ask(node, &format!("check {client}")).code);
        assert_eq!(codes, [Some(0), Some(0), Some(1)], "{client}");
        let owners = ["n1", "n2", "n3"]
            .map(|node| ask(node, &format!("explain {client}")).expect_code(0).json()["owner"].clone());
        assert!(owners[0] == owners[1] && owners[1] == owners[2], "{owners:?}");
    }
    assert_eq!(dev.terminate(), Some(0));
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn a_given_directory_is_kept_and_not_begun_with_again() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("made");
    let data_dir = data_dir.to_str().unwrap();
    let dev = start(directory.path(), &["--nodes", "1", "--data-dir", data_dir]);
    dev.signal(Signal::INT);
    assert_eq!(dev.wait().code(), Some(0));
    let kept: Vec<_> = std::fs::read_dir(data_dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(kept, ["n1"]);
    drl(&["dev", "--data-dir", data_dir])
        .expect_refusal(1, "is not empty, and `drl dev` cannot go on where another run ended");
}

#[test]
fn ports_begin_where_they_are_told_to_and_one_in_use_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let taken = TcpListener::bind(taken).unwrap();
    let port = taken.local_addr().unwrap().port();
    let ran =
        finish(command(&["dev", "--base-port", &port.to_string()]).env("TMPDIR", directory.path())).expect_code(1);
    assert!(
        ran.stderr.contains(&format!("127.0.0.1:{port} is in use")) && ran.stderr.contains("--base-port"),
        "{ran:?}"
    );
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_a_cluster_is_refused() {
    drl(&["dev", "--nodes", "0"]).expect_refusal(2, "1..=16");
    drl(&["dev", "--nodes", "17"]).expect_refusal(2, "1..=16");
    drl(&["dev", "--base-port", "65536"]).expect_refusal(2, "--base-port");
    drl(&["dev", "--base-port", "65530"]).expect_refusal(2, "3 nodes need ports up to 65552");
}
