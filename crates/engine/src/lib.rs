//! The counters of shards and the bytes they travel in. Everything here is a value: `now` comes in, decisions and frames come
//! out. It reads no clock, does no IO and spawns nothing; it does not know where frames go.
//!
//! [`Ledger`] holds the shards of one node and the open frame; [`Shard`] is one shard's counters; `frame` and `page` are the
//! formats; [`Recoverer`] builds a ledger back from them. [`ownership`] decides which shards this node answers for; `gate.rs` and
//! `ledger/answering.rs` are where every check meets that decision.

mod bytes;
mod dictionary;
mod frame;
mod gate;
mod ledger;
pub mod ownership;
mod page;
mod recovery;
pub mod replication;
mod row;
mod shard;
mod table;

pub use bytes::Malformed;
pub use ledger::{Charge, Ledger, Refusal, Stamp};
pub use page::{HEAD_BUCKET, Page};
pub use recovery::Recoverer;
pub use shard::{Outcome, Shard};
