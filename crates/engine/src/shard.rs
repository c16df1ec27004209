//! One shard: its counters, its place in the order of things (epoch, seq), its time, and the floor that a lost journal left.
//!
//! Invariants: shard time never goes back; a counter that is absent is unused, unless the floor says that its windows are used up, and one
//! that is there makes no room over a floor when its policy changes; every change is noted for the open frame and for the next checkpoint.

use drl_core::caps::PAGES_PER_SHARD;
use drl_core::{CommitNo, Cost, Epoch, KeyHash, Seq, ShardId, ShardTime};
use drl_limits::{Algorithm, Counter, Decision, Loss, OnStateLoss, Policy, Reason, Retry};

use crate::gate::Gate;
use crate::ownership::Written;
use crate::replication::{Advance, Ahead, Finished, Following, Target};
use crate::row::{Place, Row};
use crate::table::Table;

/// The counters of one shard.
#[derive(Debug, Clone)]
pub struct Shard {
    pub(crate) id: ShardId,
    pub(crate) epoch: Epoch,
    pub(crate) seq: Seq,
    /// The latest time at which anything was decided here.
    pub(crate) latest: ShardTime,
    /// When set: counters without a row count as used up at this moment (their state was lost).
    pub(crate) floor: Option<ShardTime>,
    pub(crate) table: Table,
    /// One bit for each page that changed since the last checkpoint.
    pub(crate) dirty: u64,
    /// Keys whose rows go into the open frame.
    pub(crate) changed: Vec<KeyHash>,
    /// The last commit that has a section of this shard.
    pub(crate) sealed: CommitNo,
    /// Whether the open frame has a section for this shard.
    pub(crate) presence: Presence,
    /// Whether this process answers for the shard.
    pub(crate) gate: Gate,
    /// Whether anything is in the journal, or will be.
    pub(crate) written: Written,
    /// The first epoch that this process has answered under without a gap.
    pub(crate) since: Epoch,
    /// The next epoch of this owner, when the present one has to be finished first.
    pub(crate) advancing: Option<Advance>,
    /// Up to where the epochs that this process finished in order are acknowledged.
    pub(crate) finished: Option<Finished>,
    /// The highest epoch that a refusal named: somebody knows of it.
    pub(crate) fenced_by: Epoch,
    /// Copies on other nodes, while this process is the owner.
    pub(crate) targets: Vec<Target>,
    /// What was answered ahead of its acknowledgement.
    pub(crate) ahead: Ahead,
    /// A copy that replies wait for has as many frames to acknowledge as it may.
    pub(crate) is_congested: bool,
    /// Whose copy this is, while another process is the owner.
    pub(crate) following: Option<Following>,
    /// The open frame replaces what the journal has of this shard.
    pub(crate) is_anew: bool,
    /// Somebody waits until everything is acknowledged.
    pub(crate) is_flushing: bool,
}

/// Whether a shard has a section in the open frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Absent,
    Present,
}

/// What a check did to its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Nothing changed: a denial or a peek.
    Unchanged,
    /// A denial converted the counter to a changed policy. That is noted for the open frame, and nobody waits for it.
    Noted,
    /// A counter changed; the answer leaves with its frame.
    Changed,
}

const _: () = assert!(PAGES_PER_SHARD as u32 == u64::BITS, "one dirty bit for each page");

impl Shard {
    pub(crate) fn new(id: ShardId, epoch: Epoch) -> Self {
        Self {
            id,
            epoch,
            seq: Seq::default(),
            latest: ShardTime::ZERO,
            floor: None,
            table: Table::default(),
            dirty: 0,
            changed: Vec::new(),
            sealed: CommitNo::default(),
            presence: Presence::Absent,
            gate: Gate::default(),
            written: Written::Never,
            since: epoch,
            advancing: None,
            finished: None,
            fenced_by: Epoch::default(),
            targets: Vec::new(),
            ahead: Ahead::default(),
            is_congested: false,
            following: None,
            is_anew: false,
            is_flushing: false,
        }
    }

    /// Decides and, when it passes, charges.
    pub(crate) fn charge(&mut self, key: KeyHash, policy: &Policy, cost: Cost, now: ShardTime) -> (Decision, Outcome) {
        let now = self.advance(now);
        let loss = self.loss_under(policy);
        if let Some(row) = self.table.get_mut(key) {
            // A changed policy converts the counter, at the moment of the first check after it: that is a change even if it denies.
            let is_of_another = !row.counter.is_of(policy);
            let decision = row.counter.check_over(loss, policy, now, cost);
            let outcome = match decision.allowed {
                true => Outcome::Changed,
                false if is_of_another && row.counter.is_of(policy) => Outcome::Noted,
                false => return (decision, Outcome::Unchanged),
            };
            if row.place == Place::Sealed {
                row.place = Place::OpenFrame;
                self.changed.push(key);
            }
            self.dirty |= page_bit(key);
            return (decision, outcome);
        }
        let (mut counter, lost_until) = self.absent(policy, now);
        let decision = counter.check(policy, now, cost);
        if !decision.allowed {
            return (blame_loss(decision, lost_until, now), Outcome::Unchanged);
        }
        self.put(key, counter);
        (decision, Outcome::Changed)
    }

    /// Whether nothing is decided for a moment, because a copy has to join the present epoch first.
    pub(crate) fn is_between_epochs(&self) -> bool {
        self.advancing.is_some() || self.targets.iter().any(Target::is_awaited)
    }

    /// Decides as [`Shard::charge`] would, and changes nothing.
    pub(crate) fn peek(&mut self, key: KeyHash, policy: &Policy, cost: Cost, now: ShardTime) -> Decision {
        let now = self.advance(now);
        match self.table.get(key) {
            Some(row) => row.counter.peek_over(self.loss_under(policy), policy, now, cost),
            None => {
                let (counter, lost_until) = self.absent(policy, now);
                blame_loss(counter.peek(policy, now, cost), lost_until, now)
            }
        }
    }

    /// Gives back cost that was charged at `decided_at`.
    pub(crate) fn refund(&mut self, key: KeyHash, cost: Cost, decided_at: ShardTime, now: ShardTime) -> Outcome {
        let now = self.advance(now);
        let Some(row) = self.table.get(key) else { return Outcome::Unchanged };
        let mut counter = row.counter.clone();
        counter.refund(decided_at, now, cost);
        self.put(key, counter);
        Outcome::Changed
    }

    /// Forgets what a key has used. Over a floor a row must stay, to say that this key starts anew.
    pub(crate) fn reset(&mut self, key: KeyHash, now: ShardTime) -> Outcome {
        self.advance(now);
        if self.floor.is_some() {
            self.put(key, Counter::unused());
            return Outcome::Changed;
        }
        let Some(row) = self.table.remove(key) else { return Outcome::Unchanged };
        if row.place == Place::Sealed {
            self.changed.push(key);
        }
        self.dirty |= page_bit(key);
        Outcome::Changed
    }

    /// The moment from which a row says no more than its absence would.
    pub(crate) fn is_expired(&self, row: &Row, now: ShardTime) -> bool {
        let own = row.counter.expires_at();
        let floored = self.floor.map_or(ShardTime::ZERO, |floor| floor.plus(row.counter.shape().longest_window()));
        own.max(floored) <= now
    }

    /// Time for this decision: never before the latest one.
    fn advance(&mut self, now: ShardTime) -> ShardTime {
        self.latest = self.latest.max(now);
        self.latest
    }

    /// What was lost, if it counts as used up under this policy.
    fn loss_under(&self, policy: &Policy) -> Option<Loss> {
        self.floor.filter(|_| policy.on_state_loss() == OnStateLoss::Deny).map(Loss)
    }

    /// The counter of a key without a row, and until when it stands for lost state, if it does.
    ///
    /// What was lost counts as used up for a whole window from the floor. The fixed window that contains the floor may end at
    /// once, and shard time has jumped there; so until a whole window has passed, whichever one is current counts as used up.
    fn absent(&self, policy: &Policy, now: ShardTime) -> (Counter, Option<ShardTime>) {
        let Some(Loss(floor)) = self.loss_under(policy) else { return (Counter::fresh(policy), None) };
        let whole_window = floor.plus(policy.shape().longest_window());
        if policy.algorithm() == Algorithm::FixedWindow {
            let is_lost = now < whole_window;
            let counter = if is_lost { Counter::exhausted(policy, now.max(floor)) } else { Counter::fresh(policy) };
            return (counter, is_lost.then_some(whole_window));
        }
        let counter = Counter::exhausted(policy, floor);
        let until = counter.expires_at();
        (counter, (until > now).then_some(ShardTime::ZERO))
    }

    fn put(&mut self, key: KeyHash, counter: Counter) {
        self.dirty |= page_bit(key);
        let before = self.table.insert(key, Row { counter, place: Place::OpenFrame });
        if before.is_none_or(|row| row.place == Place::Sealed) {
            self.changed.push(key);
        }
    }
}

/// The page of a key within its shard.
pub(crate) fn bucket_of(key: KeyHash) -> u8 {
    let [bucket, ..] = (key.page_word() % u64::from(PAGES_PER_SHARD)).to_le_bytes();
    bucket
}

fn page_bit(key: KeyHash) -> u64 {
    1 << bucket_of(key)
}

/// A denial by lost state says so, and does not ask its caller back before the loss has passed.
fn blame_loss(decision: Decision, lost_until: Option<ShardTime>, now: ShardTime) -> Decision {
    let Some(until) = lost_until.filter(|_| !decision.allowed) else { return decision };
    let wait = until.since(now);
    let retry = match decision.retry {
        Retry::After(after) => Retry::After(after.max(wait)),
        retry => retry,
    };
    Decision { retry, reset_after: decision.reset_after.max(wait), reason: Reason::StateLost, ..decision }
}
