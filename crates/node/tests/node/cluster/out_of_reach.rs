//! An owner that cannot be reached: waited for as long as it may just have started elsewhere, then taken for dead.

use std::net::TcpListener;
use std::time::Duration;

use drl_host::clock;
use tokio::time::timeout;

use super::FIVE_PER_HOUR;
use super::support::{Trio, clients_of};

/// How long the key of a node that has started anew still tells where it was.
const LATE: Duration = Duration::from_millis(200);

/// An address that refuses connections.
fn dead_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_key_still_tells_its_last_address_or_is_not_there_yet_is_waited_for() {
    for stale in [Some(dead_address()), None] {
        let trio = Trio::start().await;
        trio.set_default(FIVE_PER_HOUR).await;
        let now = trio.node(2).addresses.grpc.to_string();
        let client = clients_of(2).next().unwrap();
        trio.publish_address(2, stale);
        let mut resp = trio.node(0).resp().await;
        let command = format!("DRL.ALLOW {client}");
        let mut asked = std::pin::pin!(resp.call(&command));
        if let Ok(refused) = timeout(LATE, &mut asked).await {
            unreachable!("{refused}");
        }
        trio.publish_address(2, Some(now));
        assert_eq!(asked.await, ":1");
        let left = trio.node(1).resp().await.call(&format!("DRL.CHECK {client} 0")).await;
        assert!(left.starts_with("[:1 :5 :4 "), "charged once: {left}");
        trio.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_out_of_reach_for_longer_costs_its_clients_no_time() {
    for dead in [Some(dead_address()), None] {
        let trio = Trio::start().await;
        trio.set_default(FIVE_PER_HOUR).await;
        let client = clients_of(2).next().unwrap();
        trio.publish_address(2, dead);
        let mut resp = trio.node(0).resp().await;
        let mut ask = async || {
            let asked = clock::monotonic();
            let refused = resp.call(&format!("DRL.ALLOW {client}")).await;
            assert!(refused.starts_with("-CLUSTERDOWN node n2 cannot be reached"), "{refused}");
            Duration::from_nanos(clock::monotonic().0 - asked.0)
        };
        let first = ask().await;
        assert!(first >= LATE, "{first:?}");
        let mut others = Duration::ZERO;
        for _ in 0..10 {
            others += ask().await;
        }
        assert!(others < 5 * first, "{others:?} for ten, after {first:?} for the first");
        trio.stop().await;
    }
}
