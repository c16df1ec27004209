//! What must hold for every policy and every history. Each file is a family of claims; `scenario.rs` makes the histories.

// The lint's own exception covers test functions only, and these files are nothing but tests.
#![allow(clippy::unwrap_used)]

mod against_reference;
mod conversion;
mod encoding;
mod extremes;
mod fairness;
mod planted_bugs;
mod refund;
mod return_of_a_policy;
mod scenario;
mod time;
mod waiting;
