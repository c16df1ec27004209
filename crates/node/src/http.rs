//! The HTTP door: `POST /v1/check`, `/v1/allow` for forward-auth, `/livez`, `/readyz` and `/metrics`.
//!
//! * `door.rs` lets connections in and keeps their limits, `routes.rs` says which path goes where
//! * `check.rs`, `allow.rs`, `health.rs` are the handlers; `fields.rs` the `RateLimit` header fields, `problem.rs` every error

mod allow;
mod check;
pub(crate) mod door;
mod fields;
mod health;
mod problem;
pub(crate) mod routes;
