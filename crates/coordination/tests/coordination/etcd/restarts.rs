//! etcd is killed and started again on the same data, or is not there at all.

use std::time::Duration;

use anyhow::Result;
use drl_coordination::{Coordination, Fault, Heartbeat, Liveness, Session, Start, Terms, Ttl, TxnError, WatchOptions};
use drl_core::Nanos;
use tokio::time::timeout;

use super::{client, client_at, key, prefix, server};
use crate::support::{CALL, SOON, changes, create, eventually, read, snapshot, text, until, write};

#[tokio::test]
async fn a_watch_goes_on_after_etcd_was_killed_and_nothing_is_missing() -> Result<()> {
    let mut server = server!();
    let etcd = client(&server).await?;
    let mut watch = etcd.watch(prefix(""), WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?, []);
    write(&*etcd, &key("a"), "1").await?;
    assert_eq!(changes(&mut watch).await?, [("/drl/test/a".to_owned(), "1".to_owned())]);
    server.kill();
    timeout(SOON, watch.troubles().wait_for(Option::is_some)).await??;
    server.run()?;
    let other = client(&server).await?;
    write(&*other, &key("a"), "2").await?;
    write(&*other, &key("b"), "3").await?;
    // Resumed, not listed again.
    assert_eq!(changes(&mut watch).await?, [("/drl/test/a".to_owned(), "2".to_owned())]);
    assert_eq!(changes(&mut watch).await?, [("/drl/test/b".to_owned(), "3".to_owned())]);
    assert_eq!(watch.trouble(), None);
    Ok(())
}

#[tokio::test]
async fn a_session_survives_a_restart_of_etcd() -> Result<()> {
    let mut server = server!();
    let etcd = client(&server).await?;
    let terms = Terms { key: key("nodes/n1"), value: b"here".to_vec(), heartbeat_key: key("heartbeats/n1") };
    let grant = etcd.grant(Ttl::DEFAULT, CALL).await?;
    let session = Session::open(etcd.clone(), terms.clone(), grant, CALL, || Nanos(1)).await?;
    let mut liveness = session.liveness();
    server.kill();
    timeout(SOON, liveness.wait_for(|now| matches!(now, Liveness::Silent(_)))).await??;
    assert!(session.heartbeat(b"1".to_vec()).await.outcome.is_err());
    server.run()?;
    timeout(SOON, liveness.wait_for(|now| *now == Liveness::Alive)).await??;
    assert!(matches!(session.heartbeat(b"2".to_vec()).await.outcome?, Heartbeat::Held { .. }));
    assert_eq!(read(&*etcd, &terms.key).await?.and_then(|entry| entry.lease), Some(session.lease()));
    Ok(())
}

#[tokio::test]
async fn an_etcd_that_is_absent_is_said_to_be_so_and_used_once_it_is_there() -> Result<()> {
    let mut server = server!();
    server.kill();
    let etcd = client(&server).await?;
    let error = etcd.transact(create(&key("a"), "1"), CALL).await.unwrap_err();
    let TxnError::Unavailable(Fault::Unreachable { endpoint, reason }) = &error else { panic!("{error:?}") };
    assert_eq!(*endpoint, server.url());
    assert!(reason.contains("refused"), "{reason}");
    assert!(error.is_retryable());
    assert!(matches!(etcd.list(prefix(""), CALL).await, Err(Fault::Unreachable { .. })));
    assert!(matches!(etcd.grant(Ttl::DEFAULT, CALL).await, Err(Fault::Unreachable { .. })));
    let mut watch = etcd.watch(prefix(""), WatchOptions::default());
    timeout(SOON, watch.troubles().wait_for(Option::is_some)).await??;
    server.run()?;
    assert!(etcd.transact(create(&key("a"), "1"), CALL).await?.is_committed());
    until(&mut watch, &key("a"), "1").await
}

#[tokio::test]
async fn a_watch_from_a_revision_starts_while_etcd_is_away() -> Result<()> {
    let mut server = server!();
    let etcd = client(&server).await?;
    let at = write(&*etcd, &key("a"), "1").await?.revision();
    write(&*etcd, &key("a"), "2").await?;
    server.kill();
    let mut watch = etcd.watch(prefix(""), WatchOptions { start: Start::After(at), ..WatchOptions::default() });
    server.run()?;
    assert_eq!(changes(&mut watch).await?, [("/drl/test/a".to_owned(), "2".to_owned())]);
    Ok(())
}

#[tokio::test]
async fn another_member_is_asked_when_one_is_away() -> Result<()> {
    let mut away = server!();
    let server = server!();
    away.kill();
    let etcd = client_at(&format!("{},{}", away.url(), server.url())).await?;
    write(&*etcd, &key("a"), "1").await?;
    assert_eq!(text(read(&*etcd, &key("a")).await?.as_ref()), Some("1"));
    assert!(etcd.version(CALL).await?.starts_with("3."));
    Ok(())
}

#[tokio::test]
async fn a_member_without_a_majority_is_said_to_have_no_leader() -> Result<()> {
    let Some(mut members) = drl_test_etcd::Server::start_three()? else { return Ok(()) };
    let etcd = client(&members[0]).await?;
    write(&*etcd, &key("a"), "1").await?;
    members[1].kill();
    members[2].kill();
    let asked = || async {
        let answer = etcd.transact(create(&key("b"), "1"), Duration::from_secs(2)).await;
        Ok(matches!(answer, Err(TxnError::Unavailable(Fault::NoLeader { .. }))).then_some(()))
    };
    eventually("no leader", asked).await?;
    members[1].run()?;
    let asked = || async { Ok(etcd.transact(create(&key("c"), "1"), CALL).await.ok()) };
    assert!(eventually("a leader again", asked).await?.is_committed());
    Ok(())
}
