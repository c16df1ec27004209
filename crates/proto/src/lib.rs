//! The gRPC messages and services of drl.
