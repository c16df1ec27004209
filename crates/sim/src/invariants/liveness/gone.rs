//! L1 for a shard that nobody runs for: when somebody must have taken it over.
//!
//! From the protocol (sections 2, 4 and 5): whoever has seen the same evidence of absence for A (1 + rho) + delta of its own clock may take
//! over, and it sees nothing before its session begins. The ring says who does; but not one that joined when others waited already, as
//! long as one of those is there. So a shard answers that long after whatever is last of
//!
//! * the last change of the evidence: a key went, came back or was replaced, or an absent node's heartbeat arrived late
//! * the end of faults, and what a lost request costs
//! * if nobody else is there, the beginning of the taker's session, however late its process starts (one that was drained comes back after
//!   10 s, one whose name was in use after 8 s).
//!
//! If another one is named meanwhile, that one may have waited for long enough already, and has to act at once.

use drl_engine::ownership::{Holder, Revision};

use super::{LEFT_OVER, TRIED_WITHIN};
use crate::swarm::MILLIS;

/// A (1 + rho) + delta is 60.16 s; a clock that is slow by rho = 0.001 shows that after 60.16 / 0.999 s.
const COLD_WAIT: u64 = 60_221 * MILLIS;

/// How those stand whom a record names.
pub(crate) type Fences = Vec<(Holder, Evidence)>;

/// Nobody runs whom the record names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gone {
    /// What must not change while somebody waits; empty if there is no record, and nobody to wait for.
    pub(crate) evidence: Fences,
    /// Who has to take over; `None` if that is nobody, or one that does not run, or that drains.
    pub(crate) taker: Option<Holder>,
}

/// How the key of somebody who is gone stands in etcd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// Nobody keeps it alive: it goes within a TTL.
    Lingers,
    Absent {
        last_beat: Revision,
    },
    Replaced {
        created: Revision,
    },
}

/// Since when, by real time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Since {
    /// The evidence stands.
    pub(super) evidence: u64,
    /// The ring names this taker.
    pub(super) named: u64,
    /// The taker's session stands.
    pub(super) session: u64,
}

/// Until when the taker must answer.
pub(super) fn answers_by(gone: &Gone, since: Since, healed: u64) -> u64 {
    let wait = if gone.evidence.is_empty() { 0 } else { COLD_WAIT };
    let looks_from = since.evidence.max(since.session).max(healed + LEFT_OVER);
    (looks_from + wait).max(since.named) + TRIED_WITHIN
}

#[cfg(test)]
mod tests {
    use drl_core::{Generation, NodeId};

    use super::*;
    use crate::swarm::SECOND;

    const HEALED: u64 = 100 * SECOND;

    fn holder(name: &str) -> Holder {
        Holder { node: NodeId::new(name).unwrap(), generation: Generation(1) }
    }

    fn gone() -> Gone {
        let evidence = Evidence::Absent { last_beat: Revision(7) };
        Gone { evidence: vec![(holder("n1"), evidence)], taker: Some(holder("n2")) }
    }

    fn by(evidence: u64, named: u64, session: u64) -> u64 {
        answers_by(&gone(), Since { evidence, named, session }, HEALED)
    }

    #[test]
    fn what_has_to_be_waited_for_is_what_the_engine_waits_for_by_the_slowest_clock() {
        let wait = drl_engine::ownership::Authority::default().cold_wait().0;
        assert_eq!((wait * 1_000).div_ceil(999).div_ceil(MILLIS), COLD_WAIT / MILLIS);
    }

    #[test]
    fn a_taker_that_was_there_counts_from_the_evidence_and_one_that_came_late_from_its_beginning() {
        let early = by(110 * SECOND, 0, 50 * SECOND);
        assert_eq!(early, 110 * SECOND + COLD_WAIT + TRIED_WITHIN);
        assert_eq!(by(110 * SECOND, 111 * SECOND, 120 * SECOND), early + 10 * SECOND);
    }

    #[test]
    fn before_faults_have_ended_nothing_counts() {
        assert_eq!(by(0, 0, 0), HEALED + LEFT_OVER + COLD_WAIT + TRIED_WITHIN);
    }

    #[test]
    fn one_that_is_named_when_it_has_waited_long_enough_acts_at_once() {
        assert_eq!(by(110 * SECOND, 190 * SECOND, 0), 190 * SECOND + TRIED_WITHIN);
    }

    #[test]
    fn nobody_is_waited_for_where_there_is_no_record() {
        let nobody = Gone { evidence: Vec::new(), ..gone() };
        let since = Since { evidence: HEALED, named: 120 * SECOND, session: 120 * SECOND };
        assert_eq!(answers_by(&nobody, since, HEALED), 120 * SECOND + TRIED_WITHIN);
    }
}
