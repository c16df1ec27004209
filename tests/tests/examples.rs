//! Every example of the workspace runs and says what it should. `tests/run` builds them first.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use drl_tests::cluster::Since;
use drl_tests::node::{Node, drl_binary};

/// What an example is given.
enum Given {
    Nothing,
    /// A directory of its own, then these.
    Directory(&'static [&'static str]),
    /// The endpoint of a node on which everybody has three requests an hour.
    Endpoint,
    /// Nothing, and it says how it is called: what it measures is somebody else's server, which a script starts.
    Usage,
}

/// Crate, example, what it is given, and what its last line holds.
const EXAMPLES: &[(&str, &str, Given, &str)] = &[
    ("bench", "redis_wait", Given::Usage, "HOST:PORT SHA CONNECTIONS"),
    ("client", "quickstart", Given::Endpoint, "allowed 3"),
    ("client", "batch", Given::Endpoint, "allowed 2"),
    ("client", "bench_adds", Given::Endpoint, "two threads"),
    ("client", "blocking", Given::Endpoint, "allowed 3"),
    ("configuration", "bench_lookup", Given::Nothing, ""),
    ("configuration", "policy_schema", Given::Nothing, "}"),
    ("engine", "bench_ledger", Given::Nothing, "token-bucket"),
    ("engine", "bench_look", Given::Nothing, "a heartbeat"),
    ("embedded", "in_process", Given::Directory(&["alice", "8"]), "request 8: allowed false, 0 left"),
    ("limits", "bench_check", Given::Nothing, "token-bucket"),
    ("replay", "bench_replay", Given::Nothing, "lines/s"),
    ("ring", "placement_table", Given::Nothing, ""),
    ("store", "bench_append", Given::Directory(&["200"]), ""),
    ("tower", "axum", Given::Nothing, "200 200 429"),
    ("tower", "tonic", Given::Nothing, "200 200 429"),
];

/// The examples that are there, as crate and name.
fn found() -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("crates");
    for member in std::fs::read_dir(crates).unwrap() {
        let member = member.unwrap();
        let Ok(examples) = std::fs::read_dir(member.path().join("examples")) else { continue };
        for example in examples {
            let path = example.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                found.insert((member.file_name().to_string_lossy().into_owned(), name));
            }
        }
    }
    found
}

#[test]
fn every_example_has_a_row() {
    let rows: BTreeSet<_> =
        EXAMPLES.iter().map(|(member, name, ..)| ((*member).to_owned(), (*name).to_owned())).collect();
    assert_eq!(found(), rows, "on the left what is there, on the right what this test runs");
}

#[test]
fn every_example_runs_and_says_what_it_should() {
    let work = tempfile::tempdir().unwrap();
    let node = Node::start(&work.path().join("node"), &[]).unwrap();
    let set = node.drl(&["limits", "set", "--default", "--limit", "3", "--window", "1h"]).unwrap();
    assert!(set.status.success(), "{set:?}");
    let endpoint = node.address("grpc").unwrap().to_string();
    let examples = drl_binary().unwrap().parent().unwrap().join("examples");
    for (member, name, given, last) in EXAMPLES {
        let binary = examples.join(name);
        assert!(binary.exists(), "{} is missing: run `cargo build --release --workspace --examples`", binary.display());
        let mut command = Command::new(binary);
        match given {
            Given::Nothing | Given::Usage => &mut command,
            Given::Directory(more) => command.arg(work.path().join(name)).args(*more),
            Given::Endpoint => command.arg(&endpoint),
        };
        let since = Since::now();
        let output = command.output().unwrap();
        let (said, talk) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        println!("{member}/{name}: {:?}", since.elapsed());
        if matches!(given, Given::Usage) {
            assert!(!output.status.success() && talk.contains(last), "{member}/{name}: {talk}");
            continue;
        }
        assert!(output.status.success(), "{member}/{name}: {}\n{said}\n{talk}", output.status);
        assert!(
            said.lines().last().unwrap_or_default().contains(last),
            "{member}/{name}: expected {last:?} in\n{said}"
        );
    }
}
