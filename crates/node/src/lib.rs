//! The process: RESP, HTTP and gRPC doors over a host. [`Node::start`] opens everything, [`Node::run`] serves until it is told to stop.
//!
//! * `node.rs` starts and stops; `options.rs` says how, `error.rs` why not; `listen.rs` and `files.rs` are what it asks the system for
//! * `resp.rs`, `http.rs`, `grpc.rs` are the doors; `entrance.rs` and `places.rs` are what they share: connections are counted and capped
//! * `judge.rs` and `refusal.rs` lead from a request to a decision, or to the reason why there is none
//! * `policies.rs` keeps the policies in the node's own store; `metrics.rs` counts
//!
//! Absent on purpose: no door decides anything, reads a clock other than `drl_host::clock`, or knows RocksDB.

mod entrance;
mod error;
mod files;
mod grpc;
mod http;
mod judge;
mod listen;
mod metrics;
mod node;
mod options;
mod places;
mod policies;
mod refusal;
mod resp;

pub use error::{RunError, StartError};
pub use listen::Addresses;
pub use node::Node;
pub use options::NodeOptions;
pub use policies::LoadError;
