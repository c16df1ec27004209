//! What was admitted to one client, and whether it was too much, or a denial needless: the part of the checker that needs no look into a
//! node. Two users: the simulator, which knows the real time of every decision, and the torture of real processes, which knows that a
//! decision fell between the question and its answer.
//!
//! * `over.rs`: I4 and I4t, in shard time and by a clock that nobody has
//! * `needless.rs`: I9

mod needless;
mod over;
#[cfg(test)]
mod tests;

use drl_core::ShardTime;

pub use needless::is_needed;
pub use over::{Overdraft, in_real_time, in_shard_time};

/// An admission, or a charge that nobody heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    /// It was decided between these two moments of real time, in nanoseconds; the simulator has one moment for both.
    pub sent: u64,
    pub real: u64,
    /// When it was decided by the shard's own time. `None`: whoever asked was not told.
    pub at: Option<ShardTime>,
    pub cost: u64,
    /// Whether the answer left. What was not answered was not admitted, and may count as used.
    pub answered: bool,
}

/// A denial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied {
    /// Not decided before this, by real time.
    pub sent: u64,
    pub at: Option<ShardTime>,
    pub cost: u64,
}
