//! Copies of shards on other nodes: what an owner sends, what a follower takes, and when an answer may leave.
//!
//! The idea (protocol, section 1): the follower is the fence. An admission is decided at once, goes into the open frame, and its
//! reply leaves only with the acknowledgement of that frame under the current epoch. A follower that takes over has promised a
//! higher epoch and refuses the old one, so whoever was the owner before gets no acknowledgement any more.
//!
//! * the words: `message.rs`; what ownership wants: `order.rs`
//! * one pair of process lifetimes: `outgoing.rs` (numbered frames until they are acknowledged), `incoming.rs` (frames in order,
//!   what may be acknowledged), `silence.rs` (beats, and when a peer is suspected)
//! * one shard on its owner: `target.rs` (a copy in the making), `seeding.rs` (snapshots, in order with the live sections),
//!   `excerpts.rs` (its sections, for each copy), `ahead.rs` (class `async`), `release.rs` (when a reply may leave), `advancing.rs` (the next epoch of the same owner)
//! * one shard on its follower: `receiving.rs` (which letters get that far), `following.rs` (what it takes), `acknowledging.rs`
//! * `peers.rs` is what a ledger keeps of all of them; `tick.rs` is what it does now and then
//!
//! Who is sent what is decided by [`ownership`](crate::ownership); nothing here reads or writes a record.

mod acknowledging;
mod advancing;
mod ahead;
mod comparing;
mod excerpts;
mod following;
mod incoming;
mod message;
mod order;
mod outgoing;
mod peers;
mod receiving;
mod release;
mod seeding;
mod silence;
mod target;
mod tick;

pub use message::{Ack, Beat, Body, Invite, Join, Letter, PeerFrame, Start};
pub use order::Order;
pub use outgoing::Lag;
pub use peers::News;
pub use receiving::{Received, Rejected, Rejections};
pub use silence::{Heard, Silence};

pub(crate) use advancing::Advance;
pub(crate) use ahead::Ahead;
pub(crate) use excerpts::Excerpts;
pub(crate) use following::Following;
pub(crate) use peers::Peers;
pub(crate) use release::Finished;
pub(crate) use target::Target;
