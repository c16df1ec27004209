//! Who says nothing, and whether that is them: this node may hear nobody, and be heard.
//!
//! What follows from silence, to drop a follower or to take over from an owner, is a transaction. Whoever hears nobody can send it all the
//! same, and does not learn that it was committed. The record would name it alone then, it would answer nothing, and nobody could take the
//! shard over before its authority has ended. So silence is believed when etcd was heard after it was noticed, in whatever way: an
//! answer or the watch. A heartbeat asks at once, so that it takes one round trip; and if none comes back, neither would the outcome.
//!
//! Nothing relies on it: what is not believed yet changes no record, and replies wait for a follower until the drop is known.

use drl_core::Nanos;

use super::agent::NodeAgent;
use super::bugs::Bugs;
use super::event::Event;
use super::record::Holder;
use super::transaction::Outcome;
use crate::replication::{Heard, Silence};

/// A lifetime that says nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unheard {
    silence: Silence,
    /// When it was heard last, and what its clock showed.
    pub(super) heard: Heard,
    /// etcd was heard since.
    is_believed: bool,
}

impl Event {
    /// Whether etcd said this. An outcome that is not known is what nobody said.
    const fn is_of_etcd(&self) -> bool {
        match self {
            Self::Ended { outcome, .. } => !matches!(outcome, Outcome::Unknown),
            Self::Granted { .. } | Self::Revoked { .. } | Self::Changed(_) => true,
            _ => false,
        }
    }
}

impl<B: Bugs> NodeAgent<B> {
    /// A lifetime fell silent, or was heard again.
    pub(super) fn silence(&mut self, of: Holder, silence: Silence, heard: Heard, now: Nanos) {
        if silence == Silence::None {
            self.silences.remove(&of);
            return;
        }
        let is_believed = self.silences.get(&of).is_some_and(|before| before.is_believed);
        if !is_believed && self.listened.contains(&of) {
            self.beats.next = self.beats.next.min(now);
        }
        self.silences.insert(of, Unheard { silence, heard, is_believed });
    }

    /// Something happened: believes the silences from before it, if it is etcd that was heard.
    pub(super) fn listen_to_etcd(&mut self, event: &Event) {
        if event.is_of_etcd() {
            self.silences.values_mut().for_each(|unheard| unheard.is_believed = true);
        }
    }

    /// Whether a copy there is of no use: its lifetime is over, or says nothing.
    pub(super) fn is_lost(&self, holder: &Holder) -> bool {
        self.is_replaced(holder) || self.silences.contains_key(holder)
    }

    /// Whether a lifetime is not known to be over, says nothing, and that may be because this node hears nobody.
    pub(super) fn is_in_doubt(&self, holder: &Holder) -> bool {
        !self.is_replaced(holder) && self.silences.get(holder).is_some_and(|unheard| !unheard.is_believed)
    }

    /// Whether an owner says nothing any more, or is known to be over.
    pub(super) fn suspects(&self, holder: &Holder) -> bool {
        let is_silent = |unheard: &Unheard| unheard.silence == Silence::Silent && unheard.is_believed;
        self.is_replaced(holder) || self.silences.get(holder).is_some_and(is_silent)
    }

    /// Whether its node has begun another lifetime.
    fn is_replaced(&self, holder: &Holder) -> bool {
        self.known.node(&holder.node).is_some_and(|entry| entry.generation != holder.generation)
    }
}
