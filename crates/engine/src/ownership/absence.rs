//! How long the holders that records name have been gone, by this node's own clock.
//!
//! Rule (protocol, cold take-over): the keys of owner and in-sync follower are absent or of another generation, continuously for
//! A (1 + rho) + delta on the waiting node's own clock, and compared so again in the transaction itself. A watch may have missed
//! that a key came back for a moment and left again, and coming back renews a deadline. So what is compared is evidence that it
//! did not: an absent key whose holder has not sent a heartbeat since, or a key of another generation that has stood since.
//! Whenever the evidence changes, the waiting begins again.
//!
//! A node that joins meanwhile has seen nothing of it, and could only wait from its own beginning. If the ring names that one, whoever
//! the ring would name without it takes over (`claim.rs`), so that nobody who joins prolongs the waiting. So it is also kept who joined
//! when.

use std::collections::{BTreeMap, BTreeSet};

use drl_core::{Generation, Nanos, NodeId};

use super::known::Known;
use super::record::Holder;
use super::transaction::Guard;
use super::view::Revision;

/// Why a holder counts as gone, in a form that a transaction can compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Evidence {
    /// No key, and no heartbeat after this revision.
    Absent { last_beat: Revision },
    /// A key of another generation, in place since this revision.
    Replaced { created: Revision },
}

#[derive(Debug, Clone, Copy)]
struct Gone {
    since: Nanos,
    evidence: Evidence,
}

/// Everybody who is named by a record and is gone, and since when everybody else is there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Absences {
    gone: BTreeMap<Holder, Gone>,
    joined: BTreeMap<NodeId, (Generation, Nanos)>,
}

impl Absences {
    /// Looks at everybody again after something was learned.
    pub(crate) fn observe(&mut self, known: &Known, now: Nanos) {
        let mut gone = BTreeMap::new();
        for holder in known.fences() {
            let Some(evidence) = evidence(known, holder) else { continue };
            let before = self.gone.get(holder).filter(|before| before.evidence == evidence);
            let since = before.map_or(now, |before| before.since);
            gone.insert(holder.clone(), Gone { since, evidence });
        }
        self.gone = gone;
        let joined = known.living().map(|(node, entry)| {
            let before = self.joined.get(node).filter(|(generation, _)| *generation == entry.generation);
            (node.clone(), before.copied().unwrap_or((entry.generation, now)))
        });
        self.joined = joined.collect();
    }

    /// Who joined when all of them were gone already.
    pub(crate) fn joined_after(&self, gone: &[Holder]) -> BTreeSet<NodeId> {
        let since = gone.iter().filter_map(|holder| self.gone.get(holder)).map(|gone| gone.since).max();
        let is_later = |joined: Nanos| since.is_some_and(|since| joined > since);
        self.joined.iter().filter(|(_, (_, at))| is_later(*at)).map(|(node, _)| node.clone()).collect()
    }

    /// When `holder` will have been gone for `wait`; `None` when it is not gone.
    pub(crate) fn over_at(&self, holder: &Holder, wait: Nanos) -> Option<Nanos> {
        self.gone.get(holder).map(|gone| Nanos(gone.since.0.saturating_add(wait.0)))
    }

    /// What a transaction compares, so that it happens only if `holder` is still gone and never came back, and if the `time_hi` that
    /// shard time will start from is still its node's last one.
    pub(crate) fn guards(&self, holder: &Holder, known: &Known) -> Vec<Guard> {
        let node: NodeId = holder.node.clone();
        match self.gone.get(holder).map(|gone| gone.evidence) {
            None => Vec::new(),
            Some(Evidence::Absent { last_beat }) => {
                vec![Guard::NodeAbsent(node.clone()), Guard::Beat { node, changed: last_beat }]
            }
            Some(Evidence::Replaced { created }) => {
                let changed = known.beat(&node).map_or(Revision(0), |beat| beat.changed);
                vec![Guard::NodeSince { node: node.clone(), created }, Guard::Beat { node, changed }]
            }
        }
    }

    /// The next time at which anybody will have been gone for `wait`.
    pub(crate) fn next_over(&self, wait: Nanos, after: Nanos) -> Option<Nanos> {
        let times = self.gone.values().map(|gone| Nanos(gone.since.0.saturating_add(wait.0)));
        times.filter(|time| *time > after).min()
    }
}

fn evidence(known: &Known, holder: &Holder) -> Option<Evidence> {
    match known.node(&holder.node) {
        None => Some(Evidence::Absent { last_beat: known.beat(&holder.node).map_or(Revision(0), |beat| beat.changed) }),
        Some(entry) if entry.generation != holder.generation => Some(Evidence::Replaced { created: entry.created }),
        Some(_) => None,
    }
}
