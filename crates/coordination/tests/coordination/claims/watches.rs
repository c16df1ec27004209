//! Claims about watches: everything first, then every change once and in order, and everything again when changes are not known.

use std::time::Duration;

use anyhow::Result;
use drl_coordination::{Coordination, Op, Start, Txn, Update, Watch, WatchOptions};
use drl_core::caps::WATCH_UPDATES_MAX;

use crate::support::subject::{Subject, claims};
use crate::support::{CALL, changes, next, put, snapshot, text, until, write};

claims! {
    a_watch_starts_with_everything_and_goes_on_with_every_change,
    a_watch_sees_its_prefix_only,
    changes_of_one_transaction_come_together,
    a_watch_from_a_revision_has_the_changes_behind_it,
    no_change_is_missing_twice_or_out_of_order,
    a_change_of_one_key_comes_behind_every_earlier_one_of_the_others,
    a_reader_that_is_slow_misses_nothing,
    everything_is_listed_again_from_time_to_time;
    alone: a_watch_from_a_revision_that_is_compacted_gets_everything,
}

fn watch(subject: &Subject, store: &dyn Coordination, options: WatchOptions) -> Watch {
    store.watch(subject.prefix("limits/"), options)
}

fn pair(subject: &Subject, name: &str, value: &str) -> (String, String) {
    (subject.key(name).to_string(), value.to_owned())
}

async fn a_watch_starts_with_everything_and_goes_on_with_every_change(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    write(&*store, &subject.key("limits/a"), "1").await?;
    let mut watch = watch(subject, &*store, WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?, [pair(subject, "limits/a", "1")]);
    let revision = write(&*store, &subject.key("limits/b"), "2").await?.revision();
    let update = next(&mut watch).await?;
    assert_eq!(update.revision(), revision);
    let Update::Changes(found) = update else { panic!("a snapshot again") };
    let drl_coordination::Change::Put(entry) = &found.changes[0] else { panic!("not a put") };
    assert_eq!((text(Some(entry)), entry.changed, entry.created), (Some("2"), revision, revision));
    store.transact(Txn { then: vec![Op::Delete { key: subject.key("limits/a") }], ..Txn::default() }, CALL).await?;
    assert_eq!(changes(&mut watch).await?, [pair(subject, "limits/a", "-")]);
    assert_eq!(watch.trouble(), None);
    Ok(())
}

async fn a_watch_sees_its_prefix_only(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let mut watch = watch(subject, &*store, WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?, []);
    for name in ["limits", "limits0", "shards/1", "limits/x"] {
        write(&*store, &subject.key(name), name).await?;
    }
    assert_eq!(changes(&mut watch).await?, [pair(subject, "limits/x", "limits/x")]);
    Ok(())
}

async fn changes_of_one_transaction_come_together(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let mut watch = watch(subject, &*store, WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?, []);
    let then = ["limits/a", "other", "limits/b"].map(|name| put(&subject.key(name), "1")).into();
    store.transact(Txn { then, ..Txn::default() }, CALL).await?;
    assert_eq!(changes(&mut watch).await?, [pair(subject, "limits/a", "1"), pair(subject, "limits/b", "1")]);
    Ok(())
}

async fn a_watch_from_a_revision_has_the_changes_behind_it(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let at = write(&*store, &subject.key("limits/a"), "1").await?.revision();
    write(&*store, &subject.key("limits/a"), "2").await?;
    write(&*store, &subject.key("limits/a"), "3").await?;
    let mut watch = watch(subject, &*store, WatchOptions { start: Start::After(at), ..WatchOptions::default() });
    assert_eq!(changes(&mut watch).await?, [pair(subject, "limits/a", "2")]);
    assert_eq!(changes(&mut watch).await?, [pair(subject, "limits/a", "3")]);
    Ok(())
}

async fn a_watch_from_a_revision_that_is_compacted_gets_everything(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let at = write(&*store, &subject.key("limits/a"), "1").await?.revision();
    write(&*store, &subject.key("limits/a"), "2").await?;
    write(&*store, &subject.key("limits/b"), "3").await?;
    subject.compact().await?;
    let mut watch = watch(subject, &*store, WatchOptions { start: Start::After(at), ..WatchOptions::default() });
    assert_eq!(snapshot(&mut watch).await?, [pair(subject, "limits/a", "2"), pair(subject, "limits/b", "3")]);
    write(&*store, &subject.key("limits/a"), "4").await?;
    assert_eq!(changes(&mut watch).await?, [pair(subject, "limits/a", "4")]);
    Ok(())
}

async fn no_change_is_missing_twice_or_out_of_order(subject: &Subject) -> Result<()> {
    let (store, writer) = (subject.node().await?, subject.node().await?);
    let key = subject.key("limits/a");
    let mut watch = watch(subject, &*store, WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?, []);
    let writing = async {
        for value in 0..200 {
            write(&*writer, &key, &value.to_string()).await?;
        }
        anyhow::Ok(())
    };
    let reading = async {
        for value in 0..200 {
            assert_eq!(changes(&mut watch).await?, [pair(subject, "limits/a", &value.to_string())]);
        }
        anyhow::Ok(())
    };
    let (written, read) = tokio::join!(writing, reading);
    written.and(read)
}

/// What policies build on: whoever gets a milestone has got everything before it.
async fn a_change_of_one_key_comes_behind_every_earlier_one_of_the_others(subject: &Subject) -> Result<()> {
    const EACH: usize = 100;
    let store = subject.node().await?;
    let mut watch = store.watch(subject.prefix("limits"), WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?, []);
    let writing = async |name: &str| {
        let writer = subject.node().await?;
        let mut revisions = Vec::new();
        for _ in 0..EACH {
            revisions.push(write(&*writer, &subject.key(name), "x").await?.revision());
        }
        anyhow::Ok(revisions)
    };
    let reading = async {
        let mut revisions = Vec::new();
        while revisions.len() < 3 * EACH {
            revisions.push(next(&mut watch).await?.revision());
        }
        anyhow::Ok(revisions)
    };
    let (first, second, milestones, read) =
        tokio::join!(writing("limits/a"), writing("limits/b"), writing("limits"), reading);
    let mut written = [first?, second?, milestones?].concat();
    written.sort_unstable();
    assert_eq!(read?, written);
    Ok(())
}

async fn a_reader_that_is_slow_misses_nothing(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let mut watch = watch(subject, &*store, WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?, []);
    let total = 10 * WATCH_UPDATES_MAX;
    for value in 0..total {
        write(&*store, &subject.key("limits/a"), &value.to_string()).await?;
    }
    for value in 0..total {
        assert_eq!(changes(&mut watch).await?, [pair(subject, "limits/a", &value.to_string())]);
    }
    Ok(())
}

async fn everything_is_listed_again_from_time_to_time(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    write(&*store, &subject.key("limits/a"), "1").await?;
    let options = WatchOptions { relist_every: Duration::from_millis(200), ..WatchOptions::default() };
    let mut watch = watch(subject, &*store, options);
    for _ in 0..3 {
        assert_eq!(snapshot(&mut watch).await?, [pair(subject, "limits/a", "1")]);
    }
    write(&*store, &subject.key("limits/a"), "2").await?;
    until(&mut watch, &subject.key("limits/a"), "2").await
}
