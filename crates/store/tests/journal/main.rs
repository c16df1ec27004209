//! The journal as a whole: every claim against both implementations, and what only real files, real kills and a real full disk
//! can show.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod beside;
mod bounded;
mod claims;
mod damage;
mod full_disk;
mod kill;
mod opening;
mod power;
mod sample;
mod subjects;
