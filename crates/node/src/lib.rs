//! The process: RESP, HTTP and gRPC front doors over a host.
