//! Drives the engine with a store: decides under one lock for a whole batch, journals the open frame from a thread of its own
//! (while one commit is in flight the next frame fills), releases answers when their frame is committed, checkpoints, recovers.
//!
//! A host stands alone ([`Host::open`]) or is a member of a cluster ([`Host::open_member`]); then it answers for the shards that
//! [`Ownership`] gives it, and says of the others whom to ask.
//!
//! [`Host`] is what front doors and the embedded limiter hold. The project's clocks are read in [`clock`] and nowhere else.

mod ask;
mod beat;
mod checkpointer;
pub mod clock;
mod committer;
mod error;
mod facts;
mod host;
mod inner;
mod meta;
mod noted;
mod options;
mod ownership;
mod progress;
mod recovery;
mod signals;
mod stand_in;
mod stats;
mod stopper;
mod threads;
mod unknown;

pub use ask::{Action, Answer, Ask, PolicyOf, Ticket};
pub use clock::boot_id;
pub use drl_store::faults;
pub use error::{CheckError, NotHere, NotReleased, OpenError, Refused, Stopped};
pub use host::Host;
pub use options::{Cluster, HostOptions, JournalSync, UnknownClient};
pub use ownership::Ownership;
pub use signals::{Heard, Letters, Signal};
pub use stats::Stats;
pub use stopper::Stopper;
