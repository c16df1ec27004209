//! The gRPC door: the services `RateLimit` and `Limits` of `proto/drl/v1`.
//!
//! * `door.rs` lets connections in and keeps their limits; `stream.rs` is a connection as tonic wants it
//! * `check.rs` (with `check_stream.rs` and its `columns.rs`) and `limits.rs` are the services, `convert.rs` turns messages into nouns and back, `status.rs` every error

mod check;
mod check_stream;
mod columns;
mod convert;
pub(crate) mod door;
mod limits;
mod status;
mod stream;
