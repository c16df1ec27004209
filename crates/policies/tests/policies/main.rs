//! Policies as a node follows them: many of them (`many.rs`, on embedded coordination), and what people and failures do to a real etcd
//! (`etcd.rs`), which the tests start on loopback and end whatever becomes of them. Times are measured and printed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod disturbed;
mod etcd;
mod many;
mod support;
