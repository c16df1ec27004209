//! The policies of a cluster, which etcd holds: followed, kept on disk, changed.
//!
//! * [`ClusterPolicies`] (`cluster_policies.rs`): the `ConfigurationService` of a cluster. `follow.rs` reads the watch, `book.rs` judges
//!   what it brings key by key, `in_force.rs` is the set that checks look at, `broken.rs` lists what cannot be in force, `look.rs` finds
//!   out how far the store is when nothing changes.
//! * [`LastGood`] (`last_good.rs`): where the last good policies survive a restart of everything; `record.rs` is their format, `saver.rs`
//!   writes them. [`conformance`] holds the trait as claims.
//! * [`PolicyEditor`] (`editor.rs`): changes policies, for the command line and for the node's own doors.
//!
//! Nothing here counts what a client consumed: a policy that changes is another policy for the same counters.

mod book;
mod broken;
mod cluster_policies;
pub mod conformance;
mod editor;
mod follow;
mod in_force;
mod last_good;
mod look;
mod place;
mod record;
mod saver;
mod texts;

pub use broken::BrokenKey;
pub use cluster_policies::{ClusterPolicies, ClusterPoliciesOptions, Counted, StartError};
pub use editor::{EditError, PolicyEditor, PolicyPage, WrittenPolicy};
pub use last_good::{InMemoryLastGood, LastGood, LastGoodError, LastGoodRecord};
pub use saver::Saving;
