//! A node's part in a cluster: it holds a session, carries out what the ownership state machine of the engine asks for, and publishes
//! who owns what. Every rule about who may own a shard is in `drl_engine::ownership`; here are only the effects.
//!
//! * [`ClusterSettings`] (`settings.rs`): what is chosen once for a cluster and kept in the store
//! * [`Membership`] (`membership.rs`): joining, leaving, and what is published: [`Placement`] (`placement.rs`), [`Standing`]
//! * `driver.rs` is the loop between events and commands; `errands.rs` carries out what takes time
//! * `translate.rs` is between the engine's views and transactions and those of the store; `documents.rs` has the JSON of the keys;
//!   `book.rs` keeps what was read last, `moves.rs` what happened to each shard last

mod book;
mod documents;
mod driver;
mod errands;
mod membership;
mod moves;
mod placement;
mod running;
mod settings;
mod translate;

pub use documents::NodeAddresses;
pub use membership::{Departure, MemberOptions, Membership, Standing, Stopped};
pub use moves::{Move, What, Why};
pub use placement::{InSync, Node, Placement, Seat};
pub use settings::{ClusterSettings, SettingsError, UnknownClient, Wishes};
