//! Who should hold which shard. The ring proposes, the planner bounds the load and moves the least; neither decides anything:
//! what holds is what the ownership records say.
//!
//! * who may hold shards: [`Member`], on its machine, with its [`Duty`]
//! * the ring: [`Ring`], the only user of `hashring`; `position.rs` says where things stand on it, `preference.rs` walks it
//! * who holds what: [`Placement`], a table of [`Seats`], both as it is and as it should be
//! * the planner: [`plan`] (`plan/owners.rs`, then `plan/followers.rs`), within the [`Band`] around the mean
//! * the way there: [`moves`], from one placement to another, in the order of least disruption
//!
//! Absent on purpose: no clock, no IO, no randomness, no floating point, no order that depends on a hash table. The same
//! members and the same present placement give the same plan on every node.

mod band;
mod member;
mod moves;
mod placement;
mod plan;
mod position;
mod preference;
mod ring;

pub use band::Band;
pub use member::{Duty, Member};
pub use moves::{Move, MoveKind, moves};
pub use placement::{Placement, Seats};
pub use plan::plan;
pub use ring::{Ring, VIRTUAL_NODES};
