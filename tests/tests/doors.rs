//! Many clients, deep pipelines, few files, a stop in the middle: the doors of a real node under pressure.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use drl_tests::node::Node;
use drl_tests::resp::{Reply, encode};

/// More keys at once than one frame of the journal holds (65,536), from many connections. The clients only count the signs of replies:
/// whoever reads more carefully is slower than the node, and nothing piles up.
#[test]
fn deep_pipelines_of_many_clients_wait_for_the_journal_and_are_not_sent_away() {
    const CONNECTIONS: usize = 200;
    const COMMANDS: usize = 4_000;
    let work = tempfile::tempdir().unwrap();
    let node = Node::start(&work.path().join("node"), &[]).unwrap();
    let start = Barrier::new(CONNECTIONS);
    let answers = thread::scope(|scope| {
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|connection| {
                let (stream, start) = (TcpStream::connect(node.address("resp").unwrap()).unwrap(), &start);
                let command = move |nth| encode(&["CL.THROTTLE", &format!("{connection}-{nth}"), "9", "10", "3600"]);
                scope.spawn(move || {
                    let pipeline = (0..COMMANDS).flat_map(command).collect::<Vec<_>>();
                    start.wait();
                    thread::scope(|scope| {
                        scope.spawn(|| (&stream).write_all(&pipeline).unwrap());
                        count_replies(&stream, COMMANDS)
                    })
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    let refused: usize = answers.iter().sum();
    assert_eq!(refused, 0, "checks were refused");
}

/// Reads `replies` replies, arrays of integers or errors, and counts the errors.
fn count_replies(mut stream: &TcpStream, replies: usize) -> usize {
    let (mut arrays, mut errors, mut bytes) = (0, 0, vec![0; 64 << 10]);
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut is_line_start = true;
    while arrays + errors < replies {
        let length = stream.read(&mut bytes).unwrap();
        assert_ne!(length, 0, "the connection was closed after {arrays} answers and {errors} errors");
        for byte in &bytes[..length] {
            arrays += usize::from(is_line_start && *byte == b'*');
            errors += usize::from(is_line_start && *byte == b'-');
            is_line_start = *byte == b'\n';
        }
    }
    errors
}

/// Connects until the door is full: from then on it closes who comes.
fn fill(address: std::net::SocketAddr, at_most: usize) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..at_most {
        let Ok(stream) = TcpStream::connect(address) else { break };
        held.push(stream);
    }
    held
}

#[test]
fn idle_clients_cannot_take_the_files_of_the_database() {
    let work = tempfile::tempdir().unwrap();
    let node = Node::start(&work.path().join("node"), &[]).unwrap();
    node.terminate().unwrap();
    let node = Node::start_with_files(&work.path().join("node"), 1_024).unwrap();
    let mut busy = node.resp().unwrap();
    assert_eq!(busy.ask(&["PING"]).unwrap(), Reply::Simple("PONG".to_owned()));
    // Each door alone would take what the limit leaves.
    let idle = ["resp", "http", "grpc"].map(|door| fill(node.address(door).unwrap(), 700));
    // Everything that came before this answer has been accepted, or closed.
    let said = |stream: &TcpStream| {
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut text = [0; 64];
        (&*stream).read(&mut text).map(|length| String::from_utf8_lossy(&text[..length]).into_owned())
    };
    assert_eq!(said(idle[0].last().unwrap()).unwrap(), "-ERR max number of clients reached\r\n");
    assert!(said(idle[1].last().unwrap()).unwrap().starts_with("HTTP/1.1 503"), "the HTTP door is full");
    let open_files = std::fs::read_dir(format!("/proc/{}/fd", node.pid())).unwrap().count();
    assert!(open_files <= 1_024 - 256, "{open_files} files are open; RocksDB may need 256 more");
    let allowed = busy.ask(&["CL.THROTTLE", "client", "9", "10", "3600"]).unwrap().integers().unwrap();
    assert_eq!(allowed[0], 0);
    assert!(!node.log().unwrap().contains("cannot accept"), "{}", node.log().unwrap());
    assert!(node.terminate().unwrap().success());
}

#[test]
fn sigterm_under_load_ends_with_zero_and_every_answer_counts() {
    const CLIENTS: usize = 4;
    let work = tempfile::tempdir().unwrap();
    let dir = work.path().join("node");
    let node = Node::start(&dir, &["--drain-timeout", "10s"]).unwrap();
    let charge = |client: usize| encode(&["CL.THROTTLE", &format!("client-{client}"), "999999", "1000000", "86400"]);
    let all_busy = Barrier::new(CLIENTS + 1);
    let answered = thread::scope(|scope| {
        let busy: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (mut connection, all_busy) = (node.resp().unwrap(), &all_busy);
                scope.spawn(move || {
                    let mut answered = usize::from(connection.pipeline(&[charge(client)]).is_ok());
                    all_busy.wait();
                    // Until the node has closed the connection.
                    while connection.send(&charge(client).repeat(16)).is_ok() {
                        for _ in 0..16 {
                            match connection.reply() {
                                Ok(reply) => answered += usize::from(reply.integers().is_ok_and(|reply| reply[0] == 0)),
                                Err(_) => return answered,
                            }
                        }
                    }
                    answered
                })
            })
            .collect();
        all_busy.wait();
        assert!(node.terminate().unwrap().success());
        busy.into_iter().map(|client| client.join().unwrap()).collect::<Vec<usize>>()
    });
    assert!(answered.iter().all(|answered| *answered > 0), "{answered:?}");
    let node = Node::start(&dir, &[]).unwrap();
    let mut connection = node.resp().unwrap();
    for (client, answered) in answered.iter().enumerate() {
        let look = ["CL.THROTTLE", &format!("client-{client}"), "999999", "1000000", "86400", "0"];
        let remaining = connection.ask(&look).unwrap().integers().unwrap()[2];
        // Answers that were lost on the way to a client that was cut off are charged too, never the other way round; the bucket earns
        // twelve units a second.
        let used = 1_000_000 - usize::try_from(remaining).unwrap();
        assert!(
            used + 60 * 12 >= *answered && used <= answered + 16,
            "client {client}: {used} used, {answered} answered"
        );
    }
}

#[test]
fn a_client_that_never_reads_delays_a_stop_by_no_more_than_the_drain_timeout() {
    let work = tempfile::tempdir().unwrap();
    let node = Node::start(&work.path().join("node"), &["--drain-timeout", "2s"]).unwrap();
    let address = node.address("resp").unwrap();
    let mut deaf = TcpStream::connect(address).unwrap();
    deaf.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // Until the replies fill the sockets of both sides: from then on the node stands in its write, and reads no more.
    let echo = encode(&["ECHO", &"x".repeat(60_000)]);
    while deaf.write_all(&echo).is_ok() {}
    let status = node.terminate().unwrap();
    assert!(status.success(), "{status}");
    assert!(TcpStream::connect(address).is_err());
    drop(deaf);
}
