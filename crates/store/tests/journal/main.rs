//! The journal as a whole: every claim against both implementations, and what only real files, real kills and a real full disk
//! can show.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod claims;
mod subjects;
