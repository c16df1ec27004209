//! Makes many limiters in a process of their own, for the test of what they cost: `limiters COUNT ENDPOINT...`. Each stage is a line
//! on stdout, with figures of this process; the last one is there once every limiter is dropped, and then stdin is waited for.

use std::future::{Future as _, poll_fn};
use std::io::Read as _;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use drl_client::{CheckRequest, RateLimiter};
use drl_tests::cluster::{SOON, Since};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Calls that are given up.
const DROPPED: usize = 100_000;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().context("how many")?.parse()?;
    let endpoints: Vec<String> = arguments.collect();
    // What every process of a client has: code, runtime, the first connection.
    let first = used_once(&endpoints, 0).await?;
    let before = rss_kib()?;
    let mut limiters = Vec::new();
    for number in 1..=count {
        limiters.push(used_once(&endpoints, number).await?);
    }
    println!("idle_bytes_per_limiter {}", (rss_kib()?.saturating_sub(before)) * 1_024 / count);
    drop(limiters);
    give_up(&first, DROPPED / 10).await?;
    let before = rss_kib()?;
    give_up(&first, DROPPED).await?;
    ensure!(first.check(CheckRequest::new(b"client-0")?).await.is_ok(), "it still answers");
    println!("growth_kib {}", rss_kib()?.saturating_sub(before));
    drop(first);
    let since = Since::now();
    while Handle::current().metrics().num_alive_tasks() > 0 {
        ensure!(since.elapsed() < SOON, "{} tasks are left", Handle::current().metrics().num_alive_tasks());
        let _ = timeout(Duration::from_millis(5), std::future::pending::<()>()).await;
    }
    println!("dropped 0");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// A limiter that has asked one owner.
async fn used_once(endpoints: &[String], number: usize) -> Result<RateLimiter> {
    let limiter = RateLimiter::connect(endpoints).await?;
    limiter.strict().within(SOON).check(CheckRequest::new(format!("client-{number}").as_bytes())?).await?;
    Ok(limiter)
}

/// Calls that are polled once or a few times and dropped.
async fn give_up(limiter: &RateLimiter, calls: usize) -> Result<()> {
    for call in 0..calls {
        let client = format!("client-{}", call % 1_000);
        let check = limiter.check(CheckRequest::new(client.as_bytes())?);
        if call % 100 == 0 {
            let _ = timeout(Duration::from_millis(1), check).await;
        } else {
            let mut check = pin!(check);
            let _ = poll_fn(|context| Poll::Ready(check.as_mut().poll(context))).await;
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Resident memory of this process.
fn rss_kib() -> Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
