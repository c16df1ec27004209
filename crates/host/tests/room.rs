//! A full open frame: who may wait gets a decision as soon as there is room, and who may not is refused.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "room/watched.rs"]
mod watched;

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use drl_configuration::InMemory;
use drl_core::caps::{BATCH_CHECKS_MAX, FRAME_ROWS_MAX};
use drl_core::{ClientId, Cost, Epoch, LimitKey, Namespace};
use drl_host::{Action, Answer, Ask, Host, HostOptions, PolicyOf, Refused, Ticket};
use drl_limits::{Limit, Policy, PolicySpec};
use drl_store::MemoryStore;

use watched::Watched;

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
    let go_on = Mutex::new(go_on);
    // A slow disk: each append says that it began, and waits until it may go on. A test that ended lets everything go on.
    let slow = move |_| {
        let _ = began.send(());
        let _ = go_on.lock().unwrap().recv();
        Ok(())
    };
    let store = Watched { store: MemoryStore::new(), before: slow };
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
