//! Commands that find no node, a silent one, or something else.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::process::drl;

#[test]
fn a_free_port_says_how_to_start_a_node() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let part = format!("nothing listens on {free}; start a node with `drl serve` or give --endpoint");
    drl(&["check", "alice", "--endpoint", &free]).expect_refusal(2, &part);
    for command in
        ["reset alice", "refund alice --cost 1", "limits list", "limits get alice", "limits delete --default"]
    {
        let arguments: Vec<&str> = command.split(' ').chain(["--endpoint", &free]).collect();
        drl(&arguments).expect_refusal(1, &part);
    }
}

#[test]
fn a_silent_server_is_given_up_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let part = format!("{address} did not answer within 200ms");
    drl(&["check", "alice", "--endpoint", &address, "--timeout", "200ms"]).expect_refusal(2, &part);
}

#[test]
fn a_server_that_is_no_node_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let _ = connection.read(&mut [0; 64]);
        let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    let ran = drl(&["check", "alice", "--endpoint", &address]).expect_code(2);
    server.join().unwrap();
    assert!(ran.stderr.contains(&address) && ran.stderr.contains("gRPC address"), "{ran:?}");
}

#[test]
fn a_name_that_does_not_resolve_is_named() {
    drl(&["check", "a", "--endpoint", "no-such-host.invalid:7700"]).expect_refusal(2, "no-such-host.invalid:7700");
}
