//! One writes at a time, and what is left open meanwhile is written next.

use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use drl_core::CommitNo;
use tokio::runtime::Handle;

use super::{COMMITTER, DOOR, Written, charge, doors, held_up, open};
use crate::inner::{Committer, Phase};
use crate::{Host, JournalSync, clock};

/// The first append waits until it is let go; how many write at once is counted.
#[derive(Default)]
struct Gate {
    writing: Mutex<(usize, usize)>,
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self, commit: CommitNo) {
        {
            let mut writing = self.writing.lock().unwrap();
            writing.0 += 1;
            writing.1 = writing.1.max(writing.0);
        }
        if commit == CommitNo(1) {
            let (_open, waited) = self
                .opened
                .wait_timeout_while(self.is_open.lock().unwrap(), Duration::from_secs(10), |is_open| !*is_open)
                .unwrap();
            assert!(!waited.timed_out(), "nobody opened the gate");
        }
        self.writing.lock().unwrap().0 -= 1;
    }

    /// Waits until somebody writes.
    fn reached(&self) {
        while self.writing.lock().unwrap().0 == 0 {
            thread::yield_now();
        }
    }

    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    /// The most that ever wrote at once.
    fn most(&self) -> usize {
        self.writing.lock().unwrap().1
    }
}

fn gated(doors: &Handle) -> (Host, Arc<Written>, Arc<Gate>) {
    let gate = Arc::<Gate>::default();
    let at_gate = Arc::clone(&gate);
    let (host, written) = open(doors, JournalSync::Interval, move |commit| {
        at_gate.pass(commit);
        Ok(())
    });
    (host, written, gate)
}

#[test]
fn while_a_door_writes_the_committer_does_not_not_even_to_close() {
    let doors = doors(1);
    let (host, written, gate) = gated(doors.handle());
    let first = charge(&host, 0..1);
    gate.reached();
    let second = charge(&host, 0..200);
    assert_eq!(host.inner.lock().unwrap().committer, Committer::StoodIn);
    let closer = thread::spawn({
        let host = host.clone();
        move || pollster::block_on(host.close())
    });
    while host.inner.lock().unwrap().phase != Phase::Closing {
        thread::yield_now();
    }
    // The bell of the close has rung, or rings now: a committer that did not wait its turn would be seen at the gate by then.
    let began = clock::monotonic();
    while clock::monotonic().0 - began.0 < 20_000_000 {
        assert_eq!(written.writers(), [DOOR]);
        thread::yield_now();
    }
    gate.open();
    pollster::block_on(host.committed(first)).unwrap();
    pollster::block_on(host.committed(second)).unwrap();
    closer.join().unwrap().unwrap();
    assert_eq!((written.writers(), gate.most()), (vec![DOOR.to_owned(), COMMITTER.to_owned()], 1));
}

#[test]
fn a_stand_in_that_comes_while_the_committer_writes_writes_nothing_and_what_is_open_is_written_after() {
    let doors = held_up();
    let (host, written, gate) = gated(doors.handle());
    let small = charge(&host, 0..1);
    let large = charge(&host, 0..200);
    gate.reached();
    let open = charge(&host, 0..1);
    for _ in 0..3 {
        doors.block_on(tokio::task::yield_now());
    }
    assert_eq!(written.writers(), [COMMITTER]);
    gate.open();
    for ticket in [small, large, open] {
        pollster::block_on(host.committed(ticket)).unwrap();
    }
    assert_eq!((written.writers(), gate.most()), (vec![COMMITTER.to_owned(); 2], 1));
}

#[test]
fn what_arrives_while_a_door_writes_is_written_without_being_asked_for_again() {
    let doors = doors(1);
    let (host, written, gate) = gated(doors.handle());
    let first = charge(&host, 0..1);
    gate.reached();
    let second = charge(&host, 0..1);
    gate.open();
    pollster::block_on(host.committed(first)).unwrap();
    pollster::block_on(host.committed(second)).unwrap();
    assert_eq!((written.writers().len(), gate.most()), (2, 1));
}

#[test]
fn after_a_panic_under_the_lock_nothing_is_written_and_the_threads_end() {
    let doors = held_up();
    for clients in [0..0, 0..1] {
        let (host, written) = open(doors.handle(), JournalSync::Interval, |_| Ok(()));
        let ticket = charge(&host, clients);
        let panicked = thread::spawn({
            let inner = Arc::clone(&host.inner);
            move || {
                let _state = inner.lock().unwrap();
                panic!("planted");
            }
        });
        assert!(panicked.join().is_err());
        let refused = pollster::block_on(host.close()).unwrap_err();
        assert!(refused.to_string().contains("panicked"), "{refused}");
        assert!(ticket.commit.is_none() || pollster::block_on(host.committed(ticket)).is_err());
        let (ended, is_ended) = mpsc::channel();
        thread::spawn(move || {
            drop(host);
            ended.send(()).unwrap();
        });
        is_ended.recv_timeout(Duration::from_secs(10)).expect("a thread goes on for ever");
        assert!(written.writers().is_empty(), "counters that may be half changed were written");
    }
}
