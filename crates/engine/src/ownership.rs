//! Who answers for which shard, as one node knows and drives it: a pure state machine from events to commands.
//!
//! * what etcd holds: `record.rs` (who owns a shard, and the only ways to change that), `view.rs` (what was read, and when),
//!   `transaction.rs` (what is compared, what is written)
//! * what the node's directory holds: `marker.rs` (which holdings it may resume), `promise.rs`
//! * the rules of time: `authority.rs` (until when a node may answer), `absence.rs` (how long somebody has been gone),
//!   `clock.rs` (shard time)
//! * the machine: `agent.rs` dispatches, `pending.rs` takes answers, `planning.rs` asks the ring, `copies.rs` for whom an owner has copies,
//!   `invitations.rs` which copies this node has, `hearing.rs` who says nothing;
//!   `session.rs`, `heartbeat.rs`, `reading.rs`, `claim.rs`, `adopt.rs`, `spread.rs` act
//! * `bugs.rs`: the rules that a simulator can break on purpose
//!
//! Absent on purpose: no clock, no randomness, no order that depends on a hash table, no waiting. Records decide, not the answers
//! to transactions: whoever is named by a record, with its present generation, is the owner, however it learned of it.

mod absence;
mod adopt;
mod agent;
mod alarm;
mod authority;
mod bugs;
mod claim;
mod clock;
mod command;
mod copies;
mod drops;
mod event;
mod followers;
mod following;
mod handoff;
mod hearing;
mod heartbeat;
mod invitations;
mod known;
mod local;
mod marker;
mod pending;
mod planning;
mod promise;
mod reading;
mod record;
mod room;
mod session;
mod spread;
mod stop;
mod transaction;
mod view;

pub use agent::{Copies, Identity, NodeAgent};
pub use authority::Authority;
pub use bugs::{Bug, Bugs, NoBugs};
pub use clock::{BootId, Moment, ShardClock};
pub use command::{Closed, Command, Fact, Report};
pub use event::{Event, Found, FoundShard, Token, Wholeness};
pub use local::Written;
pub use marker::{FloorState, Held, Origin, RoleMarker, Wanted};
pub use promise::Promise;
pub use record::{Holder, ShardRecord};
pub use stop::StopReason;
pub use transaction::{Guard, Outcome, Reads, Transaction, Write};
pub use view::{Beat, ClusterId, LeaseId, NodeEntry, Revision, Scope, Versioned, View};
