//! A sender, the peers it sends to, and what each of them got.

mod links;
mod messages;
mod peer;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use drl_core::{Epoch, Generation, Nanos, NodeId, ShardId, ShardTime};
use drl_engine::ownership::Holder;
use drl_engine::replication::{Ack, Beat, Body, Invite, Join, Letter, PeerFrame, Start};

/// Longer than anything here takes; a test that reaches it hangs.
const DEADLINE: Duration = Duration::from_secs(30);

fn holder(node: &str) -> Holder {
    Holder { node: NodeId::new(node).unwrap(), generation: Generation(7) }
}

/// A letter from this node to another.
fn letter(to: &str, body: Body) -> Letter {
    Letter { from: holder("me"), to: holder(to), body }
}

fn beat(boottime: u64) -> Body {
    Body::Beat(Beat { asks: false, boottime: Nanos(boottime) })
}

fn frame(number: u64, payload: &Arc<[u8]>) -> Body {
    Body::Frame(PeerFrame { stream: 1, number, payload: Arc::clone(payload) })
}

fn payload(bytes: usize) -> Arc<[u8]> {
    (0_u8..251).cycle().take(bytes).collect()
}

fn join(shard: u16, epoch: u64) -> Join {
    Join { shard: ShardId::new(shard), epoch: Epoch(epoch), attempt: u64::MAX }
}

fn invite(shard: u16, start: Start) -> Invite {
    let (time, boottime) = (ShardTime(u64::MAX), Nanos(u64::MAX - 1));
    Invite { shard: ShardId::new(shard), epoch: Epoch(u64::MAX), start, attempt: 3, time, boottime }
}

/// One of each kind, in the order in which a message has them.
fn one_of_each() -> Vec<Body> {
    vec![
        Body::Beat(Beat { asks: true, boottime: Nanos(u64::MAX) }),
        Body::Ack(Ack {
            stream: 1,
            number: 2,
            refused: vec![(ShardId::new(16_383), Epoch(9))],
            unmarked: vec![ShardId::new(5)],
        }),
        Body::Lost { stream: u64::MAX },
        Body::Join(vec![join(0, 1), join(16_383, u64::MAX)]),
        Body::Invite(vec![invite(0, Start::Anew), invite(1, Start::Continues)]),
        Body::Frame(PeerFrame { stream: u64::MAX, number: u64::MAX, payload: Arc::from(*b"frame") }),
    ]
}
