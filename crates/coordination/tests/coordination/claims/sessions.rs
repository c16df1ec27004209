//! Claims about sessions: one holder at a time, heartbeats that prove it, and what is found when it is lost.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use drl_coordination::{Coordination, Heartbeat, Liveness, OpenError, Session, Terms, Ttl};
use drl_core::Nanos;
use tokio::time::timeout;

use crate::support::subject::{Subject, claims};
use crate::support::{CALL, SOON, changes, read, snapshot, text};

claims! {
    a_session_holds_its_key_and_its_heartbeats_prove_it,
    a_session_lives_as_long_as_it_is_kept,
    a_node_id_has_one_session_at_a_time,
    a_restart_revokes_its_old_lease_and_goes_on,
    a_heartbeat_finds_that_the_key_is_gone_and_the_session_is_made_again,
    a_heartbeat_finds_that_another_holds_the_key,
    a_closed_session_is_gone_at_once,
    what_a_session_says_can_change_while_it_is_held,
}

const SHORT: Duration = Duration::from_secs(2);

fn terms(subject: &Subject) -> Terms {
    Terms { key: subject.key("nodes/n1"), value: b"here".to_vec(), heartbeat_key: subject.key("heartbeats/n1") }
}

/// A clock of these tests: it shows that a beat carries the moment before it was sent.
fn clock() -> Nanos {
    Nanos(42)
}

async fn open(subject: &Subject, store: &Arc<dyn Coordination>) -> Result<Session> {
    let grant = store.grant(Ttl::new(SHORT)?, CALL).await?;
    Ok(Session::open(Arc::clone(store), terms(subject), grant, CALL, clock).await?)
}

async fn a_session_holds_its_key_and_its_heartbeats_prove_it(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let session = open(subject, &store).await?;
    let entry = read(&*store, &terms(subject).key).await?.context("it has no key")?;
    assert_eq!((text(Some(&entry)), entry.lease), (Some("here"), Some(session.lease())));
    let beat = session.heartbeat(b"1".to_vec()).await;
    assert_eq!(beat.sent, clock());
    assert!(matches!(beat.outcome?, Heartbeat::Held { .. }));
    let beat = read(&*store, &terms(subject).heartbeat_key).await?;
    assert_eq!(text(beat.as_ref()), Some("1"));
    assert_eq!(beat.context("no heartbeat")?.lease, None);
    Ok(())
}

async fn a_session_lives_as_long_as_it_is_kept(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let session = open(subject, &store).await?;
    let mut watch = store.watch(subject.prefix("nodes/"), drl_coordination::WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?.len(), 1);
    // On etcd that is more than twice its time to live; nothing may change.
    assert!(timeout(Duration::from_secs(5), watch.next()).await.is_err());
    let key = session.terms().key.clone();
    drop(session);
    subject.pass(SHORT).await;
    assert_eq!(changes(&mut watch).await?, [(key.to_string(), "-".to_owned())]);
    Ok(())
}

async fn a_node_id_has_one_session_at_a_time(subject: &Subject) -> Result<()> {
    let (store, other) = (subject.node().await?, subject.node().await?);
    let session = open(subject, &store).await?;
    let refused = open(subject, &other).await.err().context("it was opened twice")?;
    let OpenError::InUse { by } = refused.downcast::<OpenError>()? else { panic!("another error") };
    assert_eq!(by.lease, Some(session.lease()));
    assert!(matches!(session.heartbeat(Vec::new()).await.outcome?, Heartbeat::Held { .. }));
    Ok(())
}

async fn a_restart_revokes_its_old_lease_and_goes_on(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let old = open(subject, &store).await?;
    let stored = old.lease();
    std::mem::forget(old);
    let restarted = subject.node().await?;
    restarted.revoke(stored, CALL).await?;
    let session = open(subject, &restarted).await?;
    assert!(matches!(session.heartbeat(Vec::new()).await.outcome?, Heartbeat::Held { .. }));
    Ok(())
}

async fn a_heartbeat_finds_that_the_key_is_gone_and_the_session_is_made_again(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let mut session = open(subject, &store).await?;
    let old = session.lease();
    let mut liveness = session.liveness();
    store.revoke(old, CALL).await?;
    timeout(SOON, liveness.wait_for(|now| *now == Liveness::Gone)).await??;
    assert!(matches!(session.heartbeat(b"1".to_vec()).await.outcome?, Heartbeat::KeyAbsent { .. }));
    assert_eq!(read(&*store, &terms(subject).heartbeat_key).await?, None);
    let grant = store.grant(Ttl::new(SHORT)?, CALL).await?;
    assert_eq!(session.recreate(grant, b"2".to_vec()).await?, clock());
    assert_ne!(session.lease(), old);
    assert_eq!(text(read(&*store, &terms(subject).heartbeat_key).await?.as_ref()), Some("2"));
    assert!(matches!(session.heartbeat(b"3".to_vec()).await.outcome?, Heartbeat::Held { .. }));
    assert_eq!(*session.liveness().borrow(), Liveness::Alive);
    Ok(())
}

async fn a_heartbeat_finds_that_another_holds_the_key(subject: &Subject) -> Result<()> {
    let (store, other) = (subject.node().await?, subject.node().await?);
    let mut session = open(subject, &store).await?;
    store.revoke(session.lease(), CALL).await?;
    let usurper = open(subject, &other).await?;
    let Heartbeat::OtherLease { by } = session.heartbeat(Vec::new()).await.outcome? else { panic!("still held") };
    assert_eq!(by.lease, Some(usurper.lease()));
    let grant = store.grant(Ttl::new(SHORT)?, CALL).await?;
    assert!(matches!(session.recreate(grant, Vec::new()).await, Err(OpenError::InUse { .. })));
    assert!(matches!(session.publish(b"mine".to_vec()).await?, Heartbeat::OtherLease { .. }));
    assert_eq!(text(read(&*store, &terms(subject).key).await?.as_ref()), Some("here"));
    Ok(())
}

async fn a_closed_session_is_gone_at_once(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let session = open(subject, &store).await?;
    session.heartbeat(b"1".to_vec()).await.outcome?;
    session.close().await?;
    assert_eq!(read(&*store, &terms(subject).key).await?, None);
    assert!(read(&*store, &terms(subject).heartbeat_key).await?.is_some(), "a heartbeat outlives its session");
    Ok(())
}

async fn what_a_session_says_can_change_while_it_is_held(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let mut session = open(subject, &store).await?;
    assert!(matches!(session.publish(b"draining".to_vec()).await?, Heartbeat::Held { .. }));
    let entry = read(&*store, &terms(subject).key).await?.context("it has no key")?;
    assert_eq!((text(Some(&entry)), entry.lease), (Some("draining"), Some(session.lease())));
    assert!(matches!(session.heartbeat(Vec::new()).await.outcome?, Heartbeat::Held { .. }));
    Ok(())
}
