//! How a decision is told over HTTP, in one place for the node's door and for the layer that services put in front of themselves.
//!
//! * `fields.rs`: [`add`] writes `RateLimit-Policy`, `RateLimit` and `Retry-After`
//! * `problem.rs`: [`Problem`], every error as problem details
//!
//! Values only: nothing here knows a server, a body or a clock.

mod fields;
mod problem;

pub use fields::{add, shown_name};
pub use problem::{PROBLEM_JSON, Problem};
