//! What a ledger does every 100 ms: beats, invitations that were not answered, frames that were not acknowledged, acknowledgements that may
//! be lost, and who has fallen silent.

use std::collections::BTreeSet;

use drl_core::Nanos;

use super::message::{Beat, Body};
use super::peers::News;
use super::silence::was_starved;
use crate::ledger::Ledger;
use crate::ownership::{Bugs, Holder};

impl<B: Bugs> Ledger<B> {
    /// To be called every [`BEAT_MILLIS`](drl_core::caps::BEAT_MILLIS); more often does no harm.
    pub fn tick(&mut self, now: Nanos) {
        self.forget_strangers(now);
        let is_starved = was_starved(self.peers.ticked, now);
        self.peers.ticked = now;
        let holders: Vec<Holder> = self.peers.pairs.keys().cloned().collect();
        for holder in holders {
            let Some(pair) = self.peers.pairs.get_mut(&holder) else { continue };
            if is_starved {
                pair.ear.forgive(now);
                pair.outgoing.forgive(now);
            }
            let is_stalled = pair.outgoing.is_stalled(now);
            let (again, silence, heard) = (pair.outgoing.again(now), pair.ear.news(now), pair.ear.heard());
            let beats = pair.ear.beats(now);
            if let Some(silence) = silence {
                self.peers.tell(News::Silence { of: holder.clone(), silence, heard });
            }
            if beats {
                self.peers.say_anyway(&holder, Body::Beat(Beat { asks: true, boottime: now }));
            }
            for frame in again {
                self.peers.say(&holder, Body::Frame(frame));
            }
            if is_stalled {
                self.give_up_copies(&holder);
            }
        }
        self.invite_again(now);
        self.acknowledge_again(now);
    }

    /// Forgets the lifetimes that share no shard with this one, when they have said nothing for a while.
    fn forget_strangers(&mut self, now: Nanos) {
        let mut known = self.peers.listened.clone();
        for held in &self.shards {
            known.extend(held.targets.iter().map(|target| target.to.clone()));
            known.extend(held.following.as_ref().map(|following| following.owner.clone()));
        }
        self.peers.pairs.retain(|holder, pair| known.contains(holder) || !pair.ear.is_silent(now));
    }

    /// Listens to these lifetimes, whether they share a shard with this one or not.
    pub(crate) fn listen(&mut self, to: BTreeSet<Holder>, now: Nanos) {
        for holder in &to {
            if !self.peers.listened.contains(holder) {
                self.peers.pair(holder, now).ear.tell_again();
            }
        }
        self.peers.listened = to;
    }

    /// The connection to a lifetime was reset and is refused: its process is gone.
    pub fn is_refused(&mut self, by: &Holder, now: Nanos) {
        if let Some(pair) = self.peers.pairs.get_mut(by) {
            pair.ear.refuse();
            if let Some(silence) = pair.ear.news(now) {
                let heard = pair.ear.heard();
                self.peers.tell(News::Silence { of: by.clone(), silence, heard });
            }
        }
    }
}
