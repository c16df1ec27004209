//! What the tests share: stores to run on, waiting with a deadline, and shorthands for transactions.

pub(crate) mod subject;

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use drl_coordination::{Change, Compare, Coordination, Entry, EtcdOptions, Key, Op, Outcome, Txn, Update, Watch};
use drl_test_etcd::Server;
use tokio::time::{interval, timeout};

/// For anything that should take milliseconds, on a machine that is busy.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// For one call.
pub(crate) const CALL: Duration = Duration::from_secs(5);

pub(crate) fn options(server: &Server) -> Result<EtcdOptions> {
    Ok(EtcdOptions::new(&server.url())?)
}

pub(crate) fn put(key: &Key, value: &str) -> Op {
    Op::Put { key: key.clone(), value: value.into(), lease: None }
}

pub(crate) fn get(key: &Key) -> Op {
    Op::Get { key: key.clone() }
}

/// Puts a value, whatever was there.
pub(crate) async fn write(store: &dyn Coordination, key: &Key, value: &str) -> Result<Outcome> {
    Ok(store.transact(Txn { then: vec![put(key, value)], ..Txn::default() }, CALL).await?)
}

/// The entry under a key, read through the log.
pub(crate) async fn read(store: &dyn Coordination, key: &Key) -> Result<Option<Entry>> {
    let reply = store.read(vec![key.clone()], CALL).await?;
    reply.read.into_iter().next().context("nothing was read")
}

/// Creates a key that must not be there.
pub(crate) fn create(key: &Key, value: &str) -> Txn {
    Txn { compares: vec![Compare::absent(key.clone())], then: vec![put(key, value)], otherwise: vec![get(key)] }
}

/// The value as text, for comparing.
pub(crate) fn text(entry: Option<&Entry>) -> Option<&str> {
    entry.and_then(|entry| std::str::from_utf8(&entry.value).ok())
}

pub(crate) async fn next(watch: &mut Watch) -> Result<Update> {
    let update = timeout(SOON, watch.next()).await.context("the watch says nothing")?;
    update.with_context(|| format!("the watch ended: {:?}", watch.trouble()))
}

/// The next update, which must be a snapshot: its keys and values.
pub(crate) async fn snapshot(watch: &mut Watch) -> Result<Vec<(String, String)>> {
    match next(watch).await? {
        Update::Snapshot(listing) => Ok(listing.entries.iter().map(shown).collect()),
        Update::Changes(changes) => bail!("{changes:?} instead of a snapshot"),
    }
}

/// The next update, which must be changes: their keys and values, `-` for a deletion.
pub(crate) async fn changes(watch: &mut Watch) -> Result<Vec<(String, String)>> {
    match next(watch).await? {
        Update::Changes(changes) => Ok(changes.changes.iter().map(shown_change).collect()),
        Update::Snapshot(listing) => bail!("{listing:?} instead of changes"),
    }
}

/// Reads a watch until `key` has `value`, in a snapshot or a change.
pub(crate) async fn until(watch: &mut Watch, key: &Key, value: &str) -> Result<()> {
    loop {
        let found = match next(watch).await? {
            Update::Snapshot(listing) => listing.entries.iter().map(shown).collect(),
            Update::Changes(changes) => changes.changes.iter().map(shown_change).collect::<Vec<_>>(),
        };
        if found.contains(&(key.to_string(), value.to_owned())) {
            return Ok(());
        }
    }
}

fn shown(entry: &Entry) -> (String, String) {
    (entry.key.to_string(), String::from_utf8_lossy(&entry.value).into_owned())
}

fn shown_change(change: &Change) -> (String, String) {
    match change {
        Change::Put(entry) => shown(entry),
        Change::Deleted(key) => (key.to_string(), "-".to_owned()),
    }
}

/// Asks again and again until the answer is there.
pub(crate) async fn eventually<T, Fut: Future<Output = Result<Option<T>>>>(
    what: &str,
    mut ask: impl FnMut() -> Fut,
) -> Result<T> {
    let asking = async {
        let mut ticks = interval(Duration::from_millis(50));
        loop {
            ticks.tick().await;
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
        }
    };
    timeout(SOON, asking).await.with_context(|| format!("{what}: not within {SOON:?}"))?
}

/// Lets real time pass, where time passing is what is tested.
pub(crate) async fn let_pass(span: Duration) {
    let _ = timeout(span, std::future::pending::<()>()).await;
}
