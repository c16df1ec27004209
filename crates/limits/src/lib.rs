//! Policies, limits and the algorithms that keep them. Everything here is a value or a function of its arguments.
//!
//! * what is allowed: [`Policy`] (checked and immutable, from a [`PolicySpec`]), [`Limit`], [`Window`], [`Algorithm`]
//! * what was used: [`Counter`], read with its [`Shape`]; stored as bytes in `counter/encoding.rs`
//! * the answer: [`Decision`], [`Retry`], [`Reason`]
//! * the algorithms: `fixed_window.rs`, `sliding_window.rs`, `token_bucket.rs`, behind `cell.rs`
//! * `counter/verdict.rs` decides over several limits, `counter/convert.rs` carries use over a change of policy,
//!   `counter/loss.rs` where state was lost before it
//! * [`mod@reference`]: the same algorithms, slow and obvious, and checkers of traces, for tests
//!
//! Absent on purpose: no clock (`now` is an argument), no floating point, no randomness, no IO, no panic.

mod algorithm;
mod bytes;
mod cell;
mod classes;
mod counter;
mod decision;
mod fixed_window;
mod limit;
mod policy;
#[doc(hidden)]
pub mod reference;
mod shape;
mod sliding_window;
mod token_bucket;
mod wide;
mod window;

pub use algorithm::Algorithm;
pub use classes::{Carry, Durability, Mode, OnStateLoss, OnUnavailable, UnknownName};
pub use counter::{CorruptCounter, Counter, Loss};
pub use decision::{Decision, Reason, Retry};
pub use limit::{InvalidLimit, Limit};
pub use policy::{InvalidPolicy, Policy, PolicySpec};
pub use shape::{CorruptShape, Shape};
pub use sliding_window::SUB_WINDOWS;
pub use window::{InvalidWindow, Window};
