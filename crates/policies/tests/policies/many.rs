//! A hundred thousand policies, each another: they load within 2 s, and one change among them costs what it costs among a few.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use drl_configuration::ConfigurationService;
use drl_coordination::{ClusterId, Coordination, Embedded, Op, Txn};
use drl_policies::InMemoryLastGood;
use tokio::time::timeout;

use crate::support::{CALL, SOON, follow, key, limit_of, now, policy};

const POLICIES: u64 = 100_000;

/// Changes one after the other, each waited for.
const CHANGES: u64 = 200;

fn put(client: u64, requests: u64) -> Op {
    Op::Put { key: key(&format!("client-{client:06}")).into(), value: policy(requests).into(), lease: None }
}

async fn write(store: &Embedded, ops: Vec<Op>) -> Result<u64> {
    Ok(store.transact(Txn { then: ops, ..Txn::default() }, CALL).await?.revision().0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_policies_load_within_two_seconds_and_a_change_among_them_is_in_force_at_once() -> Result<()>
{
    let store = Embedded::new(ClusterId(7));
    let clients: Vec<u64> = (0..POLICIES).collect();
    for some in clients.chunks(100) {
        write(&store, some.iter().map(|client| put(*client, client + 1)).collect()).await?;
    }
    let disk = Arc::new(InMemoryLastGood::new());
    let begun = now();
    let policies = follow(Arc::new(store.node()), &disk).await?;
    timeout(SOON, policies.until_synced()).await?;
    let loaded = begun.elapsed();
    println!("{POLICIES} policies in force from the store after {loaded:?}");
    assert_eq!(policies.counted().policies as u64, POLICIES);
    assert_eq!(limit_of(&policies, "client-099999"), Some(100_000));
    assert!(loaded < Duration::from_secs(2), "{loaded:?}");
    timeout(SOON, policies.until_saved()).await?;
    println!("{POLICIES} policies saved after {:?}", begun.elapsed());

    let mut took = Vec::new();
    for client in 0..CHANGES {
        let begun = now();
        let revision = write(&store, vec![put(client * 7, 5)]).await?;
        timeout(SOON, policies.watch().wait_for(|now| *now >= revision)).await??;
        took.push(begun.elapsed());
        assert_eq!(limit_of(&policies, &format!("client-{:06}", client * 7)), Some(5));
    }
    took.sort_unstable();
    let (median, most, slowest) = (took[took.len() / 2], took[took.len() * 95 / 100], took[took.len() - 1]);
    println!("one change among them: median {median:?}, 95 of 100 within {most:?}, all within {slowest:?}");
    assert!(most < Duration::from_millis(50), "{most:?}");
    // A look at each policy takes some 10 ms; a change that looked at all of them would show.
    assert!(median < Duration::from_millis(2), "{median:?}");

    timeout(SOON, policies.until_saved()).await?;
    drop(policies);
    let away = store.node();
    away.cut();
    let begun = now();
    let policies = follow(Arc::new(away), &disk).await?;
    println!("{POLICIES} policies in force from disk after {:?}", begun.elapsed());
    assert_eq!(policies.counted().policies as u64, POLICIES);
    assert_eq!(limit_of(&policies, "client-000007"), Some(5));
    assert!(policies.is_complete());
    Ok(())
}
