//! Who writes a frame: a thread of the front doors when that is quick, the committer otherwise, and never both.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::thread;

use drl_configuration::InMemory;
use drl_core::{ClientId, CommitNo, Cost, Epoch, IdentityKey, LimitKey, Namespace, ShardId};
use drl_engine::ownership::{Origin, ShardClock};
use drl_limits::{Limit, Policy, PolicySpec};
use drl_store::{MemoryStore, WriteError};
use tokio::runtime::{Builder, Handle, Runtime};

use self::watched::Watched;
use crate::inner::Committer;
use crate::options::Cluster;
use crate::{Action, Ask, Host, HostOptions, JournalSync, PolicyOf, Ticket, clock};

mod turns;
#[path = "../../tests/room/watched.rs"]
mod watched;

const COMMITTER: &str = "drl-committer";
const DOOR: &str = "door";

/// Which thread wrote which frame.
#[derive(Default)]
struct Written(Mutex<Vec<(String, CommitNo)>>);

impl Written {
    fn note(&self, commit: CommitNo) {
        self.0.lock().unwrap().push((thread::current().name().unwrap_or_default().to_owned(), commit));
    }

    fn writers(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(name, _)| name.clone()).collect()
    }
}

fn doors(threads: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(threads).thread_name(DOOR).build().unwrap()
}

/// A runtime on which nothing runs, as when its only thread is held up.
fn held_up() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn open(
    doors: &Handle,
    journal_sync: JournalSync,
    before: impl Fn(CommitNo) -> Result<(), WriteError> + Send + Sync + 'static,
) -> (Host, Arc<Written>) {
    let written = Arc::<Written>::default();
    let noted = Arc::clone(&written);
    let before = move |commit| {
        noted.note(commit);
        before(commit)
    };
    let store = Watched { store: MemoryStore::new(), before };
    let options = HostOptions { journal_sync, doors: Some(doors.clone()), ..HostOptions::new("boot".to_owned()) };
    let host = Host::open(Arc::new(store), Arc::new(InMemory::new()), options).unwrap();
    // Its thread looks at the open frame once before it waits.
    while host.inner.lock().unwrap().committer != Committer::Idle {
        thread::yield_now();
    }
    (host, written)
}

/// Charges each of these clients once.
fn charge(host: &Host, clients: Range<usize>) -> Ticket {
    let limits = vec![Limit::new(10, "1h".parse().unwrap()).unwrap()];
    let policy = Arc::new(Policy::new(PolicySpec { limits, ..PolicySpec::default() }).unwrap());
    let names: Vec<String> = clients.map(|client| client.to_string()).collect();
    let asks: Vec<Ask<'_>> = names
        .iter()
        .map(|name| Ask {
            key: LimitKey::new(Namespace::DEFAULT, ClientId::new(name.as_bytes()).unwrap()),
            cost: Cost::ONE,
            action: Action::Charge,
            policy: PolicyOf::Given(&policy),
            epoch: Epoch(0),
        })
        .collect();
    host.decide(&asks, &mut Vec::new()).unwrap()
}

/// Charges on a thread of the doors, and waits there.
fn charge_at(doors: &Runtime, host: &Host, clients: Range<usize>) {
    let host = host.clone();
    doors.block_on(doors.spawn(async move { host.committed(charge(&host, clients)).await.unwrap() })).unwrap();
}

#[test]
fn a_small_frame_is_written_by_a_thread_of_the_doors_and_a_large_one_by_the_committer() {
    let doors = doors(1);
    let (host, written) = open(doors.handle(), JournalSync::Interval, |_| Ok(()));
    charge_at(&doors, &host, 0..1);
    charge_at(&doors, &host, 0..129);
    assert_eq!(written.writers(), [DOOR, COMMITTER]);
}

#[test]
fn an_fsync_is_left_to_the_committer() {
    let doors = doors(1);
    for sync in [JournalSync::Commit, JournalSync::Auto] {
        let (host, written) = open(doors.handle(), sync, |_| Ok(()));
        charge_at(&doors, &host, 0..1);
        assert_eq!(written.writers(), [COMMITTER], "{sync:?}");
    }
}

#[test]
fn what_has_arrived_at_the_door_shares_a_frame() {
    let doors = doors(1);
    let (host, written) = open(doors.handle(), JournalSync::Interval, |_| Ok(()));
    let all = doors.spawn({
        let host = host.clone();
        async move {
            let first = charge(&host, 0..1);
            let callers: Vec<_> = (1..9)
                .map(|caller| {
                    let host = host.clone();
                    tokio::spawn(async move { host.committed(charge(&host, caller..caller + 1)).await.unwrap() })
                })
                .collect();
            host.committed(first).await.unwrap();
            for caller in callers {
                caller.await.unwrap();
            }
        }
    });
    doors.block_on(all).unwrap();
    assert_eq!(written.writers(), [DOOR]);
}

#[test]
fn after_a_slow_write_the_committer_writes() {
    let doors = doors(1);
    let slow = |_| {
        let began = clock::monotonic();
        while clock::monotonic().0 - began.0 <= 1_000_000 {
            thread::yield_now();
        }
        Ok(())
    };
    let (host, written) = open(doors.handle(), JournalSync::Interval, slow);
    charge_at(&doors, &host, 0..1);
    charge_at(&doors, &host, 0..1);
    assert_eq!(written.writers(), [DOOR, COMMITTER]);
}

#[test]
fn doors_that_end_leave_their_frame_to_the_committer_and_so_do_those_that_have_ended() {
    let doors = held_up();
    let (host, written) = open(doors.handle(), JournalSync::Interval, |_| Ok(()));
    let first = charge(&host, 0..1);
    drop(doors);
    pollster::block_on(host.committed(first)).unwrap();
    pollster::block_on(host.committed(charge(&host, 0..1))).unwrap();
    assert_eq!(written.writers(), [COMMITTER, COMMITTER]);
}

#[test]
fn a_frame_that_grows_waits_for_no_door_that_is_held_up() {
    let doors = held_up();
    let (host, written) = open(doors.handle(), JournalSync::Interval, |_| Ok(()));
    let small = charge(&host, 0..1);
    pollster::block_on(host.committed(charge(&host, 0..200))).unwrap();
    pollster::block_on(host.committed(small)).unwrap();
    assert_eq!(written.writers(), [COMMITTER]);
}

#[test]
fn a_member_of_a_cluster_leaves_all_to_the_committer() {
    let doors = doors(1);
    let written = Arc::<Written>::default();
    let noted = Arc::clone(&written);
    let before = move |commit| {
        noted.note(commit);
        Ok(())
    };
    let store = Watched { store: MemoryStore::new(), before };
    let options = HostOptions {
        journal_sync: JournalSync::Interval,
        doors: Some(doors.handle().clone()),
        ..HostOptions::new("boot".to_owned())
    };
    let cluster = Cluster { name: "test".to_owned(), identity: IdentityKey::from_bytes(*b"0123456789abcdef") };
    let (host, ownership) = Host::open_member(Arc::new(store), Arc::new(InMemory::new()), options, &cluster).unwrap();
    let (shard, now) = (ShardId::new(0), ownership.now());
    let commit = ownership.activate(shard, Epoch(1), Origin::Cold, ShardClock::starting(now.wall, now)).unwrap();
    doors.block_on(ownership.journaled(commit.unwrap())).unwrap();
    assert_eq!(written.writers(), [COMMITTER]);
    drop(host);
}

#[test]
fn doors_that_are_held_up_hold_up_nothing_for_long() {
    let doors = held_up();
    let (host, written) = open(doors.handle(), JournalSync::Interval, |_| Ok(()));
    for _ in 0..3 {
        pollster::block_on(host.committed(charge(&host, 0..1))).unwrap();
    }
    assert_eq!(written.writers(), [COMMITTER; 3]);
}

#[test]
fn a_host_that_closes_waits_for_no_stand_in() {
    let doors = held_up();
    let (host, written) = open(doors.handle(), JournalSync::Interval, |_| Ok(()));
    let ticket = charge(&host, 0..1);
    pollster::block_on(host.close()).unwrap();
    pollster::block_on(host.committed(ticket)).unwrap();
    assert_eq!(written.writers(), [COMMITTER]);
    // The stand-in that comes too late writes nothing.
    doors.block_on(tokio::task::yield_now());
    doors.block_on(tokio::task::yield_now());
    assert_eq!(written.writers(), [COMMITTER]);
}

#[test]
fn a_write_that_fails_at_the_door_refuses_who_waits_and_stops_the_host() {
    let doors = doors(1);
    let full = |_| Err(WriteError { reason: "disk full".to_owned() });
    let (host, written) = open(doors.handle(), JournalSync::Interval, full);
    let refused = doors.block_on(doors.spawn({
        let host = host.clone();
        async move { host.committed(charge(&host, 0..1)).await }
    }));
    assert!(refused.unwrap().unwrap_err().to_string().contains("disk full"));
    assert!(host.ready().unwrap_err().to_string().contains("disk full"));
    assert_eq!(written.writers(), [DOOR]);
}

#[test]
fn a_door_that_panics_while_it_writes_stops_the_host_and_holds_nobody_up() {
    let doors = doors(1);
    let (host, _) = open(doors.handle(), JournalSync::Interval, |_| panic!("planted"));
    let refused = doors.block_on(doors.spawn({
        let host = host.clone();
        async move { host.committed(charge(&host, 0..1)).await }
    }));
    assert!(refused.unwrap().unwrap_err().to_string().contains("panicked"));
    drop(host);
}

#[test]
fn frames_are_in_order_whoever_writes_them() {
    let doors = doors(3);
    let (host, written) = open(doors.handle(), JournalSync::Interval, |_| Ok(()));
    let callers: Vec<_> = (0..8)
        .map(|caller| {
            let host = host.clone();
            doors.spawn(async move {
                for round in 0..200 {
                    let clients = if caller == 0 && round % 10 == 0 { 150 } else { 1 };
                    host.committed(charge(&host, caller..caller + clients)).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        doors.block_on(caller).unwrap();
    }
    pollster::block_on(host.close()).unwrap();
    let written = written.0.lock().unwrap();
    let commits: Vec<u64> = written.iter().map(|(_, commit)| commit.0).collect();
    assert_eq!(commits, (1..=commits.len() as u64).collect::<Vec<_>>());
    assert!(written.iter().any(|(name, _)| name == DOOR) && written.iter().any(|(name, _)| name == COMMITTER));
}
