//! Deciding a batch: one lock and one reading of the clock for all of it, and a ticket that says when its answers may leave.

use drl_configuration::RateLimitConfiguration;
use drl_core::caps::{BATCH_CHECKS_MAX, FRAME_ROWS_MAX};
use drl_core::{KeyHash, Nanos, ShardId, ShardTime};
use drl_engine::{Charge, Ledger, Outcome};
use drl_limits::{Decision, Durability, Mode, OnUnavailable, Policy, Reason, Retry};

use super::Host;
use crate::ask::{Action, Answer, Ask, PolicyOf, Ticket};
use crate::clock;
use crate::error::{CheckError, Refused};
use crate::options::UnknownClient;
use crate::unknown::unknown;

#[cfg(test)]
mod tests;

/// A check that found its shard; the configuration is held for as long as the batch is decided.
struct Located<'a> {
    shard: ShardId,
    key: KeyHash,
    policy: Found<'a>,
}

enum Found<'a> {
    Given(&'a Policy),
    Configured(RateLimitConfiguration),
    Nothing,
}

impl Host {
    /// Decides a batch, one check after the other, under one lock and one reading of the clock, and appends the answers in
    /// order. Takes microseconds and never waits for the disk: they may leave once [`Host::committed`] says so.
    ///
    /// # Errors
    /// [`Refused`]: nothing of the batch was decided.
    pub fn decide(&self, asks: &[Ask<'_>], answers: &mut Vec<Answer>) -> Result<Ticket, Refused> {
        let decided = self.decide_now(asks, answers);
        if decided == Err(Refused::Busy) {
            self.inner.counts.refused(asks.len());
        }
        decided
    }

    /// As [`Host::decide`], but waits for the next frame while the open one is full. How long is the caller's to say: dropping the
    /// future decides nothing.
    ///
    /// # Errors
    /// [`Refused`], other than busy: nothing of the batch was decided.
    pub async fn decide_when_room(&self, asks: &[Ask<'_>], answers: &mut Vec<Answer>) -> Result<Ticket, Refused> {
        let mut room = None;
        loop {
            match (self.decide_now(asks, answers), &mut room) {
                // Subscribed before the next try, so that a frame which is taken in between is not missed.
                (Err(Refused::Busy), None) => room = Some(self.inner.progress.room()),
                // The sender lives as long as this host.
                (Err(Refused::Busy), Some(room)) => drop(room.changed().await),
                (decided, _) => return decided,
            }
        }
    }

    fn decide_now(&self, asks: &[Ask<'_>], answers: &mut Vec<Answer>) -> Result<Ticket, Refused> {
        let inner = &*self.inner;
        if asks.len() > BATCH_CHECKS_MAX {
            return Err(Refused::BatchTooLong { checks: asks.len() });
        }
        let located: Vec<Located<'_>> = asks.iter().map(|ask| self.locate(ask)).collect();
        let now = clock::monotonic();
        let mut state = self.serving()?;
        if state.ledger.open_rows() + asks.len() > FRAME_ROWS_MAX {
            return Err(Refused::Busy);
        }
        let from = answers.len();
        let mut ticket = Ticket::NONE;
        let mut outcome = Outcome::Unchanged;
        let is_complete = inner.configuration.is_complete();
        let unknown_client = if is_complete { inner.options.unknown_client } else { UnknownClient::Deny };
        if located.len() > 1 {
            state.ledger.fetch(located.iter().map(|located| (located.shard, located.key)));
        }
        // No epoch changes while the lock is held, so a shard has one for the whole batch.
        state.noted.begin();
        for (ask, located) in asks.iter().zip(&located) {
            let answer = state.ledger.stamp(located.shard, ask.epoch, now).map(|stamp| {
                let (decision, changed) = decide_one(&mut state.ledger, ask, located, (now, stamp.at), unknown_client);
                if changed == Outcome::Changed && inner.signals.is_some() && state.noted.is_first(located.shard) {
                    ticket.decided.push((located.shard, stamp.epoch));
                }
                outcome = outcome.max(changed);
                decision
            });
            answers.push(answer);
        }
        ticket.commit = self.note(&mut state, outcome);
        drop(state);
        let decided = answers.get(from..).unwrap_or_default();
        inner.counts.decided(decided.iter().flatten());
        if let Some(signals) = &inner.signals {
            decided.iter().filter_map(|answer| answer.as_ref().err()).for_each(|refusal| signals.refused(refusal));
        }
        Ok(ticket)
    }

    /// Decides one check and waits for its commit.
    ///
    /// # Errors
    /// [`CheckError`] when there is no decision.
    pub async fn check(&self, ask: Ask<'_>) -> Result<Decision, CheckError> {
        let mut answers = Vec::with_capacity(1);
        let ticket = self.decide(&[ask], &mut answers)?;
        self.committed(ticket).await?;
        // One ask has one answer; without one nobody is let through.
        Ok(answers.pop().unwrap_or_else(|| Ok(unknown(UnknownClient::Deny, ShardTime::ZERO)))?)
    }

    fn locate<'a>(&self, ask: &Ask<'a>) -> Located<'a> {
        let (shard, key) = ask.key.locate(&self.inner.identity, self.inner.shards());
        let policy = match ask.policy {
            PolicyOf::Given(policy) => Found::Given(policy),
            PolicyOf::Configured => self.inner.configuration.get(ask.key).map_or(Found::Nothing, Found::Configured),
        };
        Located { shard, key, policy }
    }
}

fn decide_one(
    ledger: &mut Ledger,
    ask: &Ask<'_>,
    located: &Located<'_>,
    (now, at): (Nanos, ShardTime),
    unknown_client: UnknownClient,
) -> (Decision, Outcome) {
    let (policy, revision) = match &located.policy {
        Found::Given(policy) => (*policy, 0),
        Found::Configured(found) => (&*found.policy, found.revision),
        Found::Nothing => return (unknown(unknown_client, at), Outcome::Unchanged),
    };
    let charge = Charge { shard: located.shard, key: located.key, policy, cost: ask.cost };
    let (mut decision, mut outcome) = match ask.action {
        Action::Charge if !ask.cost.is_peek() => ledger.charge(charge, at),
        _ => (ledger.peek(charge, at), Outcome::Unchanged),
    };
    let is_ahead = outcome == Outcome::Changed && policy.durability() == Durability::Async;
    if is_ahead && ledger.answers_ahead(located.shard, ask.cost, now) {
        outcome = Outcome::Noted;
    }
    decision.policy_revision = revision;
    // A policy that only watches denies nobody, also where nobody can decide.
    let is_shadow = policy.mode() == Mode::Shadow;
    decision.on_unavailable = if is_shadow { OnUnavailable::Allow } else { policy.on_unavailable() };
    if !decision.allowed && is_shadow {
        decision = Decision { allowed: true, retry: Retry::Now, reason: Reason::Shadow, ..decision };
    }
    (decision, outcome)
}
