//! Claims about leases: keys vanish with them, renewals keep them, and a key that changes hands does not go with the old one.

use std::time::Duration;

use anyhow::{Context, Result};
use drl_coordination::{Coordination, Grant, Key, Op, Renewal, Ttl, Txn, TxnError};

use crate::support::subject::{Subject, claims};
use crate::support::{CALL, put, read, text};

claims! {
    a_lease_that_is_not_renewed_takes_its_keys_along,
    a_lease_that_is_renewed_outlives_its_time,
    a_revoked_lease_takes_its_keys_along_at_once_and_may_be_revoked_again,
    a_put_under_a_lease_that_is_gone_does_not_happen,
    a_key_that_was_put_again_stays_with_its_new_lease,
    all_keys_of_a_lease_go_in_one_revision,
}

const SHORT: Duration = Duration::from_secs(2);

async fn granted(store: &dyn Coordination) -> Result<Grant> {
    let grant = store.grant(Ttl::new(SHORT)?, CALL).await?;
    assert!(grant.ttl.span() >= SHORT);
    Ok(grant)
}

async fn put_under(store: &dyn Coordination, grant: Grant, keys: &[&Key]) -> Result<(), TxnError> {
    let put = |key: &&Key| Op::Put { key: (*key).clone(), value: b"x".to_vec(), lease: Some(grant.lease) };
    store.transact(Txn { then: keys.iter().map(put).collect(), ..Txn::default() }, CALL).await.map(|_| ())
}

async fn a_lease_that_is_not_renewed_takes_its_keys_along(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let (key, plain) = (subject.key("nodes/a"), subject.key("plain"));
    let grant = granted(&*store).await?;
    put_under(&*store, grant, &[&key]).await?;
    store.transact(Txn { then: vec![put(&plain, "stays")], ..Txn::default() }, CALL).await?;
    assert_eq!(read(&*store, &key).await?.context("it is absent")?.lease, Some(grant.lease));
    subject.pass(grant.ttl.span()).await;
    subject.gone(&*store, &key).await?;
    assert_eq!(store.renew(grant.lease, CALL).await?, Renewal::Gone);
    assert_eq!(text(read(&*store, &plain).await?.as_ref()), Some("stays"));
    Ok(())
}

async fn a_lease_that_is_renewed_outlives_its_time(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let key = subject.key("nodes/a");
    let grant = granted(&*store).await?;
    put_under(&*store, grant, &[&key]).await?;
    for _ in 0..5 {
        subject.pass(Duration::from_millis(900)).await;
        assert_eq!(store.renew(grant.lease, CALL).await?, Renewal::Alive);
    }
    assert!(read(&*store, &key).await?.is_some());
    Ok(())
}

async fn a_revoked_lease_takes_its_keys_along_at_once_and_may_be_revoked_again(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let key = subject.key("nodes/a");
    let grant = granted(&*store).await?;
    put_under(&*store, grant, &[&key]).await?;
    store.revoke(grant.lease, CALL).await?;
    assert_eq!(read(&*store, &key).await?, None);
    assert_eq!(store.renew(grant.lease, CALL).await?, Renewal::Gone);
    store.revoke(grant.lease, CALL).await?;
    Ok(())
}

async fn a_put_under_a_lease_that_is_gone_does_not_happen(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let (key, plain) = (subject.key("nodes/a"), subject.key("plain"));
    let grant = granted(&*store).await?;
    store.revoke(grant.lease, CALL).await?;
    let under = Op::Put { key: key.clone(), value: b"x".to_vec(), lease: Some(grant.lease) };
    let refused = store.transact(Txn { then: vec![put(&plain, "x"), under], ..Txn::default() }, CALL).await;
    assert_eq!(refused, Err(TxnError::LeaseGone));
    assert_eq!((read(&*store, &key).await?, read(&*store, &plain).await?), (None, None));
    Ok(())
}

async fn a_key_that_was_put_again_stays_with_its_new_lease(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let (moved, freed) = (subject.key("nodes/a"), subject.key("nodes/b"));
    let (old, new) = (granted(&*store).await?, granted(&*store).await?);
    put_under(&*store, old, &[&moved, &freed]).await?;
    put_under(&*store, new, &[&moved]).await?;
    store.transact(Txn { then: vec![put(&freed, "free")], ..Txn::default() }, CALL).await?;
    store.revoke(old.lease, CALL).await?;
    assert_eq!(read(&*store, &moved).await?.context("it went with the old lease")?.lease, Some(new.lease));
    assert_eq!(read(&*store, &freed).await?.context("it went with the old lease")?.lease, None);
    Ok(())
}

async fn all_keys_of_a_lease_go_in_one_revision(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let (a, b) = (subject.key("nodes/a"), subject.key("nodes/b"));
    let grant = granted(&*store).await?;
    put_under(&*store, grant, &[&a, &b]).await?;
    let mut watch = store.watch(subject.prefix("nodes/"), drl_coordination::WatchOptions::default());
    assert_eq!(crate::support::snapshot(&mut watch).await?.len(), 2);
    store.revoke(grant.lease, CALL).await?;
    let gone = crate::support::changes(&mut watch).await?;
    assert_eq!(gone, [(a.to_string(), "-".to_owned()), (b.to_string(), "-".to_owned())]);
    Ok(())
}
