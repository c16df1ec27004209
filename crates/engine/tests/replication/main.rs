//! Copies of shards, as claims: what an owner may answer, what a follower may acknowledge, and what no peer can do to either.
//!
//! `ledgers.rs` is a few ledgers and the post between them; `agent.rs` is one node's agent and an etcd that is the test. The claims
//! about ledgers come first, those about records (`naming`, `promising`, `taking_over`, `handing_over`) after them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod agent;
mod ledgers;

mod acknowledging;
mod advancing;
mod async_class;
mod bad_frames;
mod bad_peers;
mod bad_snapshots;
mod cold;
mod copying;
mod handing_over;
mod hearing;
mod leaving;
mod many_shards;
mod naming;
mod policies;
mod promising;
mod releasing;
mod silence;
mod taking_over;
