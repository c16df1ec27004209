//! Ten thousand idle connections cost little memory and no speed. The clients are another process (this test binary again), because
//! the file limit is for each process.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::support::start;

const CONNECTIONS: usize = 10_000;

/// One end of every connection, and room for the store and for whatever the test runner has open.
const FILES: u64 = CONNECTIONS as u64 + 1_000;

/// Tells the process that it is the clients, and where the node is.
const CLIENTS_OF: &str = "DRL_TEST_IDLE_CLIENTS_OF";

/// Memory that is really used by this process, in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Whether this process may open enough files; it raises its soft limit for that.
fn may_open(files: u64) -> bool {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    raised.is_ok() && maximum.is_none_or(|maximum| maximum >= files)
}

/// The clients' side; as a test of its own it has nothing to do.
#[test]
fn clients_that_hold_their_connections() {
    let Some(address) = std::env::var_os(CLIENTS_OF) else { return };
    assert!(may_open(FILES));
    let address = address.into_string().unwrap();
    let mut held = Vec::with_capacity(CONNECTIONS);
    for index in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(&address).unwrap();
        // Some have had an answer, and some have said half a command, so that both have been read from.
        if index % 10 == 0 {
            stream.write_all(b"PING\r\n").unwrap();
            stream.read_exact(&mut [0; 7]).unwrap();
        }
        if index % 10 == 1 {
            stream.write_all(b"*1\r\n$4\r\nPI").unwrap();
        }
        held.push(stream);
    }
    println!("\nall are connected");
    // Until the parent closes the pipe.
    let _ = std::io::stdin().read(&mut [0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_are_cheap() {
    if !may_open(FILES) {
        eprintln!("SKIPPED: the hard file limit (ulimit -Hn) is below {FILES}");
        return;
    }
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let mut warm = node.resp().await;
    assert_eq!(warm.call("PING").await, "+PONG");
    let before = resident_kib();
    let mut clients = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "idle::clients_that_hold_their_connections", "--nocapture"])
        .env(CLIENTS_OF, node.addresses.resp.unwrap().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(clients.stdout.take().unwrap()).lines();
    while lines.next_line().await.unwrap().unwrap() != "all are connected" {}
    let mut last = node.resp().await;
    assert!(last.call("CL.THROTTLE x 15 30 60").await.starts_with("[:0 "));
    let connected = format!("drl_connections{{door=\"resp\"}} {}", CONNECTIONS + 2);
    assert!(node.http("GET /metrics", "").await.1.contains(&connected), "not {connected}");
    let grown_kib = resident_kib().saturating_sub(before);
    eprintln!("{grown_kib} KiB for {CONNECTIONS} idle connections");
    // Some 2 KiB each, and what other tests of this process take meanwhile; with a read buffer each it would be 680 MB.
    assert!(grown_kib < 100 << 10, "{grown_kib} KiB for {CONNECTIONS} idle connections");
    drop(clients.stdin.take());
    clients.wait().await.unwrap();
    node.stop().await;
}
