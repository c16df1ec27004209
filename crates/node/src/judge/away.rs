//! The part of a batch that other nodes decide. It goes round until every errand has an outcome: owners are asked, an owner that
//! names another one is followed, and what passes by itself is asked again a little later, beginning with this node. So is what was
//! not sent because its owner is out of reach, for a moment.
//!
//! ```text
//!   toward --(sent at once)--> sent --(answers)--> outcome
//!     ^                                   |
//!     +----- another owner is named <-----+-----> later --(pause)--> this node --> outcome, toward, or later
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use drl_core::caps::FORWARD_MILLIS_MAX;
use drl_core::{Epoch, Nanos, NodeId};
use drl_host::{Host, NotHere, clock};

use crate::forward::Forwarder;
use crate::forward::errand::{self, Errand};
use crate::forward::outcome::{PeerRefusal, Told, Undelivered};
use crate::forward::parcel::Waiting;
use crate::forward::pause::{self, Pause};
use crate::judge::Judge;
use crate::judge::course::{self, Next};
use crate::judge::moved;
use crate::metrics::Forwarded;
use crate::refusal::{self, Refusal};

/// Pauses between tries: a shard that moves is back within some of them.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(50));

/// Takes the outcome of the errand with this place.
pub(super) type Sink<'a> = dyn FnMut(usize, Result<Told, Refusal>) + Send + 'a;

pub(super) struct Away {
    began: Nanos,
    /// Errands that can be sent now.
    toward: BTreeMap<NodeId, Vec<Errand>>,
    sent: Vec<Sent>,
    /// Errands that are tried again after a pause.
    later: Vec<Errand>,
    /// Errands without an outcome that were given up.
    refused: Vec<(usize, Refusal)>,
}

struct Sent {
    node: NodeId,
    errands: Vec<Errand>,
    waiting: Waiting,
}

impl Away {
    pub(super) fn new() -> Self {
        Self {
            began: clock::monotonic(),
            toward: BTreeMap::new(),
            sent: Vec::new(),
            later: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// This node said that it does not carry out `errand`.
    pub(super) fn not_here(&mut self, errand: Errand, not_here: NotHere, forwarder: &Forwarder) {
        let placement = forwarder.placement().borrow();
        let shard = shard(&not_here);
        let next = course::after_here(&not_here, forwarder.me(), placement.seat(shard));
        drop(placement);
        self.go(errand, next, Refusal::NotHere(not_here));
    }

    /// A peer, asked as the owner, said that it does not.
    fn not_there(&mut self, mut errand: Errand, not_here: NotHere, forwarder: &Forwarder) {
        let next = course::after_peer(&not_here, forwarder.me(), Epoch(errand.check.epoch), errand.redirects);
        if matches!(next, Next::Ask(..)) {
            errand.redirects = errand.redirects.saturating_add(1);
        }
        self.go(errand, next, Refusal::NotHere(not_here));
    }

    /// The owner said nothing, and others own the shards by now. What it decided and could not say counts, so such a check may be charged
    /// twice; nobody gets more than the limit by it.
    fn follow(&mut self, errands: Vec<Errand>, host: &Host, forwarder: &Forwarder) {
        let placement = Arc::clone(&forwarder.placement().borrow());
        for mut errand in errands {
            let shard = moved::shard(&errand, host);
            let seat = shard.and_then(|shard| placement.seat(shard));
            let next = course::after_silence(seat, forwarder.me(), errand.redirects);
            errand.redirects = errand.redirects.saturating_add(1);
            self.go(
                errand,
                next,
                shard.map_or(Refusal::Undecided, |shard| Refusal::NotHere(NotHere::Unavailable { shard })),
            );
        }
    }

    /// `refusal` is the outcome if there is to be no further try.
    fn go(&mut self, mut errand: Errand, next: Next, refusal: Refusal) {
        match next {
            Next::Ask(node, epoch) => {
                errand.check.epoch = epoch.0;
                self.toward.entry(node).or_default().push(errand);
            }
            Next::Later(patience) if self.since() < patience => self.later.push(errand),
            Next::Later(_) | Next::Refuse => self.refused.push((errand.index, refusal)),
        }
    }

    fn since(&self) -> Duration {
        elapsed(self.began)
    }

    /// Sends what can be sent.
    pub(super) fn depart(&mut self, forwarder: &Forwarder) {
        for (node, errands) in std::mem::take(&mut self.toward) {
            match forwarder.send(&node, &errands) {
                Ok(waiting) => self.sent.push(Sent { node, errands, waiting }),
                Err(undelivered) => self.undelivered(errands, &undelivered),
            }
        }
    }

    fn undelivered(&mut self, errands: Vec<Errand>, undelivered: &Undelivered) {
        let next = match undelivered {
            Undelivered::Unreachable { since, .. } => course::after_out_of_reach(elapsed(*since)),
            Undelivered::Crowded { .. } | Undelivered::Unanswered { .. } => Next::Refuse,
        };
        for errand in errands {
            self.go(errand, next.clone(), Refusal::Undelivered(undelivered.clone()));
        }
    }

    /// Goes on until every errand has an outcome.
    pub(super) async fn settle(mut self, judge: &Judge, forwarder: &Forwarder, sink: &mut Sink<'_>) {
        let mut pause = Pause::new(PAUSES.0, PAUSES.1);
        loop {
            while !self.sent.is_empty() {
                self.collect(judge, forwarder, sink).await;
                self.depart(forwarder);
            }
            for (index, refusal) in self.refused.drain(..) {
                if let Refusal::Undelivered(undelivered) = &refusal {
                    judge.metrics().forwarded(Forwarded::from(undelivered));
                }
                sink(index, Err(refusal));
            }
            if self.later.is_empty() {
                return;
            }
            pause::wait(pause.next()).await;
            self.try_here(judge, forwarder, sink).await;
            self.depart(forwarder);
        }
    }

    /// Waits for the answers to what is sent.
    async fn collect(&mut self, judge: &Judge, forwarder: &Forwarder, sink: &mut Sink<'_>) {
        for Sent { node, errands, waiting } in std::mem::take(&mut self.sent) {
            let left = Duration::from_millis(FORWARD_MILLIS_MAX).saturating_sub(self.since());
            let answers = tokio::select! {
                biased;
                answers = waiting.answers(left) => answers,
                () = moved::all(&node, &errands, judge.host(), forwarder) => {
                    self.follow(errands, judge.host(), forwarder);
                    continue;
                }
            };
            let answers = match answers {
                Ok(answers) => answers,
                Err(undelivered) => {
                    self.undelivered(errands, &undelivered);
                    continue;
                }
            };
            for (errand, answer) in errands.into_iter().zip(answers) {
                judge.metrics().forwarded(Forwarded::from(&answer));
                match answer {
                    Ok(told) => sink(errand.index, Ok(told)),
                    Err(PeerRefusal::NotHere(not_here)) => self.not_there(errand, not_here, forwarder),
                    Err(declined) => self.refused.push((errand.index, declined.into())),
                }
            }
        }
    }

    /// Tries what waited on this node.
    async fn try_here(&mut self, judge: &Judge, forwarder: &Forwarder, sink: &mut Sink<'_>) {
        let later = std::mem::take(&mut self.later);
        let (changes, checks): (Vec<_>, Vec<_>) =
            later.into_iter().partition(|errand| errand::change(&errand.check).is_some());
        for errand in changes {
            let done = match (errand::key(&errand.check), errand::change(&errand.check)) {
                (Ok(key), Some(change)) => refusal::change(judge.host(), key, change, Epoch(errand.check.epoch)).await,
                _ => Err(Refusal::Undecided),
            };
            match done {
                Err(Refusal::NotHere(not_here)) => self.not_here(errand, not_here, forwarder),
                done => sink(errand.index, done.map(|()| Told::Done)),
            }
        }
        if !checks.is_empty() {
            self.check_here(checks, judge, forwarder, sink).await;
        }
    }

    async fn check_here(&mut self, errands: Vec<Errand>, judge: &Judge, forwarder: &Forwarder, sink: &mut Sink<'_>) {
        let (mut answers, mut decided) = (Vec::with_capacity(errands.len()), Vec::new());
        let ticket = {
            // Every check was an ask before, so it is one again.
            let asks: Vec<_> = errands.iter().filter_map(Errand::ask).collect();
            refusal::decide(judge.host(), &asks, &mut answers).await
        };
        let ticket = match ticket {
            Ok(ticket) => ticket,
            Err(refusal) => {
                self.refused.extend(errands.into_iter().map(|errand| (errand.index, refusal.clone())));
                return;
            }
        };
        for (errand, answer) in errands.into_iter().zip(answers) {
            match answer {
                Ok(decision) => decided.push((errand.index, decision)),
                Err(not_here) => self.not_here(errand, not_here, forwarder),
            }
        }
        // What others are to decide need not wait for this node's journal.
        self.depart(forwarder);
        let committed = refusal::committed(judge.host(), ticket).await;
        for (index, decision) in decided {
            sink(index, committed.clone().map(|()| Told::Decided(decision)));
        }
    }
}

fn elapsed(since: Nanos) -> Duration {
    Duration::from_nanos(clock::monotonic().0.saturating_sub(since.0))
}

fn shard(not_here: &NotHere) -> drl_core::ShardId {
    match not_here {
        NotHere::NotOwner { shard, .. }
        | NotHere::Moving { shard }
        | NotHere::Unavailable { shard }
        | NotHere::Behind { shard } => *shard,
    }
}
