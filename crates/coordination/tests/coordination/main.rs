//! What every implementation of `Coordination` must do, as claims that run on each (`claims/`), and what only etcd can do wrong,
//! tried on a real one (`etcd/`), and what the embedded one does on demand (`embedded.rs`). The tests start their own etcd on loopback, on free ports, and end it whatever becomes of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod claims;
mod embedded;
mod etcd;
mod support;
