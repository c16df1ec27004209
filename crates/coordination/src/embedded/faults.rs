//! What goes wrong for one node on demand.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::Fault;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It surely did not happen.
    Unavailable,
    /// It happened, and its caller does not know.
    UnknownDone,
    /// It did not happen, and its caller does not know.
    UnknownLost,
}

#[derive(Debug)]
pub(super) struct Faults {
    planned: Mutex<VecDeque<Failure>>,
    is_cut: watch::Sender<bool>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { planned: Mutex::default(), is_cut: watch::Sender::new(false) }
    }
}

impl Faults {
    pub(super) fn plan(&self, failure: Failure) {
        self.planned().push_back(failure);
    }

    pub(super) fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    pub(super) fn heal(&self) {
        self.is_cut.send_replace(false);
    }

    /// What is to happen to the next call.
    pub(super) fn next(&self) -> Option<Failure> {
        if *self.is_cut.borrow() { Some(Failure::Unavailable) } else { self.planned().pop_front() }
    }

    /// Resolves when the node is not cut off.
    pub(super) async fn connected(&self) {
        // The sender lives as long as `self`, so that the wait cannot fail.
        let _ = self.is_cut.subscribe().wait_for(|is_cut| !is_cut).await;
    }

    pub(super) fn is_cut(&self) -> bool {
        *self.is_cut.borrow()
    }

    fn planned(&self) -> MutexGuard<'_, VecDeque<Failure>> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn unreachable() -> Fault {
    Fault::Unreachable { endpoint: "embedded".to_owned(), reason: "a failure on demand".to_owned() }
}

pub(super) fn unanswered() -> Fault {
    Fault::NoAnswer { within: Duration::ZERO }
}
