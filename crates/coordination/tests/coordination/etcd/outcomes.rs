//! Transactions whose answer never comes: what is said of them, and how they are settled.

use std::time::Duration;

use anyhow::{Context, Result};
use drl_coordination::{Compare, Coordination, Entry, Fault, Outcome, Session, Terms, Ttl, Txn, TxnError};
use drl_core::Nanos;
use drl_test_etcd::Proxy;

use super::{client, client_at, key, server};
use crate::support::{CALL, get, put, read, text, write};

const BRIEF: Duration = Duration::from_millis(500);

fn swap(record: &Entry, value: &str) -> Txn {
    Txn {
        compares: vec![Compare::Changed { key: record.key.clone(), at: record.changed }],
        then: vec![put(&record.key, value)],
        otherwise: vec![get(&record.key)],
    }
}

#[tokio::test]
async fn a_transaction_whose_reply_is_lost_is_unknown_and_settling_it_shows_that_it_happened() -> Result<()> {
    let server = server!();
    let proxy = Proxy::start(server.client_port()).await?;
    let etcd = client_at(&proxy.url()).await?;
    write(&*etcd, &key("shards/1"), "before").await?;
    let record = read(&*etcd, &key("shards/1")).await?.context("it is absent")?;
    proxy.lose_replies();
    let error = etcd.transact(swap(&record, "after"), BRIEF).await.unwrap_err();
    assert_eq!(error, TxnError::Unknown(Fault::NoAnswer { within: BRIEF }));
    // On a new connection, since the old one is given up.
    let Outcome::Refused(reply) = etcd.transact(Txn::settle(&record), CALL).await? else { panic!("it did not happen") };
    assert_eq!(text(reply.read[0].as_ref()), Some("after"));
    Ok(())
}

#[tokio::test]
async fn a_transaction_that_is_stuck_on_its_way_is_unknown_and_settling_it_keeps_it_out() -> Result<()> {
    let server = server!();
    let proxy = Proxy::start(server.client_port()).await?;
    let etcd = client_at(&proxy.url()).await?;
    write(&*etcd, &key("shards/1"), "before").await?;
    let record = read(&*etcd, &key("shards/1")).await?.context("it is absent")?;
    proxy.freeze();
    let error = etcd.transact(swap(&record, "after"), BRIEF).await.unwrap_err();
    assert!(matches!(error, TxnError::Unknown(_)), "{error:?}");
    assert!(etcd.transact(Txn::settle(&record), CALL).await?.is_committed());
    proxy.thaw();
    let direct = client(&server).await?;
    for _ in 0..10 {
        assert_eq!(text(read(&*direct, &key("shards/1")).await?.as_ref()), Some("before"));
    }
    Ok(())
}

#[tokio::test]
async fn a_connection_that_breaks_under_a_transaction_leaves_it_unknown() -> Result<()> {
    let server = server!();
    let proxy = Proxy::start(server.client_port()).await?;
    let etcd = client_at(&proxy.url()).await?;
    write(&*etcd, &key("a"), "1").await?;
    proxy.lose_replies();
    let txn = Txn { then: vec![put(&key("a"), "2")], ..Txn::default() };
    let cut = async {
        let direct = client(&server).await?;
        let asked = || async { Ok((text(read(&*direct, &key("a")).await?.as_ref()) == Some("2")).then_some(())) };
        crate::support::eventually("it happens", asked).await?;
        proxy.cut();
        anyhow::Ok(())
    };
    let (answer, cut) = tokio::join!(etcd.transact(txn, CALL), cut);
    cut?;
    let error = answer.unwrap_err();
    assert!(matches!(error, TxnError::Unknown(Fault::Unreachable { .. })), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_session_whose_claim_was_not_answered_is_held_all_the_same() -> Result<()> {
    let server = server!();
    let proxy = Proxy::start(server.client_port()).await?;
    let etcd = client_at(&proxy.url()).await?;
    let terms = Terms { key: key("nodes/n1"), value: Vec::new(), heartbeat_key: key("heartbeats/n1") };
    let grant = etcd.grant(Ttl::DEFAULT, CALL).await?;
    proxy.lose_replies();
    let session = Session::open(etcd.clone(), terms.clone(), grant, BRIEF, || Nanos(1)).await?;
    assert_eq!(read(&*etcd, &terms.key).await?.and_then(|entry| entry.lease), Some(session.lease()));
    Ok(())
}
