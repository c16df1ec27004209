//! Nobody gets more than the limit, and nobody less, however the checks come in.

use tempfile::TempDir;

use crate::support::{encode, start};

/// 20 connections, each sending for 50 clients in pipelines of mixed length: each client sends 10 times as often as its number.
#[tokio::test(flavor = "multi_thread")]
async fn every_client_gets_exactly_the_lesser_of_requests_and_limit() {
    const CONNECTIONS: usize = 20;
    const CLIENTS: usize = 50;
    const LIMIT: usize = 100;
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let mut senders = Vec::new();
    for connection in 0..CONNECTIONS {
        let mut resp = node.resp().await;
        senders.push(tokio::spawn(async move {
            let mut admitted = vec![0_usize; CLIENTS];
            // One check of client c for each of the c passes.
            for pass in 0..CLIENTS {
                let clients: Vec<usize> = (pass..CLIENTS).collect();
                for group in clients.chunks(1 + (pass + connection) % 16) {
                    let mut pipeline = Vec::new();
                    for client in group {
                        let key = format!("client-{client}");
                        pipeline.extend(encode(&[b"CL.THROTTLE", key.as_bytes(), b"99", b"1", b"86400"]));
                    }
                    resp.send(&pipeline).await;
                    for client in group {
                        admitted[*client] += usize::from(resp.reply().await.starts_with("[:0 "));
                    }
                }
            }
            admitted
        }));
    }
    let mut admitted = vec![0; CLIENTS];
    for sender in senders {
        for (total, more) in admitted.iter_mut().zip(sender.await.unwrap()) {
            *total += more;
        }
    }
    let expected: Vec<usize> = (0..CLIENTS).map(|client| (CONNECTIONS * (client + 1)).min(LIMIT)).collect();
    assert_eq!(admitted, expected);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_is_used_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let mut client = node.resp().await;
    assert!(client.call("CL.THROTTLE alice 99 1 86400 60").await.starts_with("[:0 :100 :40 "));
    node.stop().await;
    let node = start(&dir).await;
    let mut client = node.resp().await;
    assert!(client.call("CL.THROTTLE alice 99 1 86400 41").await.starts_with("[:1 :100 :40 "));
    assert!(client.call("CL.THROTTLE alice 99 1 86400 40").await.starts_with("[:0 :100 :0 "));
    node.stop().await;
}
