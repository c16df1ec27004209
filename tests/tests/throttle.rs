//! `CL.THROTTLE` against a real node: the table of redis-cell, and limits that share a key.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;

use drl_tests::access_log::requests;
use drl_tests::node::Node;
use drl_tests::resp::{Connection, encode};

fn throttle(connection: &mut Connection, arguments: &[&str]) -> Vec<i64> {
    let command: Vec<&str> = [&["CL.THROTTLE"], arguments].concat();
    connection.ask(&command).unwrap().integers().unwrap()
}

fn node() -> (tempfile::TempDir, Node) {
    let work = tempfile::tempdir().unwrap();
    let node = Node::start(&work.path().join("node"), &[]).unwrap();
    (work, node)
}

#[test]
fn the_replies_are_those_of_redis_cell() {
    let (_work, node) = node();
    let mut connection = node.resp().unwrap();
    let mut ask = |arguments: &str| throttle(&mut connection, &arguments.split(' ').collect::<Vec<_>>());
    assert_eq!(ask("a 15 30 60"), [0, 16, 15, -1, 2]);
    assert_eq!(ask("b 15 30 60 16"), [0, 16, 0, -1, 32]);
    assert_eq!(ask("b 15 30 60"), [1, 16, 0, 2, 32]);
    assert_eq!(ask("b 15 30 60 17"), [1, 16, 0, -1, 32], "it can never fit");
    assert_eq!(ask("c 15 30 60 0"), [0, 16, 16, -1, 0], "a peek of nothing used");
    assert_eq!(ask("d 0 1 86400"), [0, 1, 0, -1, 86_400]);
    assert_eq!(ask("d 0 1 86400"), [1, 1, 0, 86_400, 86_400]);
}

/// Two services, or two versions of one, limit the same key with other numbers: neither opens what the other has used up.
#[test]
fn other_numbers_for_a_key_do_not_wipe_it() {
    let (_work, node) = node();
    let mut connection = node.resp().unwrap();
    let day = ["k", "99", "100", "86400"];
    let allowed = (0..110).filter(|_| throttle(&mut connection, &day)[0] == 0).count();
    assert_eq!(allowed, 100);
    for other in [["k", "0", "1", "1"], ["k", "0", "1000", "1"], ["k", "9", "10", "60"]] {
        for _ in 0..20 {
            assert_eq!(throttle(&mut connection, &other)[0], 1, "{other:?}");
            assert_eq!(throttle(&mut connection, &day)[0], 1, "after {other:?}");
        }
    }
    assert_eq!(throttle(&mut connection, &["p", "15", "30", "60", "10"]), [0, 16, 6, -1, 20]);
    assert_eq!(throttle(&mut connection, &["p", "15", "60", "60", "0"])[2..], [0, -1, 20]);
}

#[test]
fn a_log_in_its_order_over_four_connections_gives_every_client_its_limit() {
    let (_work, node) = node();
    let requests = requests(13, 10_000, 1_753);
    for (burst, limit) in [("0", 1), ("2", 3), ("49", 50)] {
        let prefix = format!("{limit}:");
        let mut connections: Vec<Connection> = (0..4).map(|_| node.resp().unwrap()).collect();
        let (mut sent, mut allowed): (HashMap<&str, usize>, HashMap<&str, usize>) = (HashMap::new(), HashMap::new());
        for (turn, chunk) in requests.chunks(100).enumerate() {
            let commands: Vec<Vec<u8>> = chunk
                .iter()
                .map(|request| encode(&["CL.THROTTLE", &format!("{prefix}{}", request.client), burst, "1", "86400"]))
                .collect();
            let replies = connections[turn % 4].pipeline(&commands).unwrap();
            for (reply, request) in replies.iter().zip(chunk) {
                *sent.entry(&request.client).or_default() += 1;
                *allowed.entry(&request.client).or_default() += usize::from(reply.integers().unwrap()[0] == 0);
            }
        }
        for (client, sent) in sent {
            assert_eq!(allowed[client], sent.min(limit), "{client} at {limit}");
        }
    }
}
