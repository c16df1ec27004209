//! The routing client against nodes that do what a test says: over real sockets, but without a cluster.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod accepted;
mod asking;
mod connecting;
mod connections;
mod node;
mod trouble;
mod unavailable;
