//! The HTTP door: `POST /v1/check`, `/v1/allow` for forward-auth, `/livez`, `/readyz` and `/metrics`.
//!
//! * `door.rs` lets connections in and keeps their limits, `routes.rs` says which path goes where
//! * `check.rs`, `allow.rs`, `health.rs` are the handlers; `problem.rs` every error; the header fields are those of `drl_fields`

mod allow;
mod check;
pub(crate) mod door;
mod health;
mod problem;
pub(crate) mod routes;
