//! Makes counters: one check for each of many clients, as fast as batches go, and whether they are still there later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use drl_client::{CheckRequest, Connect, ConnectError, RateLimiter};
use drl_core::caps::BATCH_CHECKS_MAX;
use tokio::task::JoinSet;

use crate::asks::CLIENT_PREFIX;

/// Batches under way: enough that every node has something to do.
const BATCHES_IN_FLIGHT: usize = 16;

/// Counters were not made.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("client {client} was not admitted: {reason}")]
    NotAdmitted { client: String, reason: String },
}

/// Which counters.
#[derive(Debug, Clone)]
pub struct Fill {
    pub endpoints: Vec<String>,
    /// Of so many clients, `bench-0` and on.
    pub counters: u64,
    /// Longest wait for a batch.
    pub deadline: Duration,
}

/// Charges one unit to each client.
///
/// # Errors
/// [`FillError`]: nobody answers, or somebody was not admitted.
pub async fn fill(options: &Fill) -> Result<(), FillError> {
    let limiter = connect(options).await?;
    let next = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..BATCHES_IN_FLIGHT {
        workers.spawn(charge(limiter.clone(), Arc::clone(&next), options.counters));
    }
    while let Some(joined) = workers.join_next().await {
        if let Ok(charged) = joined {
            charged?;
        }
    }
    Ok(())
}

async fn charge(limiter: RateLimiter, next: Arc<AtomicU64>, counters: u64) -> Result<(), FillError> {
    let batch = u64::try_from(BATCH_CHECKS_MAX).unwrap_or(1);
    loop {
        let begin = next.fetch_add(batch, Ordering::Relaxed);
        if begin >= counters {
            return Ok(());
        }
        let clients: Vec<String> = (begin..(begin + batch).min(counters)).map(client).collect();
        let requests: Vec<_> = clients.iter().filter_map(|client| CheckRequest::new(client).ok()).collect();
        for (client, answer) in clients.iter().zip(limiter.check_batch(&requests).await) {
            let reason = match answer {
                Ok(decision) if decision.allowed => continue,
                Ok(decision) => decision.reason.as_str().to_owned(),
                Err(error) => error.to_string(),
            };
            return Err(FillError::NotAdmitted { client: client.clone(), reason });
        }
    }
}

/// How many of `sample` clients, evenly spread over those that were filled, have exactly their one unit used.
///
/// # Errors
/// [`FillError::Connect`].
pub async fn still_used(options: &Fill, sample: u64) -> Result<u64, FillError> {
    let limiter = connect(options).await?;
    let step = (options.counters / sample.max(1)).max(1);
    let mut found = 0;
    for nth in 0..sample.min(options.counters) {
        let client = client(nth * step);
        let Ok(request) = CheckRequest::new(&client) else { continue };
        let peeked = limiter.peek(request).await;
        found += u64::from(peeked.is_ok_and(|peeked| peeked.limit.saturating_sub(peeked.remaining) == 1));
    }
    Ok(found)
}

fn client(number: u64) -> String {
    format!("{CLIENT_PREFIX}{number}")
}

async fn connect(options: &Fill) -> Result<RateLimiter, ConnectError> {
    Ok(Connect::new(options.endpoints.clone()).deadline(options.deadline).connect().await?.strict())
}
