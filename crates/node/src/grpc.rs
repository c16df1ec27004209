//! The gRPC door: the services of `proto/drl/v1`.
//!
//! * `door.rs` lets connections in and keeps their limits; `stream.rs` is a connection as tonic wants it
//! * `check.rs` (with `check_stream.rs`, its `columns.rs`, and `numbered.rs`) and `limits.rs` are for clients, `peer.rs` and `replication.rs` for the other nodes of a cluster
//! * `admin.rs` (with `explain.rs`, `draining.rs` and `shards.rs`; `asking.rs` asks the others) and `placing.rs` say how things stand
//! * `convert.rs` turns messages into nouns and back, `status.rs` every error, `refusals.rs` the refusal of one check among others

mod admin;
mod asking;
mod check;
mod check_stream;
mod columns;
mod convert;
pub(crate) mod door;
mod draining;
mod explain;
mod limits;
mod numbered;
mod peer;
mod placing;
mod refusals;
pub(crate) mod replication;
mod shards;
mod status;
mod stream;
