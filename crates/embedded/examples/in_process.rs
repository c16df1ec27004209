//! Limits a loop of requests in process: `cargo run --release -p drl-embedded --example in_process -- /tmp/limits alice 8`.
//! Run it twice: the second run finds the limit used up, because the directory remembers.

use std::sync::Arc;

use drl_embedded::{CheckRequest, InMemory, Namespace, Options, PolicyDocument, Selector};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().unwrap_or_else(|| "/tmp/drl-example".to_owned());
    let client = arguments.next().unwrap_or_else(|| "alice".to_owned());
    let requests: u32 = arguments.next().map_or(Ok(8), |count| count.parse())?;

    let limits = InMemory::new();
    let policy = PolicyDocument::parse(br#"{"limits":[{"requests":5,"window":"1m"}]}"#)?;
    limits.set(Namespace::DEFAULT, Selector::Default, policy)?;
    let limiter = drl_embedded::open(dir.as_ref(), Arc::new(limits), &Options::default())?.blocking();
    for request in 1..=requests {
        let decision = limiter.check(CheckRequest::new(client.as_bytes())?)?;
        println!(
            "request {request}: allowed {}, {} left, retry {:?}",
            decision.allowed, decision.remaining, decision.retry
        );
    }
    Ok(())
}
