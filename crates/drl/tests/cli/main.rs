//! Runs the real binary, as a user does: what it prints, what it refuses, and with which exit code. One program, so that it links once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests are tests")]

mod bench;
mod cluster;
mod config;
mod connection;
mod dev;
mod draining;
mod end_to_end;
mod etcd;
mod help;
mod member;
mod node;
mod pages;
mod process;
mod replay;
mod scenarios;
mod serve;
mod usage;
mod validate;
