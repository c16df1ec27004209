//! Runs the real binary, as a user does: what it prints, what it refuses, and with which exit code. One program, so that it links once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests are tests")]

mod config;
mod connection;
mod end_to_end;
mod help;
mod node;
mod pages;
mod process;
mod replay;
mod serve;
mod usage;
mod validate;
