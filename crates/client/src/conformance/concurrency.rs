//! Exactly the limit, however many ask at once, from wherever they ask, and whatever they give up.

use super::{Broken, LIMIT, claims, free, is, request};
use crate::RateLimiter;

claims![
    many_tasks_get_exactly_the_limit,
    plain_threads_that_block_get_exactly_the_limit,
    calls_that_are_given_up_never_lead_over_the_limit,
];

/// Several times the limit.
const CALLERS: usize = 64;

fn lost(error: &dyn std::fmt::Display) -> Broken {
    Broken { what: format!("a caller ended early: {error}") }
}

async fn many_tasks_get_exactly_the_limit(limiter: RateLimiter) -> Result<(), Broken> {
    let ask = |limiter: RateLimiter| async move { limiter.check(request("tasks")?).await.map_err(Broken::from) };
    let tasks: Vec<_> = (0..CALLERS).map(|_| tokio::spawn(ask(limiter.clone()))).collect();
    let mut allowed = 0;
    for task in tasks {
        allowed += u64::from(task.await.map_err(|error| lost(&error))??.allowed);
    }
    is("allowed", &allowed, &LIMIT)
}

async fn plain_threads_that_block_get_exactly_the_limit(limiter: RateLimiter) -> Result<(), Broken> {
    let (limiter, client) = (limiter.blocking(), "threads");
    let threads = move || {
        let ask = |_| {
            let limiter = limiter.clone();
            std::thread::spawn(move || u64::from(limiter.allow_request(client)))
        };
        let threads: Vec<_> = (0..CALLERS).map(ask).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(u64::MAX / 100)).sum::<u64>()
    };
    let allowed = tokio::task::spawn_blocking(threads).await.map_err(|error| lost(&error))?;
    is("allowed", &allowed, &LIMIT)
}

async fn calls_that_are_given_up_never_lead_over_the_limit(limiter: RateLimiter) -> Result<(), Broken> {
    let (mut granted, mut given_up) = (0, 0);
    for turn in 0..CALLERS {
        let call = limiter.check(request("given-up")?);
        if turn % 3 > 0 {
            granted += u64::from(call.await?.allowed);
            continue;
        }
        // Polled once, so that it is under way, and then dropped.
        tokio::select! {
            biased;
            decision = call => granted += u64::from(decision?.allowed),
            () = std::future::ready(()) => given_up += 1,
        }
    }
    is("allowed more than the limit", &(granted > LIMIT), &false)?;
    is("allowed less than the limit without those given up", &(granted + given_up < LIMIT), &false)?;
    is("free after it", &free(&limiter, "given-up").await?, &0)
}
