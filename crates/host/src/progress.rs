//! How far the journal is, for those who wait for it. Losing a wake-up is left to `tokio::sync::watch`, which does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use drl_core::CommitNo;
use tokio::sync::watch;

use crate::error::Stopped;

/// Committed up to here; stopped or not.
pub(crate) struct Progress {
    /// The same number as in the channel, for those who need not wait.
    committed: AtomicU64,
    /// The last commit that was not synced when it was answered.
    unsynced: AtomicU64,
    state: watch::Sender<State>,
    /// For those who wait for the end alone: a commit does not wake them.
    end: watch::Sender<Option<Stopped>>,
    /// Rung when the open frame was taken, and when the host stops.
    taken: watch::Sender<()>,
    /// Rung when a copy has acknowledged something, or has not to any more.
    moved: watch::Sender<()>,
}

#[derive(Debug, Clone)]
struct State {
    committed: CommitNo,
    stopped: Option<Stopped>,
}

impl Progress {
    pub(crate) fn new(committed: CommitNo) -> Self {
        let state = watch::Sender::new(State { committed, stopped: None });
        let (end, taken, moved) = (watch::Sender::new(None), watch::Sender::new(()), watch::Sender::new(()));
        Self { committed: AtomicU64::new(committed.0), unsynced: AtomicU64::new(0), state, end, taken, moved }
    }

    pub(crate) fn committed(&self) -> CommitNo {
        CommitNo(self.committed.load(Ordering::Acquire))
    }

    pub(crate) fn unsynced(&self) -> CommitNo {
        CommitNo(self.unsynced.load(Ordering::Acquire))
    }

    pub(crate) fn leaves_unsynced(&self, commit: CommitNo) {
        self.unsynced.store(commit.0, Ordering::Release);
    }

    pub(crate) fn advance(&self, commit: CommitNo) {
        self.committed.store(commit.0, Ordering::Release);
        self.state.send_modify(|state| state.committed = commit);
    }

    /// The first reason stays.
    pub(crate) fn stop(&self, reason: &str) {
        let is_first = self.state.send_if_modified(|state| {
            let is_first = state.stopped.is_none();
            state.stopped.get_or_insert_with(|| Stopped { reason: Arc::from(reason) });
            is_first
        });
        if is_first {
            self.end.send_replace(self.stopped());
        }
        self.taken.send_replace(());
        self.moved.send_replace(());
    }

    /// Replies that waited for acknowledgements may leave, or never will.
    pub(crate) fn moved(&self) {
        self.moved.send_replace(());
    }

    /// Hears of all of that from now on.
    pub(crate) fn moves(&self) -> watch::Receiver<()> {
        self.moved.subscribe()
    }

    /// The open frame was taken: there is room in the next one.
    pub(crate) fn take(&self) {
        self.taken.send_replace(());
    }

    /// Hears of every frame that is taken from now on.
    pub(crate) fn room(&self) -> watch::Receiver<()> {
        self.taken.subscribe()
    }

    pub(crate) fn stopped(&self) -> Option<Stopped> {
        self.state.borrow().stopped.clone()
    }

    /// Waits until `commit` is in the journal.
    pub(crate) async fn wait(&self, commit: CommitNo) -> Result<(), Stopped> {
        if self.committed() >= commit {
            return Ok(());
        }
        let mut receiver = self.state.subscribe();
        let state = receiver.wait_for(|state| state.committed >= commit || state.stopped.is_some()).await;
        match state {
            Ok(state) if state.committed >= commit => Ok(()),
            Ok(state) => Err(state.stopped.clone().unwrap_or_else(gone)),
            Err(_) => Err(gone()),
        }
    }

    /// Waits until the host has stopped.
    pub(crate) async fn wait_stopped(&self) -> Stopped {
        let mut receiver = self.end.subscribe();
        match receiver.wait_for(Option::is_some).await {
            Ok(stopped) => stopped.clone().unwrap_or_else(gone),
            Err(_) => gone(),
        }
    }
}

fn gone() -> Stopped {
    Stopped { reason: Arc::from("the host was dropped") }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Poll, Wake, Waker};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_commit_wakes_nobody_who_waits_for_the_end() {
        let (progress, woken) = (Progress::new(CommitNo(0)), Arc::new(Woken::default()));
        let waker = Waker::from(Arc::clone(&woken));
        let mut end = pin!(progress.wait_stopped());
        assert!(end.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        progress.advance(CommitNo(1));
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        progress.stop("first");
        progress.stop("second");
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        let Poll::Ready(stopped) = end.poll(&mut Context::from_waker(&waker)) else { panic!("it has stopped") };
        assert_eq!(&*stopped.reason, "first");
        assert_eq!(pollster::block_on(progress.wait(CommitNo(2))).unwrap_err(), stopped);
    }
}
