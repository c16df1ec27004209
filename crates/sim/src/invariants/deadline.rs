//! I7: every reply leaves before the deadline that applies. By real time: within A of the moment at which the last heartbeat was
//! sent that reached etcd. Source: protocol, authority deadline.

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

/// Whoever is past its deadline drops every role and begins another lifetime (epoch rule 4). `before`: until when it knew that it may
/// answer. A heartbeat whose answer was lost binds nobody: its sender never answered by it.
pub(super) fn check_that_it_may_go_on(node: usize, before: Option<u64>, now: u64) -> Result<(), Violation> {
    let Some(before) = before.filter(|before| *before < now) else { return Ok(()) };
    let what = format!("n{node} goes on {} ms after its authority had ended", (now - before) / 1_000_000);
    Err(Violation::new("rule 4", now, what))
}
