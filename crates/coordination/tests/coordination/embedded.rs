//! What the embedded store does on demand, and how it lets time pass.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use drl_coordination::{
    ClusterId, Coordination, Embedded, Failure, Fault, Key, Op, Outcome, Renewal, Ttl, Txn, TxnError, WatchOptions,
};
use drl_core::Nanos;
use drl_core::caps::EMBEDDED_HISTORY_MAX;
use tokio::time::timeout;

use crate::support::{CALL, SOON, changes, create, put, read, snapshot, text, until, write};

fn key(name: &str) -> Key {
    Key::from(format!("/drl/test/{name}"))
}

fn store() -> Embedded {
    Embedded::new(ClusterId(7))
}

#[tokio::test]
async fn a_call_that_is_to_fail_fails_for_its_node_only_and_once() -> Result<()> {
    let store = store();
    let other = store.node();
    store.fail_next(Failure::Unavailable);
    assert!(other.transact(create(&key("x"), "1"), CALL).await?.is_committed());
    let answer = store.transact(create(&key("a"), "1"), CALL).await;
    assert!(matches!(answer, Err(TxnError::Unavailable(Fault::Unreachable { .. }))), "{answer:?}");
    assert_eq!(read(&store, &key("a")).await?, None);
    assert!(store.transact(create(&key("a"), "1"), CALL).await?.is_committed());
    Ok(())
}

#[tokio::test]
async fn an_unknown_outcome_may_be_either_and_settling_tells() -> Result<()> {
    let store = store();
    write(&store, &key("a"), "before").await?;
    for (failure, happened) in [(Failure::UnknownLost, false), (Failure::UnknownDone, true)] {
        let record = read(&store, &key("a")).await?.unwrap();
        let txn = Txn {
            compares: vec![drl_coordination::Compare::Changed { key: key("a"), at: record.changed }],
            then: vec![put(&key("a"), "after")],
            otherwise: Vec::new(),
        };
        store.fail_next(failure);
        assert!(matches!(store.transact(txn, CALL).await, Err(TxnError::Unknown(_))));
        let settled = store.transact(Txn::settle(&record), CALL).await?;
        assert_eq!(matches!(settled, Outcome::Refused(_)), happened);
        assert_eq!(text(read(&store, &key("a")).await?.as_ref()), Some(if happened { "after" } else { "before" }));
    }
    Ok(())
}

#[tokio::test]
async fn a_node_that_is_cut_off_sees_nothing_and_catches_up() -> Result<()> {
    let store = store();
    let away = store.node();
    let mut watch = away.watch("/drl/test/".into(), WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?, []);
    away.cut();
    write(&store, &key("a"), "1").await?;
    timeout(SOON, watch.troubles().wait_for(Option::is_some)).await??;
    assert!(away.list("/drl/test/".into(), CALL).await.is_err());
    assert!(away.renew(store.grant(Ttl::DEFAULT, CALL).await?.lease, CALL).await.is_err());
    write(&store, &key("a"), "2").await?;
    away.heal();
    assert_eq!(changes(&mut watch).await?, [("/drl/test/a".to_owned(), "1".to_owned())]);
    assert_eq!(changes(&mut watch).await?, [("/drl/test/a".to_owned(), "2".to_owned())]);
    assert_eq!(watch.trouble(), None);
    Ok(())
}

#[tokio::test]
async fn a_lease_expires_on_demand_and_at_its_exact_time() -> Result<()> {
    let store = store();
    let leased = |name: &str, lease| Op::Put { key: key(name), value: Vec::new(), lease: Some(lease) };
    let (first, second) = (store.grant(Ttl::DEFAULT, CALL).await?.lease, store.grant(Ttl::DEFAULT, CALL).await?.lease);
    store.transact(Txn { then: vec![leased("a", first), leased("b", second)], ..Txn::default() }, CALL).await?;
    store.expire(first);
    assert_eq!(read(&store, &key("a")).await?, None);
    store.advance(Nanos(5_000_000_000 - 1));
    assert!(read(&store, &key("b")).await?.is_some());
    store.advance(Nanos(1));
    assert_eq!(read(&store, &key("b")).await?, None);
    assert_eq!(store.renew(second, CALL).await?, Renewal::Gone);
    Ok(())
}

/// Half a second further each time it is asked.
fn quick_clock() -> Nanos {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    Nanos(500_000_000 * ASKED.fetch_add(1, Ordering::Relaxed))
}

#[tokio::test]
async fn leases_go_by_the_clock_that_is_given() -> Result<()> {
    let store = Embedded::with_clock(ClusterId(7), quick_clock);
    let lease = store.grant(Ttl::new(Duration::from_secs(2))?, CALL).await?.lease;
    let leased = Op::Put { key: key("a"), value: Vec::new(), lease: Some(lease) };
    store.transact(Txn { then: vec![leased], ..Txn::default() }, CALL).await?;
    let mut watch = store.watch("/drl/test/".into(), WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?.len(), 1);
    assert_eq!(changes(&mut watch).await?, [("/drl/test/a".to_owned(), "-".to_owned())]);
    Ok(())
}

#[tokio::test]
async fn a_watch_that_falls_behind_the_history_gets_a_snapshot() -> Result<()> {
    let store = store();
    let mut watch = store.watch("/drl/test/".into(), WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?, []);
    store.cut();
    let other = store.node();
    for value in 0..=EMBEDDED_HISTORY_MAX + 1 {
        write(&other, &key("a"), &value.to_string()).await?;
    }
    store.heal();
    let last = (EMBEDDED_HISTORY_MAX + 1).to_string();
    assert_eq!(snapshot(&mut watch).await?, [("/drl/test/a".to_owned(), last)]);
    write(&other, &key("a"), "on").await?;
    until(&mut watch, &key("a"), "on").await
}
