//! RESP on the wire: pipelines, halves, giants and garbage.

use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{encode, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_of_everything_is_answered_in_order() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let mut client = node.resp().await;
    let round = [
        ("CL.THROTTLE p 1 1 3600", "[:0 :2 :1 :-1 :3600]"),
        ("PING", "+PONG"),
        ("DRL.ALLOW nobody", ":0"),
        ("CL.THROTTLE p 1 1 3600 x", "-Cell error: Couldn't parse as integer: x"),
        ("CL.THROTTLE p 1 1 3600", "[:0 :2 :0 :-1 :7200]"),
        ("NOPE", "-ERR unknown command 'NOPE'"),
        ("DEL p", ":1"),
        ("CL.THROTTLE p 1 1 3600 2", "[:0 :2 :0 :-1 :7200]"),
        ("ECHO between", "$between"),
        ("DEL p q", ":2"),
    ];
    let mut bytes = Vec::new();
    for (command, _) in round {
        let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        bytes.extend_from_slice(&encode(&words));
    }
    let rounds = 500;
    let all = bytes.repeat(rounds);
    let (mut reader, mut writer) = (Vec::new(), 0);
    while writer < all.len() || reader.len() < rounds * round.len() {
        if writer < all.len() {
            let piece = &all[writer..(writer + 7_919).min(all.len())];
            client.send(piece).await;
            writer += piece.len();
        }
        // Not more than what was sent completely, so that this never waits for itself.
        while reader.len() < writer / bytes.len() * round.len() {
            reader.push(client.reply().await);
        }
    }
    for (index, reply) in reader.iter().enumerate() {
        assert_eq!(
            reply,
            round[index % round.len()].1,
            "{} in round {}",
            round[index % round.len()].0,
            index / round.len()
        );
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_longer_than_a_run_is_answered_whole() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let mut client = node.resp().await;
    let commands = encode(&[b"CL.THROTTLE", b"long", b"999", b"1", b"86400"]).repeat(5_000);
    let (mut half, mut other) = client.stream.split();
    let writing = async { other.write_all(&commands).await.unwrap() };
    let mut replies = Vec::new();
    let reading = async {
        while memchr::memchr_iter(b'*', &replies).count() < 5_000 {
            assert_ne!(half.read_buf(&mut replies).await.unwrap(), 0);
        }
    };
    tokio::join!(writing, reading);
    let text = String::from_utf8(replies).unwrap();
    assert_eq!(text.matches("*5\r\n:0\r\n").count(), 1_000);
    assert_eq!(text.matches("*5\r\n:1\r\n").count(), 4_000);
    assert_eq!(node.resp().await.call("PING").await, "+PONG");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_may_arrive_byte_by_byte() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let mut client = node.resp().await;
    client.stream.set_nodelay(true).unwrap();
    let mut bytes = encode(&[b"CL.THROTTLE", b"slow\r\nkey\0", b"15", b"30", b"60"]);
    bytes.extend_from_slice(b"ping\r\n");
    for byte in bytes {
        client.send(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.reply().await, "[:0 :16 :15 :-1 :2]");
    assert_eq!(client.reply().await, "+PONG");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn giants_and_garbage_get_an_error_and_the_door() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let long_line = vec![b'x'; 70_000];
    let cases: [(&[u8], &str); 8] = [
        (b"*1\r\n$1073741824\r\n", "invalid bulk length"),
        (b"*1073741824\r\n", "invalid multibulk length"),
        (b"*1\r\n$-5\r\n", "invalid bulk length"),
        (b"*2\r\n$4\r\nPING\r\n+OK\r\n", "expected '$', got '+'"),
        (b"*99999999999999999999999999999999999", "invalid multibulk length"),
        (b"*1\r\n$4\r\nPINGPONG\r\n", "longer than its length"),
        (b"echo \"x\n", "unbalanced quotes"),
        (&long_line, "too big inline request"),
    ];
    for (bytes, reason) in cases {
        let mut client = node.resp().await;
        client.send(b"PING\r\n").await;
        client.send(bytes).await;
        assert_eq!(client.reply().await, "+PONG");
        let reply = client.reply().await;
        assert!(reply.starts_with("-ERR Protocol error: ") && reply.contains(reason), "{reply}");
        assert!(client.is_closed().await, "{reason}");
    }
    let mut client = node.resp().await;
    client.send(&encode(&[b"ECHO", &vec![b'e'; 65_536]])).await;
    assert_eq!(client.reply().await.len(), 65_537);
    client.send(&encode(&[b"DEL", &vec![b'a'; 40_000], &vec![b'b'; 40_000]])).await;
    assert!(client.reply().await.contains("too big command"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_never_stop_the_node() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..200 {
        let bytes: Vec<u8> = (0..512)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // Half of them from the characters that RESP is made of.
                let byte = state.to_le_bytes()[5];
                if byte & 1 == 0 { b"*$\r\n0123:+-"[usize::from(byte) % 11] } else { byte }
            })
            .collect();
        let mut client = node.resp().await;
        client.send(&bytes).await;
    }
    assert_eq!(node.resp().await.call("PING").await, "+PONG");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_not_read_from() {
    let dir = TempDir::new().unwrap();
    let node = start(&dir).await;
    let mut client = node.resp().await;
    let page = encode(&[b"ECHO", &vec![b'e'; 60_000]]);
    let mut sent = 0;
    // The sockets' buffers take some megabytes; then the node must stop taking more.
    let stuck = loop {
        let sending = tokio::time::timeout(Duration::from_secs(1), client.send(&page)).await;
        sent += page.len();
        if sending.is_err() {
            break true;
        }
        if sent > 256 << 20 {
            break false;
        }
    };
    assert!(stuck, "the node took {sent} bytes from a client that reads nothing");
    assert_eq!(node.resp().await.call("PING").await, "+PONG");
    drop(client);
    node.stop().await;
}
