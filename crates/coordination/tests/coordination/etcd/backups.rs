//! An etcd that was restored from an older backup, or replaced by another.

use anyhow::{Context, Result};
use drl_coordination::{Coordination, Etcd, Fault, Seen, TxnError, WatchOptions};
use drl_test_etcd::Server;
use tokio::time::timeout;

use super::{client, key, prefix, server};
use crate::support::{CALL, SOON, create, eventually, read, snapshot, write};

/// Takes a backup, lets `more` happen, and goes on from the backup.
async fn go_back(server: &mut Server, etcd: &Etcd, token: &str) -> Result<Seen> {
    server.etcdctl(&["snapshot", "save", "backup"])?;
    for value in 0..10 {
        write(etcd, &key("a"), &value.to_string()).await?;
    }
    let seen = etcd.seen().context("nothing was seen")?;
    server.kill();
    let (peer, cluster) = (server.peer_url(), format!("t={}", server.peer_url()));
    let named = ["--name", "t", "--initial-cluster", &cluster, "--initial-advertise-peer-urls", &peer];
    let to = ["snapshot", "restore", "backup", "--data-dir", "restored", "--initial-cluster-token", token];
    server.etcdctl(&[&to[..], &named].concat())?;
    server.use_data("restored");
    server.run()?;
    Ok(seen)
}

/// What the first transaction finds that reaches the store; those before it find the broken connection.
async fn first_fault(etcd: &Etcd) -> Result<Fault> {
    let asked = || async {
        Ok(match etcd.transact(create(&key("b"), "1"), CALL).await {
            Err(TxnError::Unknown(fault)) if !fault.is_retryable() => Some(fault),
            _ => None,
        })
    };
    eventually("the store is reached", asked).await
}

#[tokio::test]
async fn a_restored_backup_is_noticed_and_never_believed() -> Result<()> {
    let mut server = server!();
    let etcd = client(&server).await?;
    write(&*etcd, &key("a"), "old").await?;
    let mut watch = etcd.watch(prefix(""), WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?.len(), 1);
    let seen = go_back(&mut server, &etcd, "drl-test").await?;

    let fault = first_fault(&etcd).await?;
    let Fault::Rewound { found, .. } = fault else { panic!("{fault:?}") };
    assert!(found < seen.revision);
    assert!(fault.is_distrust() && fault.to_string().contains("newest data back"));
    // Also once its revision has caught up.
    let new = client(&server).await?;
    for _ in 0..20 {
        write(&*new, &key("c"), "x").await?;
    }
    assert!(new.seen().context("nothing was seen")?.revision > seen.revision);
    let answer = etcd.transact(create(&key("d"), "1"), CALL).await;
    assert_eq!(answer, Err(TxnError::Unavailable(fault.clone())));
    assert_eq!(etcd.list(prefix(""), CALL).await, Err(fault.clone()));
    assert_eq!(read(&*new, &key("d")).await?, None);
    // The watch has ended, and says why.
    while timeout(SOON, watch.next()).await?.is_some() {}
    assert!(watch.trouble().is_some_and(|trouble| trouble.is_distrust()));
    Ok(())
}

#[tokio::test]
async fn a_watch_alone_notices_a_restored_backup() -> Result<()> {
    let mut server = server!();
    let etcd = client(&server).await?;
    write(&*etcd, &key("a"), "old").await?;
    let mut watch = etcd.watch(prefix(""), WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?.len(), 1);
    go_back(&mut server, &etcd, "drl-test").await?;
    while timeout(SOON, watch.next()).await?.is_some() {}
    assert!(matches!(watch.trouble(), Some(Fault::Rewound { .. })), "{:?}", watch.trouble());
    Ok(())
}

#[tokio::test]
async fn a_restored_backup_is_noticed_by_the_next_process_too() -> Result<()> {
    let mut server = server!();
    let etcd = client(&server).await?;
    write(&*etcd, &key("a"), "old").await?;
    let seen = go_back(&mut server, &etcd, "drl-test").await?;
    let mut options = crate::support::options(&server)?;
    options.seen = Some(seen);
    let next = Etcd::new(options).await?;
    assert!(matches!(next.list(prefix(""), CALL).await, Err(Fault::Rewound { .. })));
    Ok(())
}

#[tokio::test]
async fn another_cluster_is_noticed_whatever_its_revision() -> Result<()> {
    let mut server = server!();
    let etcd = client(&server).await?;
    write(&*etcd, &key("a"), "old").await?;
    let seen = go_back(&mut server, &etcd, "another-token").await?;
    let fault = first_fault(&etcd).await?;
    let Fault::OtherCluster { found, .. } = fault else { panic!("{fault:?}") };
    assert_ne!(found, seen.cluster);
    assert!(matches!(etcd.grant(drl_coordination::Ttl::DEFAULT, CALL).await, Err(Fault::OtherCluster { .. })));
    Ok(())
}
