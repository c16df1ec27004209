//! One node's part in ownership: dispatches events, sends commands, and keeps the order in which things are looked at.
//!
//! Invariant: whatever the event, the deadline is looked at first; a node that is past it has no role when anything else is
//! considered. Answers to commands of an earlier session find nothing that waits for them.

use std::collections::{BTreeMap, BTreeSet};

use drl_core::{Generation, Nanos, NodeId, ShardCount, ShardId};

use super::absence::Absences;
use super::authority::Authority;
use super::bugs::{Bugs, NoBugs};
use super::clock::Moment;
use super::command::{Closed, Command, Fact, Report};
use super::drops::Drops;
use super::event::{Event, Token};
use super::hearing::Unheard;
use super::heartbeat::Beats;
use super::invitations::Invitations;
use super::known::Known;
use super::local::{Local, Role};
use super::pending::{Pending, Waiting};
use super::planning::Planned;
use super::record::Holder;
use super::session::Phase;
use super::spread::Leaving;
use super::stop::StopReason;
use super::view::{ClusterId, LeaseId, Revision, View};
use crate::replication::Order;

/// Who a node is, and by which spans of time its cluster goes.
#[derive(Debug, Clone)]
pub struct Identity {
    pub node: NodeId,
    pub shards: ShardCount,
    pub authority: Authority,
    pub copies: Copies,
}

/// How many nodes have the counters of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// Its owner.
    One,
    /// Its owner and a follower.
    Two,
}

/// The state machine of one node.
#[derive(Debug, Clone)]
pub struct NodeAgent<B = NoBugs> {
    pub(super) bugs: B,
    pub(super) me: NodeId,
    pub(super) shards: ShardCount,
    pub(super) authority: Authority,
    pub(super) copies: Copies,
    /// Who says nothing.
    pub(super) silences: BTreeMap<Holder, Unheard>,
    pub(super) listened: BTreeSet<Holder>,
    pub(super) invitations: Invitations,
    pub(super) drops: Drops,
    /// The revision of the policies that this node runs, and the highest that a frame which it took was decided under.
    pub(super) policies: u64,
    pub(super) stamped: u64,
    pub(super) phase: Phase,
    /// The lease of the present session, or of the last one until it is revoked.
    pub(super) lease: Option<LeaseId>,
    pub(super) generation: Generation,
    /// Until when this node may answer; zero: not at all.
    pub(super) deadline: Nanos,
    pub(super) beats: Beats,
    pub(super) known: Known,
    pub(super) absences: Absences,
    pub(super) locals: Vec<Local>,
    pub(super) seen: Option<(ClusterId, Revision)>,
    pub(super) pending: BTreeMap<Token, Waiting>,
    /// When a transaction without an outcome, or a request without an answer, is sent again.
    pub(super) retries: BTreeMap<Token, Nanos>,
    pub(super) relist_at: Nanos,
    pub(super) leaving: Leaving,
    pub(super) last_token: Token,
    pub(super) asked_to_wake: Nanos,
    pub(super) planned: Planned,
}

/// One step: the time, and where commands go.
pub(super) struct Turn<'a> {
    pub(super) now: Moment,
    pub(super) out: &'a mut Vec<Command>,
}

impl Turn<'_> {
    pub(super) fn say(&mut self, command: Command) {
        self.out.push(command);
    }

    pub(super) fn order(&mut self, order: Order) {
        self.out.push(Command::Copies(order));
    }

    pub(super) fn report(&mut self, report: Report) {
        self.out.push(Command::Report(report));
    }
}

impl NodeAgent {
    /// A node that has not started yet.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self::with_bugs(identity, NoBugs)
    }
}

impl<B: Bugs> NodeAgent<B> {
    /// A node that breaks rules, for simulators.
    #[must_use]
    pub fn with_bugs(identity: Identity, bugs: B) -> Self {
        Self {
            bugs,
            me: identity.node,
            shards: identity.shards,
            authority: identity.authority,
            copies: identity.copies,
            silences: BTreeMap::new(),
            listened: BTreeSet::new(),
            invitations: Invitations::new(),
            drops: Drops::default(),
            policies: 0,
            stamped: 0,
            phase: Phase::New,
            lease: None,
            generation: Generation(0),
            deadline: Nanos::ZERO,
            beats: Beats::default(),
            known: Known::new(identity.shards),
            absences: Absences::default(),
            locals: Vec::new(),
            seen: None,
            pending: BTreeMap::new(),
            retries: BTreeMap::new(),
            relist_at: Nanos::MAX,
            leaving: Leaving::No,
            last_token: Token(0),
            asked_to_wake: Nanos::ZERO,
            planned: Planned::default(),
        }
    }

    /// The generation of the present session, or of the last one.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// Takes one event and appends the commands that follow from it.
    pub fn step(&mut self, now: Moment, event: Event, out: &mut Vec<Command>) {
        self.steps(now, [event], out);
    }

    /// Takes events that have all happened by now, and appends the commands that follow from them: what follows is looked for once.
    pub fn steps(&mut self, now: Moment, events: impl IntoIterator<Item = Event>, out: &mut Vec<Command>) {
        if self.phase == Phase::Stopped {
            return;
        }
        let mut turn = Turn { now, out };
        self.check_deadline(&mut turn);
        for event in events {
            self.take(event, &mut turn);
            if self.phase == Phase::Stopped {
                return;
            }
        }
        self.do_what_is_due(&mut turn);
        if self.phase == Phase::Serving {
            self.reconcile(&mut turn);
        }
        self.ask_to_wake(&mut turn);
    }

    fn take(&mut self, event: Event, turn: &mut Turn<'_>) {
        self.listen_to_etcd(&event);
        match event {
            Event::Started(found) => self.start(&found, turn),
            Event::Granted { token, lease, generation } => self.granted(token, lease, generation, turn),
            Event::Revoked { token } => self.revoked(token, turn),
            Event::Unanswered { token } => self.try_again(token, turn),
            Event::Ended { token, outcome } => self.ended(token, outcome, turn),
            Event::Persisted { token } => self.persisted(token, turn),
            Event::Changed(view) => self.learn(view, turn),
            Event::WatchBroken => self.relist_at = turn.now.boottime,
            Event::Wake => {}
            Event::Written { shard } => self.written(shard),
            Event::Frozen { shards } => self.frozen(&shards, turn),
            Event::FloorJournaled { shard, epoch } => self.floor_journaled(shard, epoch),
            Event::Copies(news) => self.hear(news, turn),
            Event::Policies { revision } => self.run_policies(revision, turn),
            Event::HigherEpoch { shard } => self.doubt(shard, turn),
            Event::Drain => self.drain(),
            Event::Undrain => self.undrain(),
            Event::StoreFailed => self.stop(StopReason::StoreFailed, turn),
        }
    }

    /// Brings every shard's role in line with what is known, then acts on what is possible.
    fn reconcile(&mut self, turn: &mut Turn<'_>) {
        self.follow_records(turn);
        if self.phase != Phase::Serving {
            return;
        }
        self.announce(turn);
        self.tend_copies(turn);
        self.thaw(turn);
        if self.session_stands(turn) {
            self.tend_followers(turn);
            self.claim(turn);
            self.settle(turn);
            self.spread(turn);
            self.hand_over(turn);
        }
    }

    fn do_what_is_due(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.boottime;
        let due: Vec<Token> = self.retries.iter().filter(|(_, at)| **at <= now).map(|(token, _)| *token).collect();
        for token in due {
            self.retries.remove(&token);
            self.send_again(token, turn);
        }
        self.knock_again(turn);
        if self.phase == Phase::Serving {
            self.beat_when_due(turn);
            if self.relist_at <= now {
                self.read_all(turn);
            }
        }
    }

    pub(super) fn myself(&self) -> Holder {
        Holder { node: self.me.clone(), generation: self.generation }
    }

    pub(super) fn persist(&mut self, facts: Vec<Fact>, what: Pending, turn: &mut Turn<'_>) -> Token {
        let token = self.wait_for(what);
        turn.say(Command::Persist { token, facts });
        token
    }

    pub(super) fn fact(&self, shard: ShardId) -> Fact {
        let local = &self.locals[shard.index()];
        Fact::Shard { shard, marker: local.marker, promise: local.promise }
    }

    /// Takes in what was read, and sees who is gone.
    pub(super) fn learn(&mut self, view: View, turn: &mut Turn<'_>) {
        if self.seen.is_some_and(|(cluster, _)| cluster != view.cluster) {
            return;
        }
        let revision = self.seen.map_or(view.revision, |(_, seen)| seen.max(view.revision));
        self.seen = Some((view.cluster, revision));
        self.known.learn(view);
        self.absences.observe(&self.known, turn.now.boottime);
    }

    /// Leaves a shard, and says where it is now.
    pub(super) fn leave(&mut self, shard: ShardId, closed: Closed, turn: &mut Turn<'_>) {
        let local = &mut self.locals[shard.index()];
        local.role = Role::Idle;
        local.raising = None;
        local.floor_is_journaled = false;
        local.seats.clear();
        local.told = match &closed {
            Closed::Unknown => None,
            Closed::NotOwner { epoch, .. } => Some(*epoch),
        };
        turn.say(Command::Close { shard, closed });
    }

    pub(super) fn stop(&mut self, reason: StopReason, turn: &mut Turn<'_>) {
        self.drop_every_role(turn);
        self.phase = Phase::Stopped;
        turn.say(Command::Stop(reason));
    }
}
