//! What a connection needs while bytes are in flight: a read buffer, a plan, and replies. Idle connections hold none of it: it is
//! taken from a pool when bytes arrive and given back when they are answered, so ten thousand idle connections cost nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use drl_core::caps::RESP_BUFFERS_KEPT_MAX;

use crate::resp::input::Input;
use crate::resp::parse::Span;
use crate::resp::reply::Replies;
use crate::resp::run::Run;
use crate::resp::throttle::Throttles;

/// Memory that a returned workspace keeps for its next replies.
const REPLY_BYTES_KEPT: usize = 16 << 10;

/// Workspaces in use from which on a client that does not read its replies is closed instead of waited for.
const CROWDED: usize = 1_024;

/// Everything between a read and the write of its replies.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) input: Input,
    /// The arguments of the command that is being planned.
    pub(crate) arguments: Vec<Span>,
    pub(crate) throttles: Throttles,
    pub(crate) run: Run,
    pub(crate) replies: Replies,
}

/// Workspaces that wait for their next use.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    #[expect(clippy::vec_box, reason = "a workspace moves in and out for every read, and a box is one word")]
    idle: Mutex<Vec<Box<Workspace>>>,
    in_use: AtomicUsize,
}

impl Workspace {
    fn new() -> Self {
        Self {
            input: Input::new(),
            arguments: Vec::new(),
            throttles: Throttles::default(),
            run: Run::default(),
            replies: Replies::default(),
        }
    }
}

impl Pool {
    pub(crate) fn take(&self) -> Box<Workspace> {
        self.in_use.fetch_add(1, Ordering::Relaxed);
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| Box::new(Workspace::new()))
    }

    pub(crate) fn give_back(&self, mut workspace: Box<Workspace>) {
        self.in_use.fetch_sub(1, Ordering::Relaxed);
        workspace.replies.reset(REPLY_BYTES_KEPT);
        workspace.run.clear();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < RESP_BUFFERS_KEPT_MAX {
            idle.push(workspace);
        }
    }

    /// Whether so many are in use that nobody may sit on one.
    pub(crate) fn is_crowded(&self) -> bool {
        self.in_use.load(Ordering::Relaxed) > CROWDED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspaces_are_used_again_and_only_so_many_are_kept() {
        let pool = Pool::default();
        let taken: Vec<_> = (0..RESP_BUFFERS_KEPT_MAX + 10).map(|_| pool.take()).collect();
        for workspace in taken {
            pool.give_back(workspace);
        }
        assert_eq!(pool.idle.lock().unwrap().len(), RESP_BUFFERS_KEPT_MAX);
        assert_eq!(pool.in_use.load(Ordering::Relaxed), 0);
    }
}
