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
