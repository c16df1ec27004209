//! I7: every reply leaves before the deadline that applies. By real time: within A of the moment at which the last heartbeat was
//! sent that reached etcd. Source: protocol, authority deadline.

use drl_core::NodeId;
use drl_engine::ownership::Holder;

use super::Violation;
use crate::swarm::SECOND;
use crate::trace::Decided;

/// A.
pub(super) const AUTHORITY: u64 = 60 * SECOND;

pub(super) fn check(decided: &Decided, limit: u64, now: u64) -> Result<(), Violation> {
    if now <= limit {
        return Ok(());
    }
    let over = (now - limit) / 1_000_000;
    Err(Violation::new("I7", now, format!("{decided:?} is answered {over} ms after its authority had ended")))
}

/// The same for acknowledgements (epoch rule 3).
pub(super) fn check_acknowledgement(by: &Holder, limit: u64, now: u64) -> Result<(), Violation> {
    if now <= limit {
        return Ok(());
    }
    let over = (now - limit) / 1_000_000;
    Err(Violation::new("I7", now, format!("{by:?} acknowledges {over} ms after its authority had ended")))
}

/// Whoever is past its deadline drops every role and begins another lifetime (epoch rule 4). `before`: when its authority ended, 0 when
/// it never had any.
pub(super) fn check_beat(node: &NodeId, before: u64, sent: u64) -> Result<(), Violation> {
    if before == 0 || sent <= before {
        return Ok(());
    }
    let what = format!("{node} goes on {} ms after its authority had ended", (sent - before) / 1_000_000);
    Err(Violation::new("rule 4", sent, what))
}
