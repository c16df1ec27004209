//! [`RateLimiter`]: the one API of drl, whatever answers behind it. `drl_embedded::open` makes one that decides in process; a
//! routing client for clusters will make one that asks the owner of each client.
//!
//! It is `Send + Sync + Clone`, and a clone is a pointer. Nothing here blocks, except through [`RateLimiter::blocking`].

mod backend;
mod blocking;
mod chance;
mod connect;
mod course;
mod endpoint;
mod error;
mod fallback;
mod line;
mod placement;
mod rate_limiter;
mod request;
mod routing;
mod task;
mod watcher;

pub use backend::{Answer, Backend, Terms, WhenUnavailable};
pub use blocking::BlockingRateLimiter;
pub use connect::Connect;
pub use drl_core::{Cost, ShardTime};
pub use drl_limits::{Decision, OnUnavailable, Reason, Retry};
pub use error::{CheckError, ConnectError, InvalidRequest};
pub use rate_limiter::RateLimiter;
pub use request::CheckRequest;
