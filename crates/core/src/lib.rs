//! The nouns that every other crate speaks: who is limited ([`LimitKey`]), where its counter lives ([`ShardId`]), in which
//! order things happened ([`Epoch`], [`Seq`], [`CommitNo`]) and when ([`ShardTime`]). No IO, no clock, no randomness.

pub mod caps;
mod client_id;
mod cost;
mod limit_key;
mod namespace;
mod node;
mod order;
mod shard;
mod time;

pub use client_id::{ClientId, InvalidClientId};
pub use cost::{Cost, InvalidCost};
pub use limit_key::{IdentityKey, KeyHash, LimitKey};
pub use namespace::{InvalidNamespace, Namespace};
pub use node::{Generation, InvalidNodeId, NodeId};
pub use order::{CommitNo, Epoch, Seq};
pub use shard::{InvalidShardCount, ShardCount, ShardId};
pub use time::{Nanos, ShardTime};
