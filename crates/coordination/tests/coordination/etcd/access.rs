//! An etcd that asks who is there.

use std::time::Duration;

use anyhow::Result;
use drl_coordination::{Coordination, Credentials, Etcd, Fault, Renewal, Ttl, TxnError, WatchOptions};
use drl_test_etcd::Server;

use super::{client, key, prefix, server};
use crate::support::{CALL, SOON, create, eventually, let_pass, read, snapshot, text, until, write};

/// Users root and reader with passwords, drl with what a node needs; asks for a password from then on.
fn protect(server: &Server) -> Result<()> {
    for user in ["root:rootpw", "drl:drlpw", "reader:readerpw"] {
        server.etcdctl(&["user", "add", user])?;
    }
    server.etcdctl(&["user", "grant-role", "root", "root"])?;
    for (role, kind) in [("drl", "readwrite"), ("reader", "read")] {
        server.etcdctl(&["role", "add", role])?;
        server.etcdctl(&["role", "grant-permission", role, "--prefix=true", kind, "/drl/"])?;
        server.etcdctl(&["user", "grant-role", role, role])?;
    }
    server.etcdctl(&["auth", "enable"])?;
    Ok(())
}

async fn client_as(server: &Server, credentials: &str) -> Result<Etcd> {
    let mut options = crate::support::options(server)?;
    options.credentials = Some(Credentials::parse(credentials)?);
    Ok(Etcd::new(options).await?)
}

#[tokio::test]
async fn without_a_password_or_with_a_wrong_one_it_is_said_so() -> Result<()> {
    let server = server!();
    protect(&server)?;
    let nobody = client(&server).await?;
    let fault = nobody.list(prefix(""), CALL).await.unwrap_err();
    assert_eq!(fault, Fault::PasswordRequired { endpoint: server.url() });
    assert!(!fault.is_retryable());
    let answer = nobody.transact(create(&key("a"), "1"), CALL).await;
    assert_eq!(answer, Err(TxnError::Unavailable(fault)));
    for wrong in ["drl:wrong", "stranger:drlpw"] {
        let user = wrong.split(':').next().unwrap_or_default().to_owned();
        let answer = client_as(&server, wrong).await?.transact(create(&key("a"), "1"), CALL).await;
        assert_eq!(answer, Err(TxnError::Unavailable(Fault::WrongPassword { user })));
    }
    let mut watch = nobody.watch(prefix(""), WatchOptions::default());
    let asked = || async { Ok(watch.trouble()) };
    assert_eq!(eventually("the watch says why", asked).await?, Fault::PasswordRequired { endpoint: server.url() });
    assert!(tokio::time::timeout(Duration::from_millis(200), watch.next()).await.is_err());
    Ok(())
}

#[tokio::test]
async fn with_the_password_everything_works() -> Result<()> {
    let server = server!();
    protect(&server)?;
    let etcd = client_as(&server, "drl:drlpw").await?;
    write(&etcd, &key("a"), "1").await?;
    assert_eq!(etcd.list(prefix(""), CALL).await?.entries.len(), 1);
    let mut watch = etcd.watch(prefix(""), WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?.len(), 1);
    let lease = etcd.grant(Ttl::DEFAULT, CALL).await?.lease;
    assert_eq!(etcd.renew(lease, CALL).await?, Renewal::Alive);
    etcd.revoke(lease, CALL).await?;
    assert!(etcd.version(CALL).await?.starts_with("3."));
    Ok(())
}

#[tokio::test]
async fn a_user_who_may_not_is_named() -> Result<()> {
    let server = server!();
    protect(&server)?;
    let reader = client_as(&server, "reader:readerpw").await?;
    let answer = reader.transact(create(&key("a"), "1"), CALL).await;
    assert_eq!(answer, Err(TxnError::Unavailable(Fault::NotPermitted { user: "reader".to_owned() })));
    let drl = client_as(&server, "drl:drlpw").await?;
    let fault = drl.list("/other/".into(), CALL).await.unwrap_err();
    assert_eq!(fault, Fault::NotPermitted { user: "drl".to_owned() });
    Ok(())
}

#[tokio::test]
async fn a_token_that_expired_is_asked_for_again() -> Result<()> {
    let server = server!("--auth-token-ttl", "1");
    protect(&server)?;
    let etcd = client_as(&server, "drl:drlpw").await?;
    let mut watch = etcd.watch(prefix(""), WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?, []);
    for value in ["1", "2"] {
        write(&etcd, &key("a"), value).await?;
        until(&mut watch, &key("a"), value).await?;
        let_pass(Duration::from_secs(3)).await;
    }
    assert_eq!(text(read(&etcd, &key("a")).await?.as_ref()), Some("2"));
    Ok(())
}

#[tokio::test]
async fn a_password_is_used_once_etcd_asks_for_it() -> Result<()> {
    let server = server!();
    let etcd = client_as(&server, "drl:drlpw").await?;
    write(&etcd, &key("a"), "1").await?;
    let mut watch = etcd.watch(prefix(""), WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?.len(), 1);
    protect(&server)?;
    write(&etcd, &key("a"), "2").await?;
    tokio::time::timeout(SOON, until(&mut watch, &key("a"), "2")).await??;
    Ok(())
}
