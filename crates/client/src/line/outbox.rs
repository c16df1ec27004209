//! What is on its way to one node: parcels that wait, and messages that are sent and not answered. It sends nothing and reads no clock.
//!
//! ```text
//!   push --> waiting --(compose: as many as fit one message)--> unanswered, by number --(settle)--> answers to who waits
//!                                                                   |  ^
//!                                                 connection lost   +--+  the same numbers again (again)
//! ```
//!
//! Invariants: a number always stands for the same checks, so that the owner can tell a message that comes again and charges it once. A
//! message leaves only by an answer or by the end of its connection: giving up waiting for it does not make room for another. At
//! most [`CLIENT_MESSAGES_IN_FLIGHT_MAX`] are unanswered, and no number is further from the oldest of them than its owner takes. Answers come in
//! any order.

use std::collections::VecDeque;
use std::time::Duration;

use drl_core::caps::{CLIENT_MESSAGES_IN_FLIGHT_MAX, CLIENT_SESSION_NUMBERS_MAX};
use drl_core::{Epoch, ShardId};
use drl_proto::v1;
use drl_wire::read_answers;
use tokio::time::Instant;

use crate::line::Failure;
use crate::line::parcel::{Checks, Parcel, Receipt};

/// A connection that owes an answer for this long is taken for dead: an owner takes milliseconds.
pub(super) const STALL: Duration = Duration::from_secs(1);

/// How long a message may be sent again. The owner remembers it longer.
const RESEND: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(super) struct Outbox {
    session: [u8; 16],
    /// Whether this connection has been told the session.
    is_introduced: bool,
    last_number: u64,
    waiting: VecDeque<Parcel>,
    /// The earliest deadline of what waits, or one before it.
    waiting_deadline: Option<Instant>,
    unanswered: VecDeque<Sent>,
    /// When the last answer came over this connection.
    heard: Option<Instant>,
}

#[derive(Debug)]
struct Sent {
    number: u64,
    /// When it was first sent, and when last.
    first: Instant,
    last: Instant,
    checks: Checks,
    parts: Vec<Part>,
    /// The earliest deadline of its parts.
    deadline: Option<Instant>,
}

/// One parcel within a message; `None` once nobody is owed an answer.
#[derive(Debug)]
struct Part {
    checks: usize,
    deadline: Instant,
    receipt: Option<Receipt>,
}

impl Outbox {
    pub(super) const fn new(session: [u8; 16]) -> Self {
        Self {
            session,
            is_introduced: false,
            last_number: 0,
            waiting: VecDeque::new(),
            waiting_deadline: None,
            unanswered: VecDeque::new(),
            heard: None,
        }
    }

    pub(super) fn push(&mut self, parcel: Parcel) {
        self.waiting_deadline =
            Some(self.waiting_deadline.map_or(parcel.deadline, |earliest| earliest.min(parcel.deadline)));
        self.waiting.push_back(parcel);
    }

    /// Whether a message could leave now if something waited.
    pub(super) fn has_room(&self) -> bool {
        let ahead = self.last_number + 1 - self.settled_below();
        self.unanswered.len() < CLIENT_MESSAGES_IN_FLIGHT_MAX && ahead < CLIENT_SESSION_NUMBERS_MAX as u64
    }

    /// The next message, of everything that waits and fits.
    pub(super) fn compose(&mut self, now: Instant) -> Option<v1::CheckStreamRequest> {
        if !self.has_room() {
            return None;
        }
        let (mut checks, part) = self.next_waiting()?;
        let mut parts = vec![part];
        while self.waiting.front().is_some_and(|parcel| checks.takes(&parcel.checks)) {
            let Some((more, part)) = self.next_waiting_if(|parcel| checks.takes(&parcel.checks)) else { break };
            checks.append(&more);
            parts.push(part);
        }
        if self.waiting.is_empty() {
            self.waiting_deadline = None;
        }
        self.last_number += 1;
        let deadline = parts.iter().map(|part| part.deadline).min();
        let sent = Sent { number: self.last_number, first: now, last: now, checks, parts, deadline };
        self.unanswered.push_back(sent);
        let settled_below = self.settled_below();
        let sent = self.unanswered.back()?;
        let message = sent.checks.message(sent.number, settled_below);
        Some(self.introduce(message))
    }

    fn next_waiting(&mut self) -> Option<(Checks, Part)> {
        self.next_waiting_if(|_| true)
    }

    /// The first parcel that somebody waits for, if it is such a one.
    fn next_waiting_if(&mut self, is_wanted: impl Fn(&Parcel) -> bool) -> Option<(Checks, Part)> {
        while let Some(parcel) = self.waiting.front() {
            if !parcel.receipt.is_abandoned() && !is_wanted(parcel) {
                return None;
            }
            let Parcel { checks, deadline, receipt } = self.waiting.pop_front()?;
            if !receipt.is_abandoned() {
                let part = Part { checks: checks.len(), deadline, receipt: Some(receipt) };
                return Some((checks, part));
            }
        }
        None
    }

    fn introduce(&mut self, message: v1::CheckStreamRequest) -> v1::CheckStreamRequest {
        if std::mem::replace(&mut self.is_introduced, true) {
            return message;
        }
        v1::CheckStreamRequest { session: self.session.to_vec().into(), ..message }
    }

    fn settled_below(&self) -> u64 {
        self.unanswered.front().map_or(self.last_number + 1, |sent| sent.number)
    }

    /// An answer came. One to a number that nobody knows is an answer to nothing.
    pub(super) fn settle(&mut self, mut answer: v1::CheckStreamResponse, now: Instant) {
        self.heard = Some(now);
        let Ok(index) = self.unanswered.binary_search_by_key(&answer.number, |sent| sent.number) else { return };
        let Some(sent) = self.unanswered.remove(index) else { return };
        let is_refused = answer.outcomes.is_empty() && answer.refusals.is_empty();
        if let (Some(error), true) = (answer.error.take(), is_refused) {
            return sent.fail(&Failure::Refused(error));
        }
        match read_answers(answer, sent.checks.len()) {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                for part in sent.parts {
                    let own = answers.by_ref().take(part.checks).collect();
                    if let Some(receipt) = part.receipt {
                        receipt.answer(own);
                    }
                }
            }
            Err(reason) => sent.fail(&Failure::Lost { reason: reason.to_string().into() }),
        }
    }

    /// Everything that is unanswered once more, for a new connection. What is too old for that is given up.
    pub(super) fn again(&mut self, now: Instant) -> Vec<v1::CheckStreamRequest> {
        (self.is_introduced, self.heard) = (false, None);
        self.unanswered.retain(|sent| sent.is_owed() && now < sent.first + RESEND);
        let settled_below = self.settled_below();
        self.unanswered.iter_mut().for_each(|sent| sent.last = now);
        let messages: Vec<_> =
            self.unanswered.iter().map(|sent| sent.checks.message(sent.number, settled_below)).collect();
        messages.into_iter().map(|message| self.introduce(message)).collect()
    }

    /// Gives up what is overdue: `sent` is what to say of what the node may have decided.
    pub(super) fn expire(&mut self, now: Instant, why: &str) {
        for sent in self.unanswered.iter_mut().filter(|sent| sent.deadline.is_some_and(|deadline| deadline <= now)) {
            for part in sent.parts.iter_mut().filter(|part| part.deadline <= now) {
                if let Some(receipt) = part.receipt.take() {
                    receipt.fail(Failure::TimedOut { reason: why.into() });
                }
            }
            sent.deadline = sent.parts.iter().filter(|part| part.is_owed()).map(|part| part.deadline).min();
        }
        if self.waiting_deadline.is_some_and(|deadline| deadline <= now) {
            for _ in 0..self.waiting.len() {
                let Some(parcel) = self.waiting.pop_front() else { break };
                if parcel.deadline <= now {
                    parcel.receipt.fail(Failure::TimedOut { reason: why.into() });
                } else {
                    self.waiting.push_back(parcel);
                }
            }
            self.waiting_deadline = self.waiting.iter().map(|parcel| parcel.deadline).min();
        }
    }

    /// Hands back what `is_elsewhere` says of all its checks: another owner is to be asked.
    pub(super) fn hand_back(&mut self, is_elsewhere: impl Fn(ShardId, Epoch) -> bool, why: &str) {
        for sent in &mut self.unanswered {
            let mut seats = sent.checks.seats();
            for part in &mut sent.parts {
                let all = seats
                    .by_ref()
                    .take(part.checks)
                    .fold(true, |all, (shard, epoch)| is_elsewhere(shard, epoch) && all);
                if let Some(receipt) = part.receipt.take_if(|_| all) {
                    receipt.fail(Failure::Lost { reason: why.into() });
                }
            }
        }
    }

    /// Refuses what was not sent.
    pub(super) fn refuse_waiting(&mut self, reason: &str) {
        for parcel in self.waiting.drain(..) {
            parcel.receipt.fail(Failure::Unsent { reason: reason.into() });
        }
        self.waiting_deadline = None;
    }

    /// Whether nobody waits for anything.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.unanswered.iter().all(|sent| !sent.is_owed())
    }

    /// The earliest deadline.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.unanswered.iter().filter_map(|sent| sent.deadline).chain(self.waiting_deadline).min()
    }

    /// When something has to be looked at again: a deadline, or an answer that is owed for too long.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.deadline().into_iter().chain(self.stalled_at()).min()
    }

    /// When the connection is to be taken for dead, unless an answer comes. One that answers something is alive.
    pub(super) fn stalled_at(&self) -> Option<Instant> {
        let sent = self.unanswered.front()?.last;
        Some(self.heard.map_or(sent, |heard| heard.max(sent)) + STALL)
    }
}

impl Part {
    fn is_owed(&self) -> bool {
        self.receipt.as_ref().is_some_and(|receipt| !receipt.is_abandoned())
    }
}

impl Sent {
    fn is_owed(&self) -> bool {
        self.parts.iter().any(Part::is_owed)
    }

    fn fail(self, failure: &Failure) {
        for receipt in self.parts.into_iter().filter_map(|part| part.receipt) {
            receipt.fail(failure.clone());
        }
    }
}

#[cfg(test)]
mod tests;
