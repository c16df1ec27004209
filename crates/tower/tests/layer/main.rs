//! The layer in front of real servers (axum, tonic) on real sockets, and of services that say when they are misused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod axum;
mod service;
mod support;
mod tonic;
