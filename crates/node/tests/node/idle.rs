//! Ten thousand idle connections cost little memory and no speed.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::support::start;

const CONNECTIONS: usize = 10_000;

/// Both ends of every connection are in this process, and the store has files too.
const FILES: u64 = 2 * CONNECTIONS as u64 + 1_000;

/// Memory that is really used by this process, in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Whether this process may open enough files; as root it allows itself.
fn may_open(files: u64) -> bool {
    let hard = getrlimit(Resource::Nofile).maximum;
    let enough = hard.is_none_or(|hard| hard >= files);
    let limit = if enough { hard } else { Some(files) };
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit }).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_are_cheap() {
    if !may_open(FILES) {
        eprintln!("SKIPPED: the hard file limit (ulimit -Hn) is below {FILES}");
        return;
    }
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let address = node.addresses.resp.unwrap();
    let mut warm = node.resp().await;
    assert_eq!(warm.call("PING").await, "+PONG");
    let before = resident_kib();
    let mut idle = Vec::with_capacity(CONNECTIONS);
    for index in 0..CONNECTIONS {
        let stream = TcpStream::connect(address).await.unwrap();
        // Every tenth has said half a command, so that it has been read from.
        if index % 10 == 0 {
            stream.writable().await.unwrap();
            stream.try_write(b"*1\r\n$4\r\nPI").unwrap();
        }
        idle.push(stream);
    }
    let mut last = crate::support::Resp::connect(address).await;
    assert!(last.call("CL.THROTTLE x 15 30 60").await.starts_with("[:0 "));
    let grown_kib = resident_kib().saturating_sub(before);
    eprintln!("{grown_kib} KiB for {CONNECTIONS} idle connections, both ends");
    // Both ends of 10,000 connections, 2 KiB each: a buffer of 68 KiB each would be 680 MB.
    assert!(grown_kib < 100 << 10, "{grown_kib} KiB for {CONNECTIONS} idle connections");
    drop(idle);
    node.stop().await;
}
