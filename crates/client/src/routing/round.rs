//! Asks once: every check goes to the owner that the placement names, together with what else goes there, and comes back decided, failed
//! for good, or still owed.

use std::sync::Arc;
use std::time::Duration;

use drl_core::caps::FORWARD_REDIRECTS_MAX;
use drl_core::{Cost, Epoch, LimitKey, ShardId};
use drl_limits::Decision;
use drl_proto::v1;
use drl_wire::Answered;

use super::{Deadline, Purpose, World};
use crate::chance;
use crate::course::{self, Next};
use crate::error::CheckError;
use crate::line::parcel::{Checks, Reply, Waiting};
use crate::line::{Failure, Line};
use crate::placement::Owner;

/// A check without a decision so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owed<'a> {
    /// Its place in the call.
    pub(super) index: usize,
    pub(super) key: LimitKey<'a>,
    pub(super) cost: Cost,
    /// How often an owner named another one.
    pub(super) redirects: u8,
}

/// A check that has to be asked again, and when.
#[derive(Debug, Clone)]
pub(super) struct Left<'a> {
    pub(super) owed: Owed<'a>,
    pub(super) when: When,
    pub(super) why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum When {
    AtOnce,
    Later,
}

/// Why there was no decision.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Why {
    pub(super) reason: Arc<str>,
    /// How long its owner has not been answering.
    pub(super) silent_for: Option<Duration>,
    /// It was not even tried: too much is under way.
    pub(super) is_busy: bool,
}

/// Checks that go the same way.
struct Group<'a> {
    owner: Owner,
    checks: Checks,
    owed: Vec<(Owed<'a>, ShardId, Epoch)>,
}

/// Checks that are under way.
struct Sent<'a> {
    /// The way to the owner.
    line: Arc<Line>,
    /// Whether another node was asked to pass the checks on.
    is_detour: bool,
    owed: Vec<(Owed<'a>, ShardId, Epoch)>,
    waiting: Result<Waiting, Failure>,
}

impl<'a> Owed<'a> {
    pub(super) const fn new(index: usize, key: LimitKey<'a>, cost: Cost) -> Self {
        Self { index, key, cost, redirects: 0 }
    }
}

impl Why {
    fn plain(reason: Arc<str>) -> Self {
        Self { reason, silent_for: None, is_busy: false }
    }

    /// What the caller reads when the deadline came.
    pub(super) fn timed_out(&self, within: Duration) -> CheckError {
        let reason = self.reason.to_string();
        if self.is_busy { CheckError::Busy { reason } } else { CheckError::TimedOut { within, reason } }
    }
}

impl World {
    /// Asks once. `answers` has what is decided or has failed; what is left may be asked again.
    pub(super) async fn round<'a>(
        &self,
        owed: Vec<Owed<'a>>,
        deadline: Deadline,
        answers: &mut [Result<Decision, CheckError>],
    ) -> Vec<Left<'a>> {
        if deadline.is_over() {
            let over = || Why::plain("there was no time to ask anybody".into()).timed_out(deadline.within);
            for owed in &owed {
                tell(answers, owed.index, Err(over()));
            }
            return Vec::new();
        }
        let mut left = Vec::new();
        for sent in self.send(owed, deadline, &mut left) {
            let Sent { line, is_detour, owed, waiting } = sent;
            let reply = match waiting {
                Ok(waiting) => match waiting.await {
                    Ok(reply) => reply,
                    // The carrier has gone, with its line or with the runtime; the next try shows which.
                    Err(_) => Err(Failure::Lost { reason: "the connection was given up".into() }),
                },
                Err(failure) => Err(failure),
            };
            if is_detour && is_in_vain(&reply) {
                line.detour_failed();
            }
            match reply {
                Ok(told) => self.heard(owed, told, &line, answers, &mut left),
                Err(failure) => failed(&owed, &failure, &line, deadline, answers, &mut left),
            }
        }
        left
    }

    /// Sends every check on its way.
    fn send<'a>(&self, owed: Vec<Owed<'a>>, deadline: Deadline, left: &mut Vec<Left<'a>>) -> Vec<Sent<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        {
            let placement = self.placement.borrow();
            for owed in owed {
                let route = placement.route(owed.key);
                let Some(owner) = route.owner else {
                    let why = Why::plain("nobody owns the client's shard now".into());
                    left.push(Left { owed, when: When::Later, why });
                    continue;
                };
                let namespace = owed.key.namespace.as_str();
                let is_same =
                    |group: &&mut Group<'_>| group.owner.node == owner.node && group.checks.namespace() == namespace;
                let group = match groups.iter_mut().find(is_same) {
                    Some(group) => group,
                    None => {
                        let checks = Checks::new(namespace, v1::Routing::Here);
                        groups.push(Group { owner, checks, owed: Vec::new() });
                        let Some(group) = groups.last_mut() else { continue };
                        group
                    }
                };
                group.checks.push(owed.key, owed.cost, route.shard, route.epoch);
                group.owed.push((owed, route.shard, route.epoch));
            }
        }
        groups.into_iter().map(|group| self.dispatch(group, deadline)).collect()
    }

    fn dispatch<'a>(&self, group: Group<'a>, deadline: Deadline) -> Sent<'a> {
        let Group { owner, mut checks, owed } = group;
        let line = self.line(&owner, Purpose::Owner);
        let detour = if line.wants_detour() { self.detour(&owner) } else { None };
        if detour.is_some() {
            checks.let_pass_on();
        }
        let waiting = detour.as_ref().unwrap_or(&line).send(checks, deadline.at);
        Sent { line, is_detour: detour.is_some(), owed, waiting }
    }

    /// Another node that answers: it may reach the owner where this client cannot.
    fn detour(&self, owner: &Owner) -> Option<Arc<Line>> {
        let others: Vec<Owner> = self.placement.borrow().nodes().filter(|other| other.node != owner.node).collect();
        let (front, back) = others.split_at(chance::place(others.len()));
        let mut lines = back.iter().chain(front).map(|other| self.line(other, Purpose::Detour));
        lines.find(|line| line.trouble().is_none())
    }

    /// Every check has an answer of its own.
    fn heard<'a>(
        &self,
        owed: Vec<(Owed<'a>, ShardId, Epoch)>,
        told: Vec<Answered>,
        line: &Line,
        answers: &mut [Result<Decision, CheckError>],
        left: &mut Vec<Left<'a>>,
    ) {
        for ((mut owed, shard, epoch), told) in owed.into_iter().zip(told) {
            let refusal = match told {
                Ok(decision) => {
                    self.fallback.heard(owed.key, &decision, || self.now());
                    tell(answers, owed.index, Ok(decision));
                    continue;
                }
                Err(refusal) => refusal,
            };
            let when = match course::after_refusal(&refusal, epoch) {
                Next::GiveUp => {
                    tell(answers, owed.index, Err(CheckError::Rejected { reason: refusal.message }));
                    continue;
                }
                Next::Follow => {
                    self.learn(shard, &refusal);
                    owed.redirects = owed.redirects.saturating_add(1);
                    if owed.redirects <= FORWARD_REDIRECTS_MAX { When::AtOnce } else { When::Later }
                }
                Next::Refetch => {
                    self.doubt.notify_one();
                    When::Later
                }
                Next::Later => When::Later,
            };
            let why = Why {
                is_busy: refusal.kind() == v1::RefusalKind::Busy,
                silent_for: line.silent_for(),
                ..Why::plain(refusal.message.into())
            };
            left.push(Left { owed, when, why });
        }
    }

    fn learn(&self, shard: ShardId, refusal: &v1::Refusal) {
        self.placement.send_if_modified(|placement| placement.learn(shard, Epoch(refusal.epoch), &refusal.owner));
    }
}

/// Whether a node that should pass checks on could not.
fn is_in_vain(reply: &Reply) -> bool {
    let is_dead_end = |told: &Answered| {
        let kind = told.as_ref().err().map(v1::Refusal::kind);
        matches!(kind, Some(v1::RefusalKind::Unavailable | v1::RefusalKind::Uncertain))
    };
    reply.as_ref().map_or(true, |told| told.iter().any(is_dead_end))
}

/// None of the checks has an answer.
fn failed<'a>(
    owed: &[(Owed<'a>, ShardId, Epoch)],
    failure: &Failure,
    line: &Line,
    deadline: Deadline,
    answers: &mut [Result<Decision, CheckError>],
    left: &mut Vec<Left<'a>>,
) {
    let silent_for = line.silent_for();
    let why = match failure {
        Failure::TimedOut { reason } => {
            let error = Why::plain(Arc::clone(reason)).timed_out(deadline.within);
            return fail_all(owed, &error, answers);
        }
        Failure::Refused(error) if course::after_error(error) == Next::GiveUp => {
            let rejected = CheckError::Rejected { reason: error.message.clone() };
            return fail_all(owed, &rejected, answers);
        }
        Failure::Refused(error) => Why::plain(error.message.as_str().into()),
        Failure::Busy => Why { is_busy: true, ..Why::plain("too many checks are on their way to the owner".into()) },
        Failure::Unsent { reason } | Failure::Lost { reason } => Why { silent_for, ..Why::plain(Arc::clone(reason)) },
    };
    left.extend(owed.iter().map(|(owed, ..)| Left { owed: *owed, when: When::Later, why: why.clone() }));
}

fn fail_all(owed: &[(Owed<'_>, ShardId, Epoch)], error: &CheckError, answers: &mut [Result<Decision, CheckError>]) {
    for (owed, ..) in owed {
        tell(answers, owed.index, Err(error.clone()));
    }
}

fn tell(answers: &mut [Result<Decision, CheckError>], index: usize, answer: Result<Decision, CheckError>) {
    if let Some(place) = answers.get_mut(index) {
        *place = answer;
    }
}
