//! An etcd that is full.

use anyhow::Result;
use drl_coordination::{Coordination, Fault, Ttl, TxnError};

use super::{client, key, prefix, server};
use crate::support::{CALL, create, read, text, write};

#[tokio::test]
async fn a_full_etcd_says_what_to_do_can_be_read_and_is_cured() -> Result<()> {
    let server = server!("--quota-backend-bytes", "2097152");
    let etcd = client(&server).await?;
    write(&*etcd, &key("a"), "1").await?;
    let large = "x".repeat(200_000);
    let mut error = None;
    for index in 0..50 {
        if let Err(found) = etcd.transact(create(&key(&format!("large/{index}")), &large), CALL).await {
            error = Some(found);
            break;
        }
    }
    // The one that fills the quota may have happened.
    assert_eq!(error, Some(TxnError::Unknown(Fault::NoSpace)));
    assert!(Fault::NoSpace.to_string().contains("etcdctl alarm disarm"));
    let answer = etcd.transact(create(&key("b"), "1"), CALL).await;
    assert!(matches!(answer, Err(TxnError::Unknown(Fault::NoSpace))), "{answer:?}");
    assert!(matches!(etcd.grant(Ttl::DEFAULT, CALL).await, Err(Fault::NoSpace)));
    assert_eq!(text(read(&*etcd, &key("a")).await?.as_ref()), Some("1"));
    let listing = etcd.list(prefix(""), CALL).await?;
    assert!(listing.entries.len() > 1);

    server.etcdctl(&["del", "--prefix", "/drl/test/large/"])?;
    let revision = etcd.list(prefix(""), CALL).await?.revision;
    server.etcdctl(&["compact", &revision.to_string()])?;
    server.etcdctl(&["defrag"])?;
    server.etcdctl(&["alarm", "disarm"])?;
    assert!(etcd.transact(create(&key("b"), "1"), CALL).await?.is_committed());
    Ok(())
}
