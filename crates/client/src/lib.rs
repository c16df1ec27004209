//! [`RateLimiter`]: the one API of drl, whatever answers behind it. [`RateLimiter::connect`] makes one that asks the owner of each
//! client in a cluster; `drl_embedded::open` makes one that decides in process.
//!
//! ```no_run
//! use drl_client::{CheckRequest, RateLimiter};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let limiter = RateLimiter::connect(["10.0.0.1:7700", "10.0.0.2:7700"]).await?;
//! let decision = limiter.check(CheckRequest::new("alice")?.cost(3)?).await?;
//! if decision.allowed {
//!     println!("{} of {} left", decision.remaining, decision.limit);
//! } else {
//!     println!("denied ({}), would pass after {:?}", decision.reason, decision.retry_after());
//! }
//! # Ok(()) }
//! ```
//!
//! It is compiled and not run, because it asks nodes. `examples/quickstart.rs` is run by a test against a real one; the example of
//! `drl_embedded` is the same API in process. `docs/client.md` is the manual.
//!
//! * **Threads.** Both limiters are `Send + Sync + Clone`; a clone is a pointer, and all clones share connections and counters. Make one
//!   for the process. Its tasks run in the runtime in which it was made and end with its last clone.
//! * **Blocking.** Nothing blocks but [`BlockingRateLimiter`], which parks the calling thread and is not for use inside a runtime.
//! * **Connections.** One to each node in use. What nobody has used for a minute is closed ([`Connect::close_idle_after`]), and opened
//!   again by the next check.
//! * **Deadlines.** No call outlasts its deadline, retries included: 1 s, or [`Connect::deadline`], or [`RateLimiter::within`] for a
//!   handle. A limiter in process waits for its own disk and has none.
//! * **Nobody can decide.** Then the policy's `on_unavailable` does (deny, allow, or an estimate from what this client saw itself), and
//!   [`Decision::reason`] is [`Reason::Unavailable`] or [`Reason::LocalEstimate`]. [`Connect::on_unavailable`] decides for clients whose
//!   policy was not seen yet. [`RateLimiter::strict`] is a handle that gets the error instead.
//! * **Errors.** A denial is no error. [`InvalidRequest`]: it cannot be asked, and nothing was. [`CheckError`]: there is no decision, and
//!   each variant says whether the check may have been charged. [`ConnectError`]: there is no limiter. [`RateLimiter::allow_request`] has
//!   no errors: it says no where there is no decision.
//! * **Futures that are dropped.** Such a check may have been charged and may not; it never leads over the limit.
//!
//! [`conformance`] has what does not need a broken network as claims that run against any limiter.

mod backend;
mod blocking;
mod chance;
mod clock;
pub mod conformance;
mod connect;
mod connection;
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
pub use drl_core::{Cost, Nanos, ShardTime};
pub use drl_limits::{Decision, OnUnavailable, Reason, Retry};
pub use error::{CheckError, ConnectError, InvalidRequest};
pub use rate_limiter::RateLimiter;
pub use request::CheckRequest;
