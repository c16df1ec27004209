//! The way from a request to a decision, for every door: what this node owns is decided here under one lock, the rest by its owners,
//! and each check gets an answer of its own.
//!
//! ```text
//!   asks -- decide --> this node's ledger            (at once, one lock for all)
//!              |  `--> the owners of the other shards (under way)
//!              v
//!           Pending -- settle --> one decision or refusal for each check, in order
//! ```
//!
//! * `answers.rs` is what comes out, `away.rs` what other nodes decide, `course.rs` the rule of whom to ask next, `moved.rs` when not to wait
//!
//! Invariant: a check is charged by one owner at most. It is asked for again only after an answer that says it was not decided.

pub(crate) mod answers;
mod away;
mod course;
mod moved;

use std::sync::Arc;

use drl_core::{Cost, LimitKey, Namespace, Nanos, ShardTime};
use drl_host::{Ask, Host, Ticket, clock};
use drl_limits::Decision;

use crate::forward::Forwarder;
use crate::forward::errand::{Change, Errand};
use crate::judge::answers::Answers;
use crate::judge::away::Away;
use crate::metrics::Metrics;
use crate::refusal::{self, Refusal};

/// Whom this node can ask.
#[derive(Clone)]
pub(crate) enum Routes {
    /// It owns every shard.
    Alone,
    /// Its peers.
    Cluster(Forwarder),
}

/// Who may decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Routing {
    /// Whoever owns the shard.
    Any,
    /// This node, or nobody.
    Here,
}

#[derive(Clone)]
pub(crate) struct Judge {
    host: Host,
    metrics: Arc<Metrics>,
    routes: Routes,
}

/// Checks whose answers may not leave yet.
#[must_use = "the answers are complete only when they are settled"]
pub(crate) struct Pending {
    arrived: Nanos,
    ticket: Ticket,
    away: Option<Box<Away>>,
}

impl Judge {
    pub(crate) const fn new(host: Host, metrics: Arc<Metrics>, routes: Routes) -> Self {
        Self { host, metrics, routes }
    }

    pub(crate) const fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The way to peers; `None` for a node that stands alone.
    pub(crate) const fn forwarder(&self) -> Option<&Forwarder> {
        match &self.routes {
            Routes::Alone => None,
            Routes::Cluster(forwarder) => Some(forwarder),
        }
    }

    /// Decides what this node owns, one check after the other, and asks the owners of the rest. At most as many checks as the host
    /// takes at once. `answers` is begun anew, and may be read once the checks are settled.
    pub(crate) async fn decide(&self, asks: &[Ask<'_>], routing: Routing, answers: &mut Answers) -> Pending {
        let arrived = clock::monotonic();
        answers.begin(asks.len());
        let (ticket, away) = match refusal::decide(&self.host, asks, answers.given()).await {
            Ok(ticket) => (ticket, self.depart(asks, routing, answers)),
            Err(refusal) => {
                answers.refuse_all(&refusal);
                (Ticket::NONE, None)
            }
        };
        Pending { arrived, ticket, away }
    }

    /// What the host said is not its own goes to the owners.
    fn depart(&self, asks: &[Ask<'_>], routing: Routing, answers: &mut Answers) -> Option<Box<Away>> {
        let forwarder = self.forwarder()?;
        let mut away = None;
        for (index, not_here) in answers.take_elsewhere() {
            match (routing, asks.get(index)) {
                (Routing::Any, Some(ask)) => {
                    let away = away.get_or_insert_with(|| Box::new(Away::new()));
                    away.not_here(Errand::check(index, ask), not_here, forwarder);
                }
                _ => answers.refuse(index, Refusal::NotHere(not_here)),
            }
        }
        if let Some(away) = &mut away {
            away.depart(forwarder);
        }
        away
    }

    /// Waits until the answers of `decide` are complete and may leave.
    pub(crate) async fn settle(&self, pending: Pending, answers: &mut Answers) {
        let Pending { arrived, ticket, away } = pending;
        if let Err(refusal) = refusal::committed(&self.host, ticket).await {
            answers.refuse_decided(&refusal);
        }
        if let (Some(away), Some(forwarder)) = (away, self.forwarder()) {
            away.settle(self, forwarder, &mut |index, told| answers.tell(index, told)).await;
        }
        self.metrics.decided(arrived, answers.finish());
    }

    /// Decides several checks; the answers come in order.
    pub(crate) async fn check_all(&self, asks: &[Ask<'_>]) -> Answers {
        let mut answers = Answers::default();
        let pending = self.decide(asks, Routing::Any, &mut answers).await;
        self.settle(pending, &mut answers).await;
        answers
    }

    /// Decides one check.
    ///
    /// # Errors
    /// [`Refusal`] when there is no decision.
    pub(crate) async fn check(&self, ask: Ask<'_>) -> Result<Decision, Refusal> {
        let answers = self.check_all(&[ask]).await;
        let answer = answers.iter().next();
        answer.unwrap_or(Err(&Refusal::Undecided)).copied().map_err(Clone::clone)
    }

    /// Forgets what a client has used, whichever command charged it: beside a key of the default namespace lies that of `CL.THROTTLE`.
    ///
    /// # Errors
    /// [`Refusal`] when it was not done.
    pub(crate) async fn reset(&self, key: LimitKey<'_>) -> Result<(), Refusal> {
        if key.namespace != Namespace::DEFAULT {
            return self.change(key, Change::Reset).await;
        }
        let beside = LimitKey::new(Namespace::THROTTLE, key.client);
        let (configured, throttled) = tokio::join!(self.change(key, Change::Reset), self.change(beside, Change::Reset));
        configured.and(throttled)
    }

    /// Gives cost back that was charged at `decided_at`, in the time of the shard; absent: just now.
    ///
    /// # Errors
    /// [`Refusal`] when it was not done.
    pub(crate) async fn refund(
        &self,
        key: LimitKey<'_>,
        cost: Cost,
        decided_at: Option<ShardTime>,
    ) -> Result<(), Refusal> {
        self.change(key, Change::Refund { cost, decided_at }).await
    }

    /// Changes a counter wherever it is.
    async fn change(&self, key: LimitKey<'_>, change: Change) -> Result<(), Refusal> {
        let done = refusal::change(&self.host, key, change, drl_core::Epoch(0)).await;
        let (Some(forwarder), Err(Refusal::NotHere(not_here))) = (self.forwarder(), &done) else { return done };
        let mut away = Away::new();
        away.not_here(Errand::change(key, change), not_here.clone(), forwarder);
        away.depart(forwarder);
        let mut done = Err(Refusal::Undecided);
        away.settle(self, forwarder, &mut |_, told| done = told.map(|_| ())).await;
        done
    }
}
