//! Following what is stored under a prefix: all of it, then every change, each once and in order, for as long as the reader likes.
//!
//! A watch is a hint. It may be late without bound, and an old etcd may lose an event; so all of it is listed again from time to
//! time, and whoever acts on what a watch said compares it in a transaction.

mod cursor;

use std::time::Duration;

use tokio::sync::{mpsc, watch};

pub(crate) use self::cursor::Cursor;
use crate::{Entry, Fault, Header, Key, Revision};

/// Everything under a prefix, as of one revision, by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    pub header: Header,
    /// The revision that the entries are of.
    pub revision: Revision,
    pub entries: Vec<Entry>,
}

/// What changed in one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    pub revision: Revision,
    pub changes: Vec<Change>,
}

/// One key's change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Put(Entry),
    /// Deleted, or vanished with its lease.
    Deleted(Key),
}

/// What a watch hands over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// Everything there is; what is not in it is gone. It comes first (see [`Start`]), whenever changes may have been missed, and
    /// from time to time in any case.
    Snapshot(Listing),
    /// Changes behind everything that came before.
    Changes(Changes),
}

/// Where a watch starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With a snapshot.
    Snapshot,
    /// With the changes behind this revision; with a snapshot when they are not known any more.
    After(Revision),
}

/// How a watch behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchOptions {
    pub start: Start,
    /// How often everything is listed again although nothing seems to be wrong.
    pub relist_every: Duration,
    /// How long the store may say nothing, not even that it is alive, before its connection is dropped and everything is
    /// listed again.
    pub silence_max: Duration,
    /// For each call to the store.
    pub within: Duration,
}

/// The reader's end of a watch. Dropping it ends the watch.
#[derive(Debug)]
pub struct Watch {
    updates: mpsc::Receiver<Update>,
    trouble: watch::Receiver<Option<Fault>>,
}

/// The writer's end.
#[derive(Debug)]
pub(crate) struct WatchWriter {
    updates: mpsc::Sender<Update>,
    trouble: watch::Sender<Option<Fault>>,
}

/// The reader is gone.
#[derive(Debug)]
pub(crate) struct Closed;

impl Default for WatchOptions {
    /// A snapshot at first and every minute, 15 s of silence, 5 s for a call.
    fn default() -> Self {
        Self {
            start: Start::Snapshot,
            relist_every: Duration::from_mins(1),
            silence_max: Duration::from_secs(15),
            within: Duration::from_secs(5),
        }
    }
}

impl Change {
    #[must_use]
    pub const fn key(&self) -> &Key {
        match self {
            Self::Put(entry) => &entry.key,
            Self::Deleted(key) => key,
        }
    }
}

impl Update {
    #[must_use]
    pub const fn revision(&self) -> Revision {
        match self {
            Self::Snapshot(listing) => listing.revision,
            Self::Changes(changes) => changes.revision,
        }
    }
}

impl Watch {
    /// Both ends. The channel holds [`drl_core::caps::WATCH_UPDATES_MAX`] updates; a writer that finds it full waits.
    pub(crate) fn channel() -> (WatchWriter, Self) {
        let (updates, updates_reader) = mpsc::channel(drl_core::caps::WATCH_UPDATES_MAX);
        let (trouble, trouble_reader) = watch::channel(None);
        (WatchWriter { updates, trouble }, Self { updates: updates_reader, trouble: trouble_reader })
    }

    /// The next update. `None`: the store must not be believed any more, and [`Watch::trouble`] says why. Cancelling the wait loses
    /// nothing.
    pub async fn next(&mut self) -> Option<Update> {
        self.updates.recv().await
    }

    /// Why nothing can come at present; `None` while the watch is connected.
    #[must_use]
    pub fn trouble(&self) -> Option<Fault> {
        self.trouble.borrow().clone()
    }

    /// Tells of every change of [`Watch::trouble`].
    #[must_use]
    pub fn troubles(&self) -> watch::Receiver<Option<Fault>> {
        self.trouble.clone()
    }
}

impl WatchWriter {
    /// Whether the reader was told that nothing can come.
    pub(crate) fn is_troubled(&self) -> bool {
        self.trouble.borrow().is_some()
    }

    pub(crate) async fn send(&self, update: Update) -> Result<(), Closed> {
        self.updates.send(update).await.map_err(|_| Closed)
    }

    /// Resolves when the reader is gone.
    pub(crate) async fn closed(&self) {
        self.updates.closed().await;
    }

    /// Says what is wrong, or that nothing is.
    pub(crate) fn report(&self, trouble: Option<Fault>) {
        self.trouble.send_if_modified(|now| {
            let is_new = *now != trouble;
            *now = trouble;
            is_new
        });
    }
}
