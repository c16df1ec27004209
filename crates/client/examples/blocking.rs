//! Four threads without an async runtime: `cargo run --release -p drl-client --example blocking -- 127.0.0.1:7700`.

use drl_client::BlockingRateLimiter;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let endpoints: Vec<String> = std::env::args().skip(1).collect();
    let limiter = BlockingRateLimiter::connect(endpoints)?;
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let limiter = limiter.clone();
            std::thread::spawn(move || u32::from(limiter.allow_request("blocking")))
        })
        .collect();
    let allowed: u32 = threads.into_iter().filter_map(|thread| thread.join().ok()).sum();
    println!("allowed {allowed}");
    Ok(())
}
