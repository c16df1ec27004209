//! The process: RESP, HTTP and gRPC doors over a host. [`Node::start`] opens everything, [`Node::run`] serves until it is told to stop.
//!
//! * `node.rs` starts and stops; `options.rs` says how, `error.rs` why not; `listen.rs` and `files.rs` are what it asks the system for
//! * `resp.rs`, `http.rs`, `grpc.rs` are the doors; `entrance.rs` and `places.rs` are what they share: connections are counted and capped
//! * `judge.rs` and `refusal.rs` lead from a request to a decision, or to the reason why there is none; `forward.rs` asks the peers
//!   that own the shard
//! * `replication.rs` carries letters between the nodes that share shards; `dial.rs` connects to a node, for it and for `forward.rs`
//! * `joining.rs` makes a node a member of a cluster; `cluster.rs` is what a member is given, and by whom; `surroundings.rs` what a node knows about itself and the others
//! * `policies.rs` keeps the policies in the node's own store, or follows those of the cluster; `metrics.rs` counts
//!
//! Absent on purpose: no door decides anything, reads a clock other than `drl_host::clock`, or knows RocksDB.

mod cluster;
mod dial;
mod entrance;
mod error;
mod files;
mod forward;
mod grpc;
mod http;
mod joining;
mod judge;
mod listen;
mod metrics;
mod node;
mod options;
mod places;
mod policies;
mod refusal;
mod replication;
mod resp;
mod surroundings;

pub use cluster::{BrokenPolicy, ClusterOptions, Member, Refused, Session, Standing, Wait};
pub use drl_membership::{Departure, Node as PlacedNode, NodeAddresses, Placement, Seat};
pub use error::{RunError, StartError};
pub use joining::JoinOptions;
pub use listen::Addresses;
pub use node::Node;
pub use options::NodeOptions;
pub use policies::LoadError;
