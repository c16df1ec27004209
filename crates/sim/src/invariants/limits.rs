//! I4 and I4t: what was admitted and answered, in shard time. The rule is in `history/over.rs`.

use super::Violation;
use crate::history::in_shard_time;
use crate::trace::Client;

pub(super) fn check(number: usize, client: &Client, at: u64) -> Result<(), Violation> {
    in_shard_time(&client.policy, &client.admitted).map_err(|violation| {
        let algorithm = client.policy.algorithm();
        Violation::new("I4", at, format!("client {number} of shard {}, {algorithm}: {violation}", client.shard))
    })
}
