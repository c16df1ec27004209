//! A whole node over real sockets and a real store, one module for each thing it promises.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cluster;
mod copies;
mod grpc;
mod http;
mod idle;
mod lifecycle;
mod limits;
mod numbered;
mod protocol;
mod redis_tools;
mod resp;
mod support;
