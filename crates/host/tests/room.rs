//! A full open frame: who may wait gets a decision as soon as there is room, and who may not is refused.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use drl_configuration::InMemory;
use drl_core::caps::{BATCH_CHECKS_MAX, FRAME_ROWS_MAX};
use drl_core::{ClientId, CommitNo, Cost, Epoch, LimitKey, Namespace};
use drl_host::{Action, Answer, Ask, Host, HostOptions, PolicyOf, Refused, Ticket};
use drl_limits::{Limit, Policy, PolicySpec};
use drl_store::{
    CommitSync, KeyValue, MemoryStore, PageId, Record, RecordKind, RecoverError, Recovered, Recovery, Store, WriteError,
};

/// A store with a slow disk: each append says that it began, and waits until it may go on.
struct Slow {
    store: MemoryStore,
    began: SyncSender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Store for Slow {
    fn append(&self, commit: CommitNo, frame: &[u8], sync: CommitSync) -> Result<(), WriteError> {
        let _ = self.began.send(());
        // A test that ended lets everything go on.
        let _ = self.go_on.lock().unwrap().recv();
        self.store.append(commit, frame, sync)
    }
    fn recover(&self, into: &mut dyn Recovery) -> Result<Recovered, RecoverError> {
        self.store.recover(into)
    }
    fn sync(&self) -> Result<(), WriteError> {
        self.store.sync()
    }
    fn write_pages(&self, pages: &[(PageId, Vec<u8>)]) -> Result<(), WriteError> {
        self.store.write_pages(pages)
    }
    fn checkpoint(&self, upto: CommitNo) -> Result<(), WriteError> {
        self.store.checkpoint(upto)
    }
    fn discard_counters(&self) -> Result<(), WriteError> {
        self.store.discard_counters()
    }
    fn put_records(&self, records: &[Record]) -> Result<(), WriteError> {
        self.store.put_records(records)
    }
    fn records(&self, kind: RecordKind) -> Result<Vec<KeyValue>, RecoverError> {
        self.store.records(kind)
    }
    fn mark_policies(&self, revision: u64) -> Result<(), WriteError> {
        self.store.mark_policies(revision)
    }
    fn marked_policies(&self) -> Result<Option<u64>, RecoverError> {
        self.store.marked_policies()
    }
    fn has_loose_policies(&self) -> bool {
        self.store.has_loose_policies()
    }
    fn journal_bytes(&self) -> u64 {
        self.store.journal_bytes()
    }
    fn close(&self) -> Result<(), WriteError> {
        self.store.close()
    }
}

fn charge(host: &Host, policy: &Arc<Policy>, clients: std::ops::Range<usize>) -> Result<Ticket, Refused> {
    let names: Vec<String> = clients.map(|client| client.to_string()).collect();
    host.decide(&asks(&names, policy), &mut Vec::new())
}

fn asks<'a>(names: &'a [String], policy: &'a Arc<Policy>) -> Vec<Ask<'a>> {
    let key = |name: &'a String| LimitKey::new(Namespace::DEFAULT, ClientId::new(name.as_bytes()).unwrap());
    let policy = PolicyOf::Given(policy);
    names
        .iter()
        .map(|name| Ask { key: key(name), cost: Cost::ONE, action: Action::Charge, policy, epoch: Epoch(0) })
        .collect()
}

#[test]
fn who_waits_for_a_full_frame_is_decided_as_soon_as_it_is_taken() {
    let (began, begins) = sync_channel(0);
    let (let_go, go_on) = sync_channel(0);
    let store = Slow { store: MemoryStore::new(), began, go_on: Mutex::new(go_on) };
    let host = Host::open(Arc::new(store), Arc::new(InMemory::new()), HostOptions::new("boot".to_owned())).unwrap();
    let limits = vec![Limit::new(10, "1h".parse().unwrap()).unwrap()];
    let policy = Arc::new(Policy::new(PolicySpec { limits, ..PolicySpec::default() }).unwrap());
    let _ = charge(&host, &policy, 0..1).unwrap();
    begins.recv().unwrap();
    for batch in 0..FRAME_ROWS_MAX / BATCH_CHECKS_MAX {
        let first = (batch + 1) * BATCH_CHECKS_MAX;
        let _ = charge(&host, &policy, first..first + BATCH_CHECKS_MAX).unwrap();
    }
    assert_eq!(charge(&host, &policy, 1..2), Err(Refused::Busy));
    assert_eq!(host.stats().refused, 1);

    let (names, mut answers) = (["late".to_owned()], Vec::<Answer>::new());
    let asks = asks(&names, &policy);
    let mut waiting = Box::pin(host.decide_when_room(&asks, &mut answers));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let_go.send(()).unwrap();
    // The full frame is being written now, so the next one is open.
    begins.recv().unwrap();
    let Poll::Ready(ticket) = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("there is room")
    };
    drop(waiting);
    assert!(answers[0].as_ref().unwrap().allowed);
    drop((let_go, begins));
    pollster::block_on(host.committed(ticket.unwrap())).unwrap();
    assert_eq!(host.stats().refused, 1, "who got a decision was not refused");
}
