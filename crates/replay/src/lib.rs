//! What-if: runs an access log through the algorithms, with the log's own times, and says who would have been denied and when.
//!
//! [`Replay::read`] takes lines (`combined` and `common` format, or JSON lines; a file may mix them), [`Replay::run`] sorts them by time and
//! asks one counter per key, and the [`Report`] is what came out: as JSON by serde, as a table by `Display`.
//!
//! A broken line is counted and shown, never fatal. Nothing here knows of files, of servers or of today's date.

mod civil;
mod combined;
mod json;
mod key;
mod line;
mod minutes;
mod replay;
mod report;
mod requests;
mod table;
mod timestamp;

pub use key::{InvalidKey, Key};
pub use line::{Malformed, MalformedReason};
pub use replay::{ReadError, Replay, TooManyRequests};
pub use report::{ClientRow, MinuteRow, Report};
pub use timestamp::to_rfc3339;
