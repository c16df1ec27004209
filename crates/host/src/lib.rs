//! Drives the engine with a store: decides under one lock for a whole batch, journals the open frame from a thread of its own
//! (while one commit is in flight the next frame fills), releases answers when their frame is committed, checkpoints, recovers.
//!
//! [`Host`] is what front doors and the embedded limiter hold. The project's clocks are read in [`clock`] and nowhere else.

mod ask;
mod checkpointer;
pub mod clock;
mod committer;
mod error;
mod host;
mod inner;
mod options;
mod progress;
mod recovery;
mod stats;
mod stopper;
mod threads;
mod unknown;

pub use ask::{Action, Ask, PolicyOf, Ticket};
pub use clock::boot_id;
pub use error::{CheckError, OpenError, Refused, Stopped};
pub use host::Host;
pub use options::{HostOptions, JournalSync, UnknownClient};
pub use stats::Stats;
pub use stopper::Stopper;
