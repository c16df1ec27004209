//! What a ledger keeps of other process lifetimes: a pair of streams with each that has a part in one of its shards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use drl_core::{CommitNo, Epoch, Nanos, ShardId};

use super::incoming::Incoming;
use super::message::{Body, Invite, Letter};
use super::outgoing::{Lag, Outgoing};
use super::receiving::Rejections;
use super::silence::{Ear, Heard, Silence};
use crate::ownership::Holder;

/// Something that the machine of records has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Another owner wants copies here.
    Invited { from: Holder, invites: Vec<Invite> },
    /// A copy is complete; it counts when the marker says so.
    Seeded { shard: ShardId, epoch: Epoch },
    /// A copy on another node has acknowledged its snapshot.
    Near { shard: ShardId, to: Holder },
    /// It has acknowledged everything that was sent before replies waited for it.
    CaughtUp { shard: ShardId, to: Holder },
    /// It refuses sections, or is too far behind.
    Broken { shard: ShardId, to: Holder },
    /// A frozen shard has nothing more to send, and everything is acknowledged.
    Flushed { shard: ShardId },
    /// A frame was taken that was decided under these policies.
    Stamped { revision: u64 },
    /// Somebody has promised a higher epoch.
    Fenced { shard: ShardId },
    /// A lifetime fell silent, or was heard again.
    Silence { of: Holder, silence: Silence, heard: Heard },
}

/// Both directions between this lifetime and another.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) outgoing: Outgoing,
    pub(crate) incoming: Incoming,
    pub(crate) ear: Ear,
}

/// All pairs, and what is to be sent and told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peers {
    /// This lifetime; `None` while it has no session.
    pub(crate) me: Option<Holder>,
    pub(crate) pairs: BTreeMap<Holder, Pair>,
    /// Lifetimes that are listened to for their own sake.
    pub(crate) listened: BTreeSet<Holder>,
    pub(crate) ticked: Nanos,
    attempts: u64,
    /// Somebody is to be invited who was not told yet.
    pub(crate) has_new_invites: bool,
    /// The highest revision of policies that a frame named, of another lifetime or in this node's own journal.
    pub(crate) stamped: u64,
    pub(crate) rejections: Rejections,
    letters: Vec<Letter>,
    news: Vec<News>,
}

impl Peers {
    /// The number of the next invitation.
    pub(crate) const fn attempt(&mut self) -> u64 {
        self.attempts += 1;
        self.attempts
    }

    /// The pair with a lifetime, made when it is new.
    pub(crate) fn pair(&mut self, with: &Holder, now: Nanos) -> &mut Pair {
        let stream = self.attempt();
        self.pairs.entry(with.clone()).or_insert_with(|| Pair {
            outgoing: Outgoing::new(stream),
            incoming: Incoming::default(),
            ear: Ear::new(now),
        })
    }

    /// Says something to a lifetime, unless that says nothing itself (`silence.rs`).
    pub(crate) fn say(&mut self, to: &Holder, body: Body) {
        let now = self.ticked;
        if self.pairs.get(to).is_none_or(|pair| !pair.ear.is_silent(now)) {
            self.say_anyway(to, body);
        }
    }

    pub(crate) fn say_anyway(&mut self, to: &Holder, body: Body) {
        if let Some(me) = &self.me {
            self.letters.push(Letter { from: me.clone(), to: to.clone(), body });
        }
    }

    pub(crate) fn tell(&mut self, news: News) {
        self.news.push(news);
    }

    /// Sends a frame and keeps it until it is acknowledged.
    pub(crate) fn send(&mut self, to: &Holder, payload: Vec<u8>, commit: CommitNo) {
        let now = self.ticked;
        let frame = self.pair(to, now).outgoing.send(Arc::from(payload), commit, now);
        self.say(to, Body::Frame(frame));
    }

    pub(crate) fn has_room(&self, to: &Holder) -> bool {
        self.pairs.get(to).is_none_or(|pair| pair.outgoing.has_room())
    }

    pub(crate) fn has_room_to_seed(&self, to: &Holder) -> bool {
        self.pairs.get(to).is_none_or(|pair| pair.outgoing.has_room_to_seed())
    }

    pub(crate) fn acked(&self, to: &Holder) -> u64 {
        self.pairs.get(to).map_or(0, |pair| pair.outgoing.acked())
    }

    /// Whether the marker of a copy there is on disk, as far as the copy is acknowledged.
    pub(crate) fn counts(&self, to: &Holder, shard: ShardId) -> bool {
        self.pairs.get(to).is_some_and(|pair| pair.outgoing.counts(shard))
    }

    pub(crate) fn last_sent(&self, to: &Holder) -> u64 {
        self.pairs.get(to).map_or(0, |pair| pair.outgoing.last())
    }

    pub(crate) fn covers(&self, to: &Holder, commit: CommitNo) -> bool {
        self.pairs.get(to).is_some_and(|pair| pair.outgoing.covers(commit))
    }

    /// How far each lifetime is behind that was sent something.
    pub(crate) fn lags(&self) -> impl Iterator<Item = (&Holder, Lag)> {
        let sent = |(to, pair): (_, &Pair)| (pair.outgoing.last() > 0).then(|| (to, pair.outgoing.lag()));
        self.pairs.iter().filter_map(sent)
    }

    pub(crate) fn take_letters(&mut self) -> Vec<Letter> {
        std::mem::take(&mut self.letters)
    }

    pub(crate) fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Begins as another lifetime, or as none: whatever belonged to the one before is gone, but for what its copies were decided by.
    pub(crate) fn begin(&mut self, me: Option<Holder>) {
        *self = Self { me, rejections: self.rejections, stamped: self.stamped, ..Self::default() };
        if self.stamped > 0 {
            self.tell(News::Stamped { revision: self.stamped });
        }
    }
}
