//! What a server needs of its machine: the programs, and ports that are free.

use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;

use super::LOOPBACK;

/// Whether there is an etcd to start. Says so, past the test harness, when there is none.
pub(super) fn is_installed() -> bool {
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    let is_there = ["etcd", "etcdctl"].iter().all(|program| Command::new(program).arg("--version").output().is_ok());
    if !is_there {
        let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
        let text =
            format!("SKIPPED, {count} so far: no etcd and etcdctl here (apt-get install etcd-server etcd-client)\n");
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    is_there
}

/// Two ports that were free a moment ago.
pub(super) fn free_ports() -> Result<(u16, u16)> {
    let (client, peer) = (TcpListener::bind((LOOPBACK, 0))?, TcpListener::bind((LOOPBACK, 0))?);
    Ok((client.local_addr()?.port(), peer.local_addr()?.port()))
}
