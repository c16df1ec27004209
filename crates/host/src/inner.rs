//! What the handle, the committer and the checkpointer share: the ledger under its lock, the store, and how far the journal is.
//!
//! The lock is held for microseconds by whoever decides, for one encoding of the open frame by the committer, and for one
//! shard's pages by the checkpointer. Nothing waits for IO while holding it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use drl_configuration::ConfigurationService;
use drl_core::{IdentityKey, Nanos, ShardCount};
use drl_engine::Ledger;
use drl_store::Store;

use crate::clock;
use crate::error::Stopped;
use crate::noted::Noted;
use crate::options::HostOptions;
use crate::progress::Progress;
use crate::signals::Signals;
use crate::stand_in;
use crate::stats::Counts;

pub(crate) struct Inner {
    pub(crate) state: Mutex<State>,
    /// Rung when the committer should look: the open frame has something, or the host is closing.
    pub(crate) work: Condvar,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) configuration: Arc<dyn ConfigurationService>,
    pub(crate) identity: IdentityKey,
    /// What ownership is told of; `None` on a node that stands alone.
    pub(crate) signals: Option<Signals>,
    pub(crate) options: HostOptions,
    pub(crate) progress: Progress,
    pub(crate) counts: Counts,
    pub(crate) doubts: Vec<String>,
}

pub(crate) struct State {
    pub(crate) ledger: Ledger,
    pub(crate) noted: Noted,
    pub(crate) phase: Phase,
    pub(crate) committer: Committer,
    /// What a stand-in encodes a frame into, kept for its allocation.
    pub(crate) sheet: Vec<u8>,
    /// Monotonic time of the oldest change in the open frame; `None` when it is empty.
    pub(crate) open_since: Option<Nanos>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Serving,
    /// Takes no more checks; what is open is still committed.
    Closing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Committer {
    /// Waits for the bell.
    Idle,
    /// Waits for the bell too; a stand-in will look at the open frame in a moment.
    Expected,
    /// Waits while a stand-in writes, which rings when it leaves something open.
    StoodIn,
    /// Will look at the open frame again before it waits.
    Busy,
}

impl Inner {
    pub(crate) const fn shards(&self) -> ShardCount {
        self.options.shards
    }

    /// The ledger. A thread that panicked under the lock may have left it half changed, so that is a stop, not a shrug.
    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, State>, Stopped> {
        self.state.lock().map_err(|_| self.panicked())
    }

    /// A thread panicked under the lock.
    pub(crate) fn panicked(&self) -> Stopped {
        self.progress.stop("a thread panicked while it held the counters; please report this with the log");
        self.progress.stopped().unwrap_or_else(|| Stopped { reason: Arc::from("a thread panicked") })
    }

    /// Sees to it that the open frame, which has something, is written.
    pub(crate) fn ring(self: &Arc<Self>, state: &mut State) {
        if state.open_since.is_none() {
            state.open_since = Some(clock::monotonic());
        }
        let waits = matches!(state.committer, Committer::Idle | Committer::Expected);
        if waits && !stand_in::comes(self, state) {
            self.work.notify_one();
        }
    }

    /// Carries away what the ledger has to say, and has it journaled what it took.
    pub(crate) fn deliver(self: &Arc<Self>, state: &mut State) {
        state.ledger.invite(clock::monotonic());
        self.carry(state);
        if !state.ledger.is_clean() {
            self.ring(state);
        }
    }

    /// Carries away what the ledger has to say.
    pub(crate) fn carry(&self, state: &mut State) {
        if let Some(signals) = &self.signals {
            signals.carry(&mut state.ledger);
        }
    }

    /// Stops everything: nobody is answered from here on, and every waiter is told why.
    pub(crate) fn stop(&self, reason: &str) {
        tracing::error!(reason, "the host has stopped");
        self.progress.stop(reason);
        self.work.notify_all();
    }
}
