//! The backend that asks each check's owner.
//!
//! ```text
//!   checks -- route --> a line for each owner --> answers
//!                ^                                   |  refused, or not answered
//!                +------ pause, or at once ----------+  until the deadline; then the policy's on_unavailable
//! ```
//!
//! * `round.rs` asks once, `insist.rs` again and again, `single.rs` what is no check
//!
//! Invariants: no call takes longer than its deadline; a call that is dropped leaves nothing behind; everything that needs a timer runs in
//! the runtime in which the limiter was made, so that a caller may wait anywhere.

mod insist;
mod round;
mod single;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use drl_core::{Cost, LimitKey, Nanos, ShardTime};
use drl_limits::{Decision, OnUnavailable};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::backend::{Answer, Backend, Terms, WhenUnavailable};
use crate::clock;
use crate::connection::Connections;
use crate::error::CheckError;
use crate::fallback::Fallback;
use crate::line::Line;
use crate::placement::{NodeName, Owner, Placement};
use crate::request::CheckRequest;
use crate::routing::round::Owed;
use crate::task::Task;
use crate::watcher::Watcher;

/// How a routing client behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) within: Duration,
    pub(crate) on_unavailable: OnUnavailable,
    /// For how long a connection may be unused.
    pub(crate) idle: Duration,
}

/// Asks the owner of each check.
pub(crate) struct Routing {
    world: Arc<World>,
    within: Duration,
    _watcher: Task,
}

/// What calls share.
struct World {
    runtime: Handle,
    connections: Arc<Connections>,
    idle: Duration,
    placement: Arc<watch::Sender<Placement>>,
    /// Rung when an owner says that the placement is behind.
    doubt: Arc<Notify>,
    lines: RwLock<BTreeMap<(NodeName, Purpose), Arc<Line>>>,
    fallback: Fallback,
    /// From when on the fallback counts time.
    began: Instant,
}

/// What a line is for. A stream has so many messages under way; what a node has to pass on must not take the places of what it owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    /// Checks of shards that the node owns.
    Owner,
    /// Checks that it passes on to an owner which cannot be reached from here.
    Detour,
}

/// When a call has to be over.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    within: Duration,
    at: Instant,
}

impl Deadline {
    fn new(within: Duration) -> Self {
        let now = clock::now();
        // A deadline that cannot be counted is as good as a year.
        let at = now.checked_add(within).unwrap_or_else(|| now + Duration::from_hours(365 * 24));
        Self { within, at }
    }

    fn left(self) -> Duration {
        self.at.saturating_duration_since(clock::now())
    }

    fn is_over(self) -> bool {
        self.left().is_zero()
    }
}

impl Routing {
    /// A client that follows `placement` through `watcher`, on `runtime`.
    pub(crate) fn new(watcher: Watcher, placement: Placement, options: Options, runtime: Handle) -> Self {
        let connections = watcher.connections();
        let placement = Arc::new(watch::Sender::new(placement));
        let doubt = Arc::new(Notify::new());
        let watcher = Task::spawn(&runtime, watcher.follow(Arc::clone(&placement), Arc::clone(&doubt)));
        let world = World {
            runtime,
            connections,
            idle: options.idle,
            placement,
            doubt,
            lines: RwLock::default(),
            fallback: Fallback::new(options.on_unavailable),
            began: clock::now(),
        };
        Self { world: Arc::new(world), within: options.within, _watcher: watcher }
    }

    fn deadline(&self, terms: Terms) -> Deadline {
        Deadline::new(terms.within.unwrap_or(self.within))
    }

    async fn decide(&self, checks: &[CheckRequest<'_>], terms: Terms) -> Vec<Result<Decision, CheckError>> {
        let deadline = self.deadline(terms);
        let mut answers = vec![Err(CheckError::Closed); checks.len()];
        let owed = (0..).zip(checks).map(|(index, check)| Owed::new(index, check.key(), check.units()));
        let left = self.world.round(owed.collect(), deadline, &mut answers).await;
        if !left.is_empty() {
            insist::insist(&self.world, left, deadline, &mut answers).await;
        }
        if terms.when_unavailable == WhenUnavailable::Decide {
            for (answer, check) in answers.iter_mut().zip(checks) {
                if answer.as_ref().is_err_and(is_for_the_policy) {
                    *answer = Ok(self.world.fallback.decide(check.key(), check.units(), self.world.now()));
                }
            }
        }
        answers
    }
}

/// Whether a policy has a say: not about what is the caller's to mend.
const fn is_for_the_policy(error: &CheckError) -> bool {
    !matches!(error, CheckError::Invalid(_) | CheckError::Closed)
}

impl World {
    /// Time as the fallback counts it.
    fn now(&self) -> Nanos {
        Nanos::from(self.began.elapsed())
    }

    /// The way to `owner`; it is made when it is first needed, and anew when the node has another address.
    fn line(&self, owner: &Owner, purpose: Purpose) -> Arc<Line> {
        let key = (Arc::clone(&owner.node), purpose);
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(&key).filter(|line| line.serves(owner)) {
            return Arc::clone(line);
        }
        drop(lines);
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(&key).filter(|line| line.serves(owner)) {
            return Arc::clone(line);
        }
        let placement = self.placement.borrow();
        lines.retain(|(node, _), _| placement.address(node).is_some());
        drop(placement);
        let shared = (Arc::clone(&self.connections), self.placement.subscribe());
        let line = Arc::new(Line::open(owner.clone(), self.idle, shared, &self.runtime));
        lines.insert(key, Arc::clone(&line));
        line
    }
}

impl Backend for Routing {
    fn check<'a>(
        &'a self,
        checks: &'a [CheckRequest<'a>],
        terms: Terms,
    ) -> Answer<'a, Vec<Result<Decision, CheckError>>> {
        Box::pin(self.decide(checks, terms))
    }

    fn peek<'a>(&'a self, check: CheckRequest<'a>, terms: Terms) -> Answer<'a, Result<Decision, CheckError>> {
        Box::pin(async move {
            let peeked = single::peek(&self.world, check, self.deadline(terms)).await;
            match peeked {
                Err(error) if terms.when_unavailable == WhenUnavailable::Decide && is_for_the_policy(&error) => {
                    Ok(self.world.fallback.decide(check.key(), Cost::PEEK, self.world.now()))
                }
                peeked => peeked,
            }
        })
    }

    fn refund<'a>(
        &'a self,
        key: LimitKey<'a>,
        cost: Cost,
        decided_at: Option<ShardTime>,
        terms: Terms,
    ) -> Answer<'a, Result<(), CheckError>> {
        Box::pin(single::refund(&self.world, key, cost, decided_at, self.deadline(terms)))
    }

    fn reset<'a>(&'a self, key: LimitKey<'a>, terms: Terms) -> Answer<'a, Result<(), CheckError>> {
        Box::pin(single::reset(&self.world, key, self.deadline(terms)))
    }
}
