//! A deterministic world around the real engine: nodes with disks and clocks, a model of etcd, clients, faults, and a checker. One
//! thread, one queue, one source of chance: the same seed is the same run, byte for byte.
//!
//! * a run: [`World`] (`world.rs`), with the mixture of faults that its seed draws ([`Swarm`])
//! * the models: `etcd.rs`, `disk.rs`, `clock.rs`; a process (`process.rs`) is the engine's agent and ledger as they are
//! * the checker: `invariants.rs`, one file each, and [`Marks`] for what must have happened sometimes; what it asks of the answers of one
//!   client is in [`history`], and the torture of real processes asks the same
//! * the proof that the checker works: [`PLANTS`], each a rule that is not kept
//!
//! Absent on purpose: no clock, no thread, no hash table, no dependency but the engine's own.

mod clock;
mod digest;
mod disk;
mod etcd;
pub mod history;
mod invariants;
mod marks;
mod plant;
mod process;
mod queue;
mod random;
mod swarm;
pub mod tiny;
mod trace;
mod world;

pub use digest::Talk;
pub use invariants::Violation;
pub use marks::{Mark, Marks};
pub use plant::{Entry, PLANTS, Plant};
pub use swarm::Swarm;
pub use world::{Deafness, Ending, World};
