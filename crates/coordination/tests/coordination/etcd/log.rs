//! What goes through etcd's log, and what that costs.

use anyhow::{Context, Result};
use drl_coordination::{Compare, Coordination, Revision, Txn};
use drl_test_etcd::Server;

use super::{client, key, prefix, server};
use crate::support::{CALL, get, write};

/// The number of the last entry of the raft log.
fn log_index(server: &Server) -> Result<u64> {
    let status = server.etcdctl(&["endpoint", "status", "-w", "json"])?;
    let rest = status.split("\"raftIndex\":").nth(1).context("no raftIndex")?;
    Ok(rest.split(|byte: char| !byte.is_ascii_digit()).next().context("no number")?.parse()?)
}

#[tokio::test]
async fn every_read_and_every_listing_is_one_entry_of_the_log_and_changes_nothing() -> Result<()> {
    let server = server!();
    let etcd = client(&server).await?;
    let revision = write(&*etcd, &key("a"), "1").await?.revision();
    let reads = [
        Txn::default(),
        Txn::read([key("a"), key("absent")]),
        Txn { compares: vec![Compare::absent(key("a"))], otherwise: vec![get(&key("a"))], ..Txn::default() },
        Txn { compares: vec![Compare::Changed { key: key("a"), at: revision }], ..Txn::default() },
        Txn { compares: vec![Compare::Changed { key: key("a"), at: Revision(99) }], ..Txn::default() },
    ];
    for read in reads {
        let before = log_index(&server)?;
        assert_eq!(etcd.transact(read.clone(), CALL).await?.revision(), revision);
        assert_eq!(log_index(&server)?, before + 1, "{read:?}");
    }
    let before = log_index(&server)?;
    assert_eq!(etcd.list(prefix(""), CALL).await?.revision, revision);
    assert_eq!(log_index(&server)?, before + 1);
    Ok(())
}

#[tokio::test]
async fn a_watch_that_is_idle_writes_nothing() -> Result<()> {
    let server = server!();
    let etcd = client(&server).await?;
    let mut watch = etcd.watch(prefix(""), drl_coordination::WatchOptions::default());
    crate::support::snapshot(&mut watch).await?;
    let lease = etcd.grant(drl_coordination::Ttl::DEFAULT, CALL).await?.lease;
    let before = log_index(&server)?;
    for _ in 0..5 {
        etcd.renew(lease, CALL).await?;
    }
    assert_eq!(log_index(&server)?, before);
    Ok(())
}

#[tokio::test]
async fn the_empty_prefix_means_every_key() -> Result<()> {
    let server = server!();
    let etcd = client(&server).await?;
    let mut watch = etcd.watch("".into(), drl_coordination::WatchOptions::default());
    assert_eq!(crate::support::snapshot(&mut watch).await?, []);
    write(&*etcd, &"a".into(), "1").await?;
    assert_eq!(crate::support::changes(&mut watch).await?, [("a".to_owned(), "1".to_owned())]);
    assert_eq!(etcd.list("".into(), CALL).await?.entries.len(), 1);
    Ok(())
}
