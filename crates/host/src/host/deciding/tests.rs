//! What a batch notes about the shards it was decided for, and that each of them holds its answers back.

use std::collections::BTreeMap;
use std::sync::Arc;

use drl_configuration::InMemory;
use drl_core::{ClientId, Cost, Epoch, IdentityKey, LimitKey, Namespace, Nanos, ShardCount};
use drl_engine::ownership::{Closed, Origin, ShardClock};
use drl_limits::{Limit, PolicySpec};
use drl_store::MemoryStore;

use super::*;
use crate::NotReleased;
use crate::options::{Cluster, HostOptions};
use crate::ownership::Ownership;

const SHARDS: u16 = 4;
const CLIENTS: usize = 100;

fn options() -> HostOptions {
    HostOptions { shards: ShardCount::new(SHARDS.into()).unwrap(), ..HostOptions::new("boot".to_owned()) }
}

/// A member that owns every shard, each since an epoch of its own.
fn member() -> (Host, Ownership) {
    let cluster = Cluster { name: "test".to_owned(), identity: IdentityKey::from_bytes(*b"0123456789abcdef") };
    let store = Arc::new(MemoryStore::new());
    let (host, ownership) = Host::open_member(store, Arc::new(InMemory::new()), options(), &cluster).unwrap();
    for shard in options().shards.iter() {
        activate(&ownership, shard, epoch_of(shard));
    }
    ownership.set_deadline(Nanos(u64::MAX)).unwrap();
    (host, ownership)
}

fn activate(ownership: &Ownership, shard: ShardId, epoch: Epoch) {
    let now = ownership.now();
    ownership.activate(shard, epoch, Origin::Empty, ShardClock::starting(now.wall, now)).unwrap();
}

fn epoch_of(shard: ShardId) -> Epoch {
    Epoch(10 + u64::from(shard.get()))
}

/// Decides one check for each of these clients, which may do one request; says of which shards some passed.
fn decide(host: &Host, clients: impl Iterator<Item = usize>) -> (Ticket, BTreeMap<ShardId, Epoch>) {
    let limits = vec![Limit::new(1, "1h".parse().unwrap()).unwrap()];
    let policy = Arc::new(Policy::new(PolicySpec { limits, ..PolicySpec::default() }).unwrap());
    let ids: Vec<String> = clients.map(|client| client.to_string()).collect();
    let key = |id| LimitKey::new(Namespace::DEFAULT, ClientId::new(id).unwrap());
    let ask = |key| {
        let policy = PolicyOf::Given(&policy);
        Ask { key, cost: Cost::ONE, action: Action::Charge, policy, epoch: Epoch(0) }
    };
    let asks: Vec<Ask<'_>> = ids.iter().map(|id| ask(key(id.as_bytes()))).collect();
    let mut answers = Vec::new();
    let ticket = host.decide(&asks, &mut answers).unwrap();
    let passed = asks.iter().zip(&answers).filter(|(_, answer)| answer.as_ref().is_ok_and(|decision| decision.allowed));
    let shards = passed.map(|(ask, _)| host.shard_of(ask.key)).map(|shard| (shard, epoch_of(shard)));
    (ticket, shards.collect())
}

#[test]
fn every_shard_with_an_admission_stands_once_in_the_ticket_of_each_batch() {
    let (host, _ownership) = member();
    for batch in 0..3 {
        let (ticket, shards) = decide(&host, batch * CLIENTS..(batch + 1) * CLIENTS);
        assert_eq!(shards.len(), usize::from(SHARDS), "there are clients in all of them");
        assert_eq!(ticket.decided.len(), shards.len());
        assert_eq!(ticket.decided.into_iter().collect::<BTreeMap<_, _>>(), shards);
    }
    let (nothing_passed, _) = decide(&host, 0..CLIENTS);
    assert_eq!(nothing_passed.decided, [], "denials need no owner");
    let next = 3 * CLIENTS;
    let (first, second) = (decide(&host, [next].into_iter()), decide(&host, [next, next + 1].into_iter()));
    assert_eq!((first.0.decided.len(), second.0.decided.len()), (1, 1), "a batch does not stand for the next one");
}

#[test]
fn each_shard_of_a_batch_holds_all_its_answers_back_once_it_is_not_owned_since_then() {
    for lost in options().shards.iter() {
        for again in [false, true] {
            let (host, ownership) = member();
            let (kept, _) = decide(&host, 0..CLIENTS);
            assert_eq!(pollster::block_on(host.committed(kept)), Ok(()));
            let (ticket, _) = decide(&host, CLIENTS..2 * CLIENTS);
            if again {
                activate(&ownership, lost, Epoch(99));
            } else {
                ownership.close(lost, Closed::Unknown).unwrap();
            }
            let released = pollster::block_on(host.committed(ticket));
            assert!(matches!(released, Err(NotReleased::NotHere(_))), "{lost}: {released:?}");
        }
    }
}

#[test]
fn a_node_that_stands_alone_notes_nothing() {
    let host = Host::open(Arc::new(MemoryStore::new()), Arc::new(InMemory::new()), options()).unwrap();
    let (ticket, shards) = decide(&host, 0..CLIENTS);
    assert_eq!(shards.len(), usize::from(SHARDS));
    assert_eq!(ticket.decided.capacity(), 0);
}
