//! Policies from one JSON file, followed as it changes. A thread of its own looks at the path again and again; it reads the file when
//! the look shows another one, so that an edit, a rename over it and the swap of a symbolic link (as Kubernetes does) are all noticed.
//!
//! Invariant: a file that is broken or gone changes nothing. The last good one stays in force, [`File::last_error`] says what is wrong,
//! and the log says it once.

mod error;
mod watched;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use drl_core::LimitKey;
use tokio::sync::watch;

use crate::policy_file::{self, Differs, Parsed};
use crate::policy_set::PolicySet;
use crate::published::Published;
use crate::{ConfigurationService, Faults, RateLimitConfiguration};
use watched::Watched;

pub use error::FileError;

/// The policies of a file. Dropping it stops its thread.
#[derive(Debug)]
pub struct File {
    shared: Arc<Shared>,
    poller: Option<Poller>,
}

/// What a look at the file brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// The policies are those that were in force already.
    Unchanged,
    /// Other policies are in force since this revision.
    Applied { revision: u64 },
}

#[derive(Debug)]
struct Shared {
    published: Published,
    /// One look at a time.
    follower: Mutex<Follower>,
}

#[derive(Debug)]
struct Follower {
    watched: Watched,
    last_error: Option<Arc<FileError>>,
}

/// The thread that looks. The sender is dropped to stop it; nothing is ever sent.
#[derive(Debug)]
struct Poller {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl File {
    /// How often a file is looked at, unless someone asks for another: a look is one system call, and a change is in force within a
    /// second.
    pub const POLL: Duration = Duration::from_millis(500);

    /// Reads the file, at revision 1, and looks for changes of it every `poll`.
    ///
    /// # Errors
    /// [`FileError`] when the file cannot be read, is too large, or has a fault: then all of its faults. Or when the thread cannot start.
    pub fn open(path: impl Into<PathBuf>, poll: Duration) -> Result<Self, FileError> {
        let mut watched = Watched::new(path.into());
        let json = watched.look()?.unwrap_or_default();
        let policies = parse(watched.path(), &json, &PolicySet::new(), 1)?.policies;
        let follower = Mutex::new(Follower { watched, last_error: None });
        let shared = Arc::new(Shared { published: Published::new(policies, 1), follower });
        let poller = Poller::start(Arc::clone(&shared), poll)?;
        Ok(Self { shared, poller: Some(poller) })
    }

    /// Looks at the file now, as the thread does by itself.
    ///
    /// # Errors
    /// What is wrong with the file; the policies before it stay in force.
    pub fn reload(&self) -> Result<Reload, Arc<FileError>> {
        self.shared.reload()
    }

    /// What is wrong with the file at present; `None` when it is in force.
    #[must_use]
    pub fn last_error(&self) -> Option<Arc<FileError>> {
        self.shared.lock().last_error.clone()
    }

    /// Lets `look` see all policies; changes wait until it returns.
    pub fn with_policies<T>(&self, look: impl FnOnce(&PolicySet) -> T) -> T {
        look(&self.shared.published.read())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if let Some(Poller { stop, thread }) = self.poller.take() {
            drop(stop);
            // A thread that panicked has said so itself.
            drop(thread.join());
        }
    }
}

impl ConfigurationService for File {
    fn get(&self, key: LimitKey<'_>) -> Option<RateLimitConfiguration> {
        self.shared.published.get(key)
    }

    fn revision(&self) -> u64 {
        self.shared.published.revision()
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.shared.published.watch()
    }
}

impl Poller {
    fn start(shared: Arc<Shared>, poll: Duration) -> Result<Self, FileError> {
        let (stop, stopped) = mpsc::channel();
        let run = move || {
            while stopped.recv_timeout(poll) == Err(RecvTimeoutError::Timeout) {
                // What is wrong was logged and is kept for whoever asks.
                let _ = shared.reload();
            }
        };
        let thread = thread::Builder::new().name("drl-policies".to_owned()).spawn(run);
        Ok(Self { stop, thread: thread.map_err(|source| FileError::Thread { source })? })
    }
}

impl Shared {
    fn reload(&self) -> Result<Reload, Arc<FileError>> {
        let mut follower = self.lock();
        let looked = match follower.watched.look() {
            Ok(None) => return follower.last_error.clone().map_or(Ok(Reload::Unchanged), Err),
            Ok(Some(json)) => self.apply(follower.watched.path(), &json),
            Err(error) => Err(error),
        };
        match looked {
            Ok(reload) => {
                follower.last_error = None;
                if let Reload::Applied { revision } = reload {
                    tracing::info!(path = %follower.watched.path().display(), revision, "policies read from a changed file");
                }
                Ok(reload)
            }
            Err(error) => Err(follower.keep(error)),
        }
    }

    /// Puts the policies of `json` into force. They are read outside of the lock, so that no check waits for it.
    fn apply(&self, path: &Path, json: &[u8]) -> Result<Reload, FileError> {
        let revision = self.published.revision().saturating_add(1);
        let parsed = parse(path, json, &self.published.read(), revision)?;
        if parsed.differs == Differs::No {
            return Ok(Reload::Unchanged);
        }
        // The policies before are dropped when the lock is free again.
        drop(self.published.replace(parsed.policies));
        Ok(Reload::Applied { revision })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Follower> {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follower {
    /// Remembers what is wrong and logs it, unless it is what was wrong before.
    fn keep(&mut self, error: FileError) -> Arc<FileError> {
        match &self.last_error {
            Some(before) if before.to_string() == error.to_string() => Arc::clone(before),
            _ => {
                error.log(self.watched.path());
                let error = Arc::new(error);
                self.last_error = Some(Arc::clone(&error));
                error
            }
        }
    }
}

fn parse(path: &Path, json: &[u8], before: &PolicySet, revision: u64) -> Result<Parsed, FileError> {
    let refused = |faults: Faults| FileError::Invalid { path: path.to_owned(), faults };
    policy_file::parse(json, before, revision).map_err(refused)
}

#[cfg(test)]
mod tests;
