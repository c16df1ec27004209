//! L1, loosely: when faults are over, every shard answers again: soon where its owner or its follower in sync is up, and after TTL + A
//! where both are gone for good. The 2 s that the protocol demands of the former are not measured here. Source: protocol, invariants and the table of failovers.

use super::Violation;
use crate::swarm::SECOND;
use crate::trace::Client;

/// The last part of a run, in which every shard must have answered. The time before it is longer than TTL + A.
const LAST: u64 = 25 * SECOND;

pub(super) fn check(answered: &[u64], clients: &[Client], end: u64) -> Result<(), Violation> {
    let silent = answered.iter().enumerate().find(|(shard, answered)| {
        let is_asked = clients.iter().any(|client| client.shard.index() == *shard);
        is_asked && **answered + LAST < end
    });
    match silent {
        None => Ok(()),
        Some((shard, answered)) => {
            let what = format!("shard {shard} has not answered since {} s", answered / SECOND);
            Err(Violation::new("L1", end, what))
        }
    }
}
