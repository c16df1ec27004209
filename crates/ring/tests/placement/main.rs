//! Rings and plans as the cluster uses them: what is frozen, which bounds always hold, what a change of members moves, and that
//! nodes which plan and act on their own come to rest.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bounds;
mod cluster;
mod convergence;
mod draw;
mod golden;
mod history;
mod machines;
