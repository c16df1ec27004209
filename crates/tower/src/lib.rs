//! [`RateLimitLayer`]: drl in front of axum, tonic, or whatever else is a `tower::Service` of HTTP requests.
//!
//! ```
//! use drl_tower::{Header, RateLimitLayer};
//! # fn app(limiter: drl_client::RateLimiter) -> axum::Router {
//! axum::Router::new()
//!     .route("/", axum::routing::get(|| async { "hello" }))
//!     .layer(RateLimitLayer::new(limiter, Header::named("x-api-key")))
//! # }
//! ```
//!
//! | the limiter says | HTTP | gRPC (`content-type: application/grpc`) |
//! |---|---|---|
//! | allowed | the service's answer, with `RateLimit-Policy` and `RateLimit` | the same |
//! | denied | 429, problem details, the fields, `Retry-After` | `RESOURCE_EXHAUSTED`, the fields as metadata |
//! | denied because nobody could decide, or no decision at all | 503, problem details, `Retry-After` where it helps | `UNAVAILABLE` |
//! | the request names no client, or an impossible one | 400, problem details ([`WithoutClient`] for more) | `INVALID_ARGUMENT` |
//!
//! What is denied never reaches the service. Backpressure is the service's: while it is not ready the layer is not either.
//!
//! * `layer.rs` what is chosen, `identify.rs` and `cost.rs` what is read from a request
//! * `service.rs` the way of a request, `gate.rs` who may pass, `refusal.rs` and `grpc.rs` what the others are told
//!
//! Absent on purpose: no opinion about `X-Forwarded-For` (only you know which proxy to believe), no clock, no counter.

mod cost;
mod gate;
mod grpc;
mod identify;
mod layer;
mod refusal;
mod service;

pub use cost::{CostOf, One};
pub use gate::{FieldsOn, WithoutClient};
pub use identify::{Fixed, Header, Identify, PeerAddress};
pub use layer::RateLimitLayer;
pub use service::{RateLimit, ResponseBody};
