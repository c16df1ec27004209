//! I4 and I4t: what was admitted and answered, in shard time. Fixed window: the sum of each window is at most the limit. Sliding
//! window: the sum of every interval of its length is. Token bucket: every interval admits at most burst + rate x length. An
//! admission whose answer never left counts as not admitted. Source: protocol, invariants; the definitions of the limits.

use drl_limits::reference::{Admission, Trace};

use super::Violation;
use crate::trace::Client;

pub(super) fn check(number: usize, client: &Client, at: u64) -> Result<(), Violation> {
    let answered = client.admitted.iter().filter(|admitted| admitted.answered);
    let trace = Trace::new(answered.map(|admitted| Admission { at: admitted.at, cost: admitted.cost }).collect());
    trace.check(&client.policy).map_err(|violation| {
        let algorithm = client.policy.algorithm();
        Violation::new("I4", at, format!("client {number} of shard {}, {algorithm}: {violation}", client.shard))
    })
}
