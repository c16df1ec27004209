//! The host's threads: one that commits, one that checkpoints, one that syncs where commits do not, and in a cluster one that beats.
//! They end when their owner is dropped, and what is open is committed first.

use std::sync::{Arc, mpsc};
use std::thread;

use crate::error::OpenError;
use crate::inner::{Inner, Phase};
use crate::options::JournalSync;
use crate::{beat, checkpointer, committer};

/// The host's threads and the bells that end them: dropping a bell is how it rings.
pub(crate) struct Threads {
    inner: Arc<Inner>,
    bells: Vec<mpsc::Sender<()>>,
    running: Vec<thread::JoinHandle<()>>,
}

impl Threads {
    pub(crate) fn start(inner: &Arc<Inner>) -> Result<Self, OpenError> {
        let mut threads = Self { inner: Arc::clone(inner), bells: Vec::new(), running: Vec::new() };
        let shared = Arc::clone(inner);
        threads.spawn("drl-committer", move || committer::run(&shared))?;
        let (shared, bell) = (Arc::clone(inner), threads.bell());
        threads.spawn("drl-checkpoint", move || checkpointer::run(&shared, &bell))?;
        let is_member = inner.signals.is_some();
        if is_member {
            let (shared, bell) = (Arc::clone(inner), threads.bell());
            threads.spawn("drl-beat", move || beat::run(&shared, &bell))?;
        }
        let leaves_unsynced = match inner.options.journal_sync {
            JournalSync::Auto => is_member,
            JournalSync::Commit => false,
            JournalSync::Interval => true,
        };
        if leaves_unsynced {
            let (shared, bell) = (Arc::clone(inner), threads.bell());
            threads.spawn("drl-syncer", move || committer::sync_at_intervals(&shared, &bell))?;
        }
        Ok(threads)
    }

    fn bell(&mut self) -> mpsc::Receiver<()> {
        let (bell, until) = mpsc::channel();
        self.bells.push(bell);
        until
    }

    fn spawn(&mut self, name: &'static str, run: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let spawned = thread::Builder::new().name(name.to_owned()).spawn(run);
        let handle = spawned.map_err(|error| OpenError::Thread { name, reason: error.to_string() })?;
        self.running.push(handle);
        Ok(())
    }
}

impl Drop for Threads {
    /// Ends the threads; what is open is committed first.
    fn drop(&mut self) {
        if let Ok(mut state) = self.inner.lock() {
            state.phase = Phase::Closing;
        }
        self.inner.work.notify_all();
        self.bells.clear();
        for handle in self.running.drain(..) {
            // A thread that panicked has already stopped the host through the poisoned lock.
            let _ = handle.join();
        }
    }
}
