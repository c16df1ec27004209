//! The network misbehaves: connections that are dead without saying so, that break, or that lead elsewhere.

use std::time::Duration;

use anyhow::Result;
use drl_coordination::{Coordination, Fault, TxnError, WatchOptions};
use drl_test_etcd::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::{client, client_at, key, prefix, server};
use crate::support::{CALL, SOON, changes, read, snapshot, text, until, write};

/// Half a second of silence is too much.
fn impatient() -> WatchOptions {
    WatchOptions { silence_max: Duration::from_millis(500), within: Duration::from_secs(1), ..WatchOptions::default() }
}

#[tokio::test]
async fn a_watch_on_a_dead_connection_is_given_up_and_everything_is_listed_again() -> Result<()> {
    let server = server!();
    let (direct, proxy) = (client(&server).await?, Proxy::start(server.client_port()).await?);
    let etcd = client_at(&proxy.url()).await?;
    let mut watch = etcd.watch(prefix(""), impatient());
    assert_eq!(snapshot(&mut watch).await?, []);
    write(&*direct, &key("a"), "1").await?;
    assert_eq!(changes(&mut watch).await?, [("/drl/test/a".to_owned(), "1".to_owned())]);
    proxy.freeze();
    write(&*direct, &key("a"), "2").await?;
    assert_eq!(snapshot(&mut watch).await?, [("/drl/test/a".to_owned(), "2".to_owned())]);
    write(&*direct, &key("a"), "3").await?;
    assert_eq!(changes(&mut watch).await?, [("/drl/test/a".to_owned(), "3".to_owned())]);
    Ok(())
}

#[tokio::test]
async fn a_quiet_watch_on_a_living_connection_is_not_given_up() -> Result<()> {
    let server = server!();
    let proxy = Proxy::start(server.client_port()).await?;
    let etcd = client_at(&proxy.url()).await?;
    let mut watch = etcd.watch(prefix(""), impatient());
    assert_eq!(snapshot(&mut watch).await?, []);
    let opened = proxy.opened();
    // Six times the silence that is allowed.
    assert!(timeout(Duration::from_secs(3), watch.next()).await.is_err());
    assert_eq!(proxy.opened(), opened);
    write(&*etcd, &key("a"), "1").await?;
    assert_eq!(changes(&mut watch).await?, [("/drl/test/a".to_owned(), "1".to_owned())]);
    Ok(())
}

#[tokio::test]
async fn a_call_on_a_dead_connection_costs_one_deadline_and_the_next_one_none() -> Result<()> {
    let server = server!();
    let proxy = Proxy::start(server.client_port()).await?;
    let etcd = client_at(&proxy.url()).await?;
    write(&*etcd, &key("a"), "1").await?;
    proxy.freeze();
    let within = Duration::from_millis(300);
    let error = etcd.read(vec![key("a")], within).await.unwrap_err();
    assert_eq!(error, Fault::NoAnswer { within });
    assert_eq!(text(read(&*etcd, &key("a")).await?.as_ref()), Some("1"));
    Ok(())
}

#[tokio::test]
async fn a_watch_goes_on_when_its_connection_breaks() -> Result<()> {
    let server = server!();
    let (direct, proxy) = (client(&server).await?, Proxy::start(server.client_port()).await?);
    let etcd = client_at(&proxy.url()).await?;
    let mut watch = etcd.watch(prefix(""), WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?, []);
    for value in 1..=5 {
        proxy.cut();
        write(&*direct, &key("a"), &value.to_string()).await?;
        assert_eq!(changes(&mut watch).await?, [("/drl/test/a".to_owned(), value.to_string())]);
    }
    Ok(())
}

#[tokio::test]
async fn a_compaction_while_cut_off_leads_to_a_snapshot() -> Result<()> {
    let server = server!();
    let (direct, proxy) = (client(&server).await?, Proxy::start(server.client_port()).await?);
    let etcd = client_at(&proxy.url()).await?;
    write(&*direct, &key("a"), "1").await?;
    let mut watch = etcd.watch(prefix(""), WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?.len(), 1);
    proxy.freeze();
    write(&*direct, &key("b"), "2").await?;
    write(&*direct, &key("a"), "3").await?;
    let revision = write(&*direct, &key("c"), "4").await?.revision();
    server.etcdctl(&["compact", &revision.to_string()])?;
    proxy.cut();
    let all = [("/drl/test/a", "3"), ("/drl/test/b", "2"), ("/drl/test/c", "4")];
    assert_eq!(snapshot(&mut watch).await?, all.map(|(key, value)| (key.to_owned(), value.to_owned())));
    Ok(())
}

#[tokio::test]
async fn a_watch_that_is_dropped_ends_its_task() -> Result<()> {
    let server = server!();
    let etcd = client(&server).await?;
    let mut watch = etcd.watch(prefix(""), WatchOptions::default());
    snapshot(&mut watch).await?;
    let troubles = watch.troubles();
    drop(watch);
    // The writer's end is gone once the task is.
    let mut troubles = troubles;
    assert!(timeout(SOON, troubles.wait_for(|_| false)).await?.is_err());
    Ok(())
}

#[tokio::test]
async fn a_web_server_is_said_not_to_answer_as_etcd() -> Result<()> {
    let web = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", web.local_addr()?);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = web.accept().await {
            let _ = connection.read(&mut [0; 1024]).await;
            let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    let etcd = client_at(&url).await?;
    let fault = etcd.list(prefix(""), CALL).await.unwrap_err();
    let (Fault::Unreachable { endpoint, .. } | Fault::NotEtcd { endpoint, .. }) = &fault else { panic!("{fault:?}") };
    assert_eq!(*endpoint, url);
    assert!(fault.to_string().contains("client URL"), "{fault}");
    Ok(())
}

#[tokio::test]
async fn a_host_that_does_not_exist_is_named() -> Result<()> {
    let etcd = client_at("http://no-such-host.invalid:2379").await?;
    let error = etcd.transact(drl_coordination::Txn::default(), CALL).await.unwrap_err();
    assert!(matches!(error, TxnError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_listing_larger_than_a_message_comes_in_smaller_pages() -> Result<()> {
    let server = server!();
    let etcd = client(&server).await?;
    let value = "x".repeat(900_000);
    for index in 0..30 {
        write(&*etcd, &key(&format!("large/{index}")), &value).await?;
    }
    let listing = etcd.list(prefix("large/"), SOON).await?;
    assert_eq!(listing.entries.len(), 30);
    assert!(listing.entries.iter().all(|entry| entry.value.len() == value.len()));
    // A watch that has to catch up with more than fits a message gets a snapshot.
    let start = drl_coordination::Start::After(drl_coordination::Revision(1));
    let options = WatchOptions { start, within: SOON, ..WatchOptions::default() };
    let mut watch = etcd.watch(prefix("large/"), options);
    until(&mut watch, &key("large/29"), &value).await
}
