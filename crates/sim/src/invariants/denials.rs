//! I9: no needless denial. The rule is in `history/needless.rs`.

use drl_core::{Epoch, ShardTime};

use super::Violation;
use crate::history::{Denied, is_needed};
use crate::trace::{Client, Decided};

pub(super) fn check(client: &Client, denied: &Decided, floor: Option<(Epoch, ShardTime)>) -> Result<(), Violation> {
    let denial = Denied { sent: denied.real, at: Some(denied.at), cost: denied.cost };
    let lost = floor.map(|(_, floor)| i128::from(denied.at.0) - i128::from(floor.0));
    if is_needed(&client.policy, &client.admitted, &denial, lost) {
        return Ok(());
    }
    let what =
        format!("{denied:?} ({} {:?}) is denied without need", client.policy.algorithm(), client.policy.limits());
    Err(Violation::new("I9", denied.real, what))
}
