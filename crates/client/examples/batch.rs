//! Several checks in one call, each with a decision of its own: `cargo run --release -p drl-client --example batch -- 127.0.0.1:7700`.

use drl_client::{CheckError, CheckRequest, RateLimiter};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let endpoints: Vec<String> = std::env::args().skip(1).collect();
    let limiter = RateLimiter::connect(endpoints).await?;
    let requests = [
        CheckRequest::new("batch-alice")?.cost(2)?,
        CheckRequest::new("batch-alice")?.cost(2)?,
        CheckRequest::new("batch-bob")?,
    ];
    let mut allowed = 0;
    for answer in limiter.check_batch(&requests).await {
        match answer {
            Ok(decision) => {
                println!("{}: {} left of {}", decision.reason, decision.remaining, decision.limit);
                allowed += u32::from(decision.allowed);
            }
            // The rest of the batch has its answers all the same.
            Err(error @ (CheckError::Busy { .. } | CheckError::TimedOut { .. })) => println!("try again: {error}"),
            Err(error) => return Err(error.into()),
        }
    }
    println!("allowed {allowed}");
    Ok(())
}
