//! Claims about transactions and listings: guarded, all or nothing, one revision each, and never stale.

use std::sync::Arc;

use anyhow::{Context, Result};
use drl_coordination::{Compare, InvalidTxn, Key, LeaseId, Op, Outcome, Revision, Txn, TxnError};

use crate::support::subject::{Subject, claims};
use crate::support::{CALL, create, get, put, read, text, write};

claims! {
    what_is_put_is_read_and_listed,
    an_absent_key_is_created_once,
    a_change_is_guarded_by_the_revision_that_was_read,
    values_and_leases_are_compared_and_absent_keys_match_neither,
    one_compare_that_fails_refuses_all_and_reads_the_others,
    a_branch_runs_in_order_in_one_revision,
    a_transaction_that_changes_nothing_has_no_revision,
    every_change_is_one_revision_further,
    of_many_that_compete_exactly_one_wins,
    a_hundred_records_change_together,
    a_listing_is_by_key_complete_and_of_one_revision,
    pages_of_a_listing_show_everything_once,
    a_transaction_lists_what_is_there_behind_its_own_writes,
    a_key_that_was_gone_in_between_is_another_one,
    what_no_store_takes_is_refused_before_it_is_sent,
    settling_an_unharmed_record_keeps_the_lost_transaction_out,
    what_was_seen_is_the_newest_revision,
}

async fn what_is_put_is_read_and_listed(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let key = subject.key("a\n\u{e9}");
    let outcome = write(&*store, &key, "1").await?;
    let entry = read(&*store, &key).await?.context("it is absent")?;
    assert_eq!(
        (entry.value.as_slice(), entry.changed, entry.created),
        (&b"1"[..], outcome.revision(), outcome.revision())
    );
    assert_eq!(entry.lease, None);
    let changed = write(&*store, &key, "2").await?.revision();
    let entry = read(&*store, &key).await?.context("it is absent")?;
    assert_eq!((entry.changed, entry.created), (changed, outcome.revision()));
    let listing = store.list(subject.prefix(""), CALL).await?;
    assert_eq!(listing.entries, [entry]);
    assert!(listing.revision >= changed);
    Ok(())
}

async fn pages_of_a_listing_show_everything_once(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    for name in ["a", "limits/a", "limits/a/b", "limits/b", "limits0"] {
        write(&*store, &subject.key(name), "1").await?;
    }
    let names = ["limits/a", "limits/a/b", "limits/b"].map(|name| subject.key(name));
    let page = async |after: Option<Key>, size| {
        let page = store.page(subject.prefix("limits/"), after, size, CALL).await?;
        anyhow::Ok(page.entries.into_iter().map(|entry| entry.key).collect::<Vec<_>>())
    };
    assert_eq!(page(None, 2).await?, names[..2]);
    assert_eq!(page(Some(names[1].clone()), 2).await?, names[2..]);
    assert_eq!(page(Some(names[2].clone()), 2).await?, []);
    assert_eq!(page(Some(subject.key("a")), 9).await?, names);
    // Behind a key that is not there any more, or not there yet.
    assert_eq!(page(Some(subject.key("limits/a/a")), 1).await?, names[1..2]);
    assert_eq!(page(None, 0).await?, []);
    Ok(())
}

async fn a_transaction_lists_what_is_there_behind_its_own_writes(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    write(&*store, &subject.key("shards/1"), "1").await?;
    write(&*store, &subject.key("other"), "0").await?;
    let list = |prefix| Op::List { prefix: subject.prefix(prefix) };
    let then = vec![put(&subject.key("shards/0"), "0"), list("shards/"), list("nothing/")];
    let Outcome::Committed(reply) = store.transact(Txn { then, ..Txn::default() }, CALL).await? else {
        panic!("it compares nothing");
    };
    let listed: Vec<_> = reply.listed[0].iter().map(|entry| (entry.key.clone(), entry.changed)).collect();
    assert_eq!(listed[0], (subject.key("shards/0"), reply.header.revision));
    assert_eq!((listed.len(), &listed[1].0), (2, &subject.key("shards/1")));
    assert!(reply.read.is_empty() && reply.listed[1].is_empty());
    let reading = store.transact(Txn { then: vec![list("shards/")], ..Txn::default() }, CALL).await?;
    assert_eq!((reading.revision(), reading.reply().listed[0].len()), (reply.header.revision, 2));
    Ok(())
}

async fn a_key_that_was_gone_in_between_is_another_one(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let key = subject.key("nodes/n1");
    let created = write(&*store, &key, "1").await?.revision();
    write(&*store, &key, "2").await?;
    let guarded = |at| Txn { compares: vec![Compare::Created { key: key.clone(), at }], ..Txn::default() };
    assert!(store.transact(guarded(created), CALL).await?.is_committed(), "changed, and there all the time");
    let gone = Txn { then: vec![Op::Delete { key: key.clone() }], ..Txn::default() };
    store.transact(gone, CALL).await?;
    assert!(store.transact(guarded(Revision::ABSENT), CALL).await?.is_committed());
    write(&*store, &key, "1").await?;
    assert!(!store.transact(guarded(created), CALL).await?.is_committed());
    Ok(())
}

async fn an_absent_key_is_created_once(subject: &Subject) -> Result<()> {
    let (store, other) = (subject.node().await?, subject.node().await?);
    let key = subject.key("settings");
    assert!(store.transact(create(&key, "first"), CALL).await?.is_committed());
    let Outcome::Refused(reply) = other.transact(create(&key, "second"), CALL).await? else {
        panic!("it was created twice");
    };
    assert_eq!(text(reply.read[0].as_ref()), Some("first"));
    Ok(())
}

async fn a_change_is_guarded_by_the_revision_that_was_read(subject: &Subject) -> Result<()> {
    let (store, other) = (subject.node().await?, subject.node().await?);
    let key = subject.key("shards/1");
    let at = write(&*store, &key, "1").await?.revision();
    let swap = |at: Revision, value: &str| Txn {
        compares: vec![Compare::Changed { key: key.clone(), at }],
        then: vec![put(&key, value)],
        otherwise: vec![get(&key)],
    };
    assert!(store.transact(swap(at, "2"), CALL).await?.is_committed());
    let Outcome::Refused(reply) = other.transact(swap(at, "3"), CALL).await? else { panic!("a stale swap happened") };
    let found = reply.read[0].as_ref().context("it is absent")?;
    assert_eq!(text(Some(found)), Some("2"));
    assert!(other.transact(swap(found.changed, "3"), CALL).await?.is_committed());
    Ok(())
}

async fn values_and_leases_are_compared_and_absent_keys_match_neither(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let (key, absent) = (subject.key("nodes/a"), subject.key("nodes/b"));
    let lease = store.grant(ttl(), CALL).await?.lease;
    let other = LeaseId::new(lease.get() ^ 2).context("no such id")?;
    let put = Op::Put { key: key.clone(), value: b"v".to_vec(), lease: Some(lease) };
    store.transact(Txn { then: vec![put], ..Txn::default() }, CALL).await?;
    for (compare, holds) in [
        (Compare::Lease { key: key.clone(), is: lease }, true),
        (Compare::Lease { key: key.clone(), is: other }, false),
        (Compare::Lease { key: absent.clone(), is: lease }, false),
        (Compare::Value { key: key.clone(), is: b"v".to_vec() }, true),
        (Compare::Value { key: key.clone(), is: b"w".to_vec() }, false),
        (Compare::Value { key: absent.clone(), is: Vec::new() }, false),
        (Compare::absent(absent.clone()), true),
        (Compare::absent(key.clone()), false),
    ] {
        let txn = Txn { compares: vec![compare.clone()], ..Txn::default() };
        assert_eq!(store.transact(txn, CALL).await?.is_committed(), holds, "{compare:?}");
    }
    Ok(())
}

async fn one_compare_that_fails_refuses_all_and_reads_the_others(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let keys: Vec<_> = (0..3).map(|index| subject.key(&format!("shards/{index}"))).collect();
    write(&*store, &keys[1], "taken").await?;
    let txn = Txn {
        compares: keys.iter().cloned().map(Compare::absent).collect(),
        then: keys.iter().map(|key| put(key, "mine")).collect(),
        otherwise: keys.iter().map(get).collect(),
    };
    let Outcome::Refused(reply) = store.transact(txn, CALL).await? else { panic!("it was not refused") };
    let read: Vec<_> = reply.read.iter().map(|entry| text(entry.as_ref())).collect();
    assert_eq!(read, [None, Some("taken"), None]);
    assert_eq!(store.list(subject.prefix("shards/"), CALL).await?.entries.len(), 1);
    Ok(())
}

async fn a_branch_runs_in_order_in_one_revision(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let (a, b) = (subject.key("a"), subject.key("b"));
    write(&*store, &b, "old").await?;
    let txn =
        Txn { then: vec![get(&a), put(&a, "1"), get(&a), Op::Delete { key: b.clone() }, get(&b)], ..Txn::default() };
    let outcome = store.transact(txn, CALL).await?;
    let read: Vec<_> = outcome.reply().read.iter().map(|entry| text(entry.as_ref())).collect();
    assert_eq!(read, [None, Some("1"), None]);
    assert_eq!(outcome.reply().read[1].as_ref().map(|entry| entry.changed), Some(outcome.revision()));
    Ok(())
}

async fn a_transaction_that_changes_nothing_has_no_revision(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let key = subject.key("a");
    let at = write(&*store, &key, "1").await?.revision();
    let delete = Op::Delete { key: subject.key("absent") };
    let outcome = store.transact(Txn { then: vec![delete], ..Txn::default() }, CALL).await?;
    assert!(outcome.is_committed());
    // Other tests use the same etcd; what counts is that the key did not change.
    assert!(outcome.revision() >= at);
    assert_eq!(
        store.transact(Txn::read([key.clone()]), CALL).await?.reply().read[0].as_ref().map(|entry| entry.changed),
        Some(at)
    );
    let guarded = Txn { compares: vec![Compare::Changed { key, at }], ..Txn::default() };
    assert!(store.transact(guarded, CALL).await?.is_committed());
    assert!(store.transact(Txn::default(), CALL).await?.is_committed());
    Ok(())
}

async fn every_change_is_one_revision_further(subject: &Subject) -> Result<()> {
    let (store, other) = (subject.node().await?, subject.node().await?);
    let mut last = Revision::ABSENT;
    for round in 0..5 {
        let store = if round % 2 == 0 { &store } else { &other };
        let outcome = write(&**store, &subject.key("a"), "x").await?;
        assert!(outcome.revision() > last);
        last = outcome.revision();
    }
    Ok(())
}

async fn of_many_that_compete_exactly_one_wins(subject: &Subject) -> Result<()> {
    let key = subject.key("shards/7");
    let mut tasks = Vec::new();
    for node in 0..8 {
        let (store, txn) = (subject.node().await?, create(&key, &format!("n{node}")));
        tasks.push(tokio::spawn(async move { store.transact(txn, CALL).await }));
    }
    let mut winners = Vec::new();
    for (node, task) in tasks.into_iter().enumerate() {
        if task.await??.is_committed() {
            winners.push(format!("n{node}"));
        }
    }
    let store = subject.node().await?;
    assert_eq!(winners.len(), 1);
    assert_eq!(text(read(&*store, &key).await?.as_ref()), Some(winners[0].as_str()));
    Ok(())
}

async fn a_hundred_records_change_together(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let node = subject.key("nodes/a");
    let lease = store.grant(ttl(), CALL).await?.lease;
    let session = Op::Put { key: node.clone(), value: Vec::new(), lease: Some(lease) };
    store.transact(Txn { then: vec![session], ..Txn::default() }, CALL).await?;
    let keys: Vec<Key> = (0..100).map(|index| subject.key(&format!("shards/{index}"))).collect();
    let mut compares: Vec<_> = keys.iter().cloned().map(Compare::absent).collect();
    compares.push(Compare::Lease { key: node, is: lease });
    let record = "x".repeat(200);
    let txn = Txn {
        compares,
        then: keys.iter().map(|key| put(key, &record)).collect(),
        otherwise: keys.iter().map(get).collect(),
    };
    let outcome = store.transact(txn.clone(), CALL).await?;
    assert!(outcome.is_committed());
    let listing = store.list(subject.prefix("shards/"), CALL).await?;
    assert!(listing.entries.iter().all(|entry| entry.changed == outcome.revision()));
    assert_eq!(listing.entries.len(), 100);
    let Outcome::Refused(reply) = store.transact(txn, CALL).await? else { panic!("it was not refused") };
    assert!(reply.read.iter().all(Option::is_some) && reply.read.len() == 100);
    Ok(())
}

async fn a_listing_is_by_key_complete_and_of_one_revision(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let mut names: Vec<_> = (0..2_345).map(|index| format!("clients/{index}")).collect();
    for part in names.chunks(100) {
        let then = part.iter().map(|name| put(&subject.key(name), name)).collect();
        store.transact(Txn { then, ..Txn::default() }, CALL).await?;
    }
    write(&*store, &subject.key("clients"), "not below the prefix").await?;
    write(&*store, &subject.key("clients0"), "behind the prefix").await?;
    let listing = store.list(subject.prefix("clients/"), CALL).await?;
    names.sort();
    let found: Vec<_> =
        listing.entries.iter().map(|entry| String::from_utf8_lossy(&entry.value).into_owned()).collect();
    assert_eq!(found, names);
    assert!(listing.entries.iter().all(|entry| entry.changed <= listing.revision));
    assert!(store.list(subject.prefix("nobody/"), CALL).await?.entries.is_empty());
    Ok(())
}

async fn what_no_store_takes_is_refused_before_it_is_sent(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let key = subject.key("a");
    let twice = Txn { then: vec![put(&key, "1"), put(&key, "2")], ..Txn::default() };
    let refused = store.transact(twice, CALL).await;
    assert_eq!(refused, Err(TxnError::Invalid(InvalidTxn::ChangedTwice { key: key.clone() })));
    assert_eq!(read(&*store, &key).await?, None);
    Ok(())
}

async fn settling_an_unharmed_record_keeps_the_lost_transaction_out(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let key = subject.key("shards/1");
    write(&*store, &key, "before").await?;
    let record = read(&*store, &key).await?.context("it is absent")?;
    let lost = Txn {
        compares: vec![Compare::Changed { key: key.clone(), at: record.changed }],
        then: vec![put(&key, "lost")],
        otherwise: Vec::new(),
    };
    assert!(store.transact(Txn::settle(&record), CALL).await?.is_committed());
    // It was on its way all the time, and arrives now.
    assert!(!store.transact(lost, CALL).await?.is_committed());
    let settled = read(&*store, &key).await?;
    assert_eq!(text(settled.as_ref()), Some("before"));
    // A second settling of the same state is refused, and shows what there is.
    let Outcome::Refused(reply) = store.transact(Txn::settle(&record), CALL).await? else { panic!("settled twice") };
    assert_eq!(reply.read, [settled]);
    Ok(())
}

async fn what_was_seen_is_the_newest_revision(subject: &Subject) -> Result<()> {
    let store = subject.node().await?;
    let outcome = write(&*store, &subject.key("a"), "1").await?;
    let seen = store.seen().context("nothing was seen")?;
    assert!(seen.revision >= outcome.revision());
    assert_eq!(seen.cluster, outcome.reply().header.cluster);
    Ok(())
}

fn ttl() -> drl_coordination::Ttl {
    drl_coordination::Ttl::DEFAULT
}

#[tokio::test]
async fn embedded_nodes_share_one_store() -> Result<()> {
    let subject = Subject::embedded();
    let (one, two) = (subject.node().await?, subject.node().await?);
    write(&*one, &subject.key("a"), "1").await?;
    assert!(!Arc::ptr_eq(&one, &two));
    assert_eq!(text(read(&*two, &subject.key("a")).await?.as_ref()), Some("1"));
    Ok(())
}
