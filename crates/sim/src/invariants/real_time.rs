//! I4 by real time, and what class `async` may admit on top. The rule is in `history/over.rs`.

use super::{Violation, deadline};
use crate::history::in_real_time;
use crate::trace::Client;

/// What class `async` may admit too much (I4a): B for every take-over without a plan that the interval touches.
pub(super) struct Excess<'a> {
    pub(super) bound: u64,
    pub(super) take_overs: &'a [u64],
}

impl Excess<'_> {
    fn of(&self, client: &Client, from: u64, to: u64) -> u64 {
        // An owner that was taken over from, and does not know it, may answer ahead until its deadline.
        let from = from.saturating_sub(deadline::AUTHORITY);
        let touching = self.take_overs.iter().filter(|at| (from..=to).contains(*at)).count() as u64;
        if client.is_async() { touching * self.bound } else { 0 }
    }
}

pub(super) fn check(number: usize, client: &Client, excess: &Excess<'_>, at: u64) -> Result<(), Violation> {
    in_real_time(&client.policy, &client.admitted, |from, to| excess.of(client, from, to)).map_err(|overdraft| {
        let (algorithm, durability) = (client.policy.algorithm(), client.policy.durability());
        let what = format!("client {number} of shard {}, {algorithm} {durability}: {overdraft}", client.shard);
        Violation::new("I4 (real time)", at, what)
    })
}
