//! How many connections a limiter has, and for how long.

use std::time::Duration;

use drl_client::{Connect, RateLimiter};

use crate::node::{Node, check, placed, request};

#[tokio::test]
async fn one_connection_to_a_node_is_enough_for_the_watch_checks_and_peeks() {
    let node = Node::start().await;
    let limiter = RateLimiter::connect([node.endpoint()]).await.unwrap();
    assert!(check(&limiter, "alice").await.allowed);
    assert!(limiter.peek(request("alice")).await.unwrap().allowed);
    limiter.reset(request("alice")).await.unwrap();
    assert_eq!((node.connections(), node.watches()), (1, 1));
}

#[tokio::test]
async fn the_watch_moves_to_the_node_that_checks_go_to() {
    let (one, two) = (Node::start().await, Node::start().await);
    let nodes = [("n1", one.address), ("n2", two.address)];
    one.tells(placed(5, &nodes, "n1", 3));
    two.tells(placed(5, &nodes, "n1", 3));
    let limiter = RateLimiter::connect([two.endpoint()]).await.unwrap();
    two.has_watchers(1).await;
    assert!(check(&limiter, "alice").await.allowed);
    one.has_watchers(1).await;
    two.has_watchers(0).await;
    assert_eq!((one.connections(), two.connections()), (1, 1));
    // It is followed there.
    one.tells(placed(6, &nodes, "n2", 4));
    while two.seen().is_empty() {
        assert!(check(&limiter, "alice").await.allowed);
    }
    assert_eq!((one.watches(), two.connections()), (1, 2), "it stays where checks were");
}

#[tokio::test]
async fn a_node_that_is_behind_does_not_get_the_watch() {
    let (one, two) = (Node::start().await, Node::start().await);
    let nodes = [("n1", one.address), ("n2", two.address)];
    one.tells(placed(4, &nodes, "n1", 3));
    two.tells(placed(5, &nodes, "n1", 3));
    let limiter = RateLimiter::connect([two.endpoint()]).await.unwrap();
    assert!(check(&limiter, "alice").await.allowed);
    while one.watches() == 0 {
        tokio::task::yield_now().await;
    }
    one.has_watchers(0).await;
    two.has_watchers(1).await;
    two.tells(placed(6, &nodes, "n2", 4));
    while two.seen().is_empty() {
        assert!(check(&limiter, "alice").await.allowed);
    }
}

#[tokio::test]
async fn many_that_want_a_connection_at_once_open_one() {
    let (one, two) = (Node::start().await, Node::start().await);
    let nodes = [("n1", one.address), ("n2", two.address)];
    one.tells(placed(4, &nodes, "n1", 3));
    two.tells(placed(5, &nodes, "n1", 3));
    let limiter = RateLimiter::connect([two.endpoint()]).await.unwrap();
    let peeks = (0..100).map(|_| {
        let limiter = limiter.clone();
        tokio::spawn(async move { limiter.peek(request("alice")).await })
    });
    for peek in peeks.collect::<Vec<_>>() {
        assert!(peek.await.unwrap().unwrap().allowed);
    }
    assert!(check(&limiter, "alice").await.allowed);
    assert_eq!((one.asked().len(), one.connections(), two.connections()), (100, 1, 1));
}

#[tokio::test]
async fn what_nobody_uses_is_closed_and_the_next_check_opens_it_again() {
    let (one, two) = (Node::start().await, Node::start().await);
    let nodes = [("n1", one.address), ("n2", two.address)];
    // The one that tells knows more, so the watch stays with it.
    one.tells(placed(4, &nodes, "n1", 3));
    two.tells(placed(5, &nodes, "n1", 3));
    let connect = Connect::new([two.endpoint()]).close_idle_after(Duration::from_millis(50));
    let limiter = connect.connect().await.unwrap();
    for round in 1..=3 {
        assert!(check(&limiter, "alice").await.allowed);
        one.has_streams(0).await;
        assert!(limiter.peek(request("alice")).await.unwrap().allowed);
        while one.open_connections() > 0 {
            tokio::task::yield_now().await;
        }
        let last = one.seen().pop().unwrap();
        assert_eq!((last.number, last.session.len()), (round, 16), "the session goes on");
    }
    assert!(one.seen().iter().all(|message| message.session == one.seen()[0].session));
    two.has_watchers(1).await;
}
