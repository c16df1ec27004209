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
    state: watch::Sender<State>,
    /// Rung when the open frame was taken, and when the host stops.
    taken: watch::Sender<()>,
}

#[derive(Debug, Clone)]
struct State {
    committed: CommitNo,
    stopped: Option<Stopped>,
}

impl Progress {
    pub(crate) fn new(committed: CommitNo) -> Self {
        let state = watch::Sender::new(State { committed, stopped: None });
        Self { committed: AtomicU64::new(committed.0), state, taken: watch::Sender::new(()) }
    }

    pub(crate) fn committed(&self) -> CommitNo {
        CommitNo(self.committed.load(Ordering::Acquire))
    }

    pub(crate) fn advance(&self, commit: CommitNo) {
        self.committed.store(commit.0, Ordering::Release);
        self.state.send_modify(|state| state.committed = commit);
    }

    /// The first reason stays.
    pub(crate) fn stop(&self, reason: &str) {
        self.state.send_if_modified(|state| {
            let is_first = state.stopped.is_none();
            state.stopped.get_or_insert_with(|| Stopped { reason: Arc::from(reason) });
            is_first
        });
        self.taken.send_replace(());
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
        let mut receiver = self.state.subscribe();
        match receiver.wait_for(|state| state.stopped.is_some()).await {
            Ok(state) => state.stopped.clone().unwrap_or_else(gone),
            Err(_) => gone(),
        }
    }
}

fn gone() -> Stopped {
    Stopped { reason: Arc::from("the host was dropped") }
}
