//! The gRPC door: the services `RateLimit` and `Limits` of `proto/drl/v1`.
//!
//! * `door.rs` lets connections in and keeps their limits; `stream.rs` is a connection as tonic wants it
//! * `check.rs` and `limits.rs` are the services, `convert.rs` turns messages into nouns and back, `status.rs` every error

mod check;
mod convert;
pub(crate) mod door;
mod limits;
mod status;
mod stream;
