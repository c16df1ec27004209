//! What waits for one lifetime, between the sender that puts it and the connection that takes it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use drl_core::Nanos;
use drl_engine::ownership::Holder;
use drl_engine::replication::Letter;
use drl_host::clock;
use drl_proto::v1;
use tokio::sync::Notify;

use super::waiting::{Put, Waiting};
use crate::forward::pause;

#[derive(Debug)]
pub(super) struct Queue {
    to: Holder,
    state: Mutex<State>,
    /// Rings when something was put.
    bell: Notify,
}

#[derive(Debug)]
struct State {
    waiting: Waiting,
    /// When something was put last.
    put: Nanos,
}

impl Queue {
    pub(super) fn new(to: Holder) -> Self {
        let state = State { waiting: Waiting::default(), put: clock::monotonic() };
        Self { to, state: Mutex::new(state), bell: Notify::new() }
    }

    /// Whose queue this is.
    pub(super) const fn to(&self) -> &Holder {
        &self.to
    }

    pub(super) fn put(&self, letter: Letter) -> Put {
        let mut state = self.lock();
        state.put = clock::monotonic();
        let put = state.waiting.put(letter.from, letter.body);
        drop(state);
        self.bell.notify_one();
        put
    }

    /// As much of what waits as a message takes, as soon as anything does. Dropping the future loses nothing.
    pub(super) async fn next(&self) -> v1::ReplicateRequest {
        loop {
            let message = self.lock().waiting.take(&self.to);
            match message {
                Some(message) => return message,
                None => self.bell.notified().await,
            }
        }
    }

    /// Another connection begins.
    pub(super) fn restart(&self) {
        self.lock().waiting.restart();
    }

    /// Resolves when nothing was put for so long.
    pub(super) async fn unused(&self, idle: Duration) {
        loop {
            let since = Duration::from_nanos(clock::monotonic().0.saturating_sub(self.lock().put.0));
            match idle.checked_sub(since).filter(|left| !left.is_zero()) {
                Some(left) => pause::wait(left).await,
                None => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
