//! Four requests of one client: `cargo run --release -p drl-client --example quickstart -- 127.0.0.1:7700`. Any node of a cluster is a
//! good endpoint; several may be given. `drl limits set --default --limit 3 --window 1h` first, and the fourth is denied.

use drl_client::{CheckRequest, RateLimiter};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let endpoints: Vec<String> = std::env::args().skip(1).collect();
    let limiter = RateLimiter::connect(endpoints).await?;
    let mut allowed = 0;
    for _ in 0..3 {
        allowed += u32::from(limiter.allow_request("quickstart").await);
    }
    let decision = limiter.check(CheckRequest::new("quickstart")?).await?;
    let wait = decision.retry_after();
    println!(
        "{allowed} allowed, then {}: {} left, the same would pass after {wait:?}",
        decision.reason, decision.remaining
    );
    println!("allowed {}", allowed + u32::from(decision.allowed));
    Ok(())
}
