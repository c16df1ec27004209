//! An etcd that is full.

use anyhow::Result;
use drl_coordination::{Coordination, Fault, Ttl, TxnError};

use super::{client, key, prefix, server};
use crate::support::{CALL, create, eventually, read, text, write};

#[tokio::test]
async fn a_full_etcd_says_what_to_do_can_be_read_and_is_cured() -> Result<()> {
    let server = server!("--quota-backend-bytes", "2097152");
    let etcd = client(&server).await?;
    write(&*etcd, &key("a"), "1").await?;
    let large = "x".repeat(200_000);
    // etcd looks at its size once it has written it, some time later.
    let mut index = 0;
    let fill = || {
        index += 1;
        let txn = create(&key(&format!("large/{index}")), &large);
        let answer = etcd.transact(txn, CALL);
        async { Ok(answer.await.err()) }
    };
    // The one that fills the quota may have happened.
    assert_eq!(eventually("etcd is full", fill).await?, TxnError::Unknown(Fault::NoSpace));
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
