//! A durable rate limiter in process: drl_embedded::open.
