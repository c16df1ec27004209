//! Ownership as a driver sees it: events in, the whole list of commands out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(
    clippy::unnecessary_wraps,
    clippy::large_types_passed_by_value,
    reason = "what is put into a view is optional there"
)]

mod claims;
mod heartbeat;
mod node;
mod session;
mod spread;
