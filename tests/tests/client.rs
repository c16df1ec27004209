//! The routing client against three real nodes: exactly the limit from many threads and limiters, and with calls that are given up.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use drl_client::{CheckRequest, RateLimiter, Reason};
use drl_tests::cluster::{Cluster, Since, hourly};
use drl_tests::load::{Account, Chance, in_force, used};
use tokio::runtime::Runtime;
use tokio::time::timeout;

const THREADS: usize = 8;
const CLIENTS: usize = 1_000;
const LIMIT: u64 = 7;

/// How often each thread asks for everybody: all together more than twice the limit.
const ROUNDS: usize = 2;

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|client| format!("{prefix}-{client}")).collect()
}

fn request(client: &str) -> CheckRequest<'_> {
    CheckRequest::new(client.as_bytes()).unwrap()
}

/// Asks for everybody, beginning somewhere; odd threads in batches, the others one by one and blocking, each limiter in turn.
fn ask_everybody(runtime: &Runtime, limiters: &[RateLimiter], names: &[String], thread: usize, allowed: &[AtomicU64]) {
    let limiters: Vec<_> = limiters.iter().map(|limiter| limiter.within(Duration::from_secs(30)).strict()).collect();
    let first = thread * names.len() / THREADS;
    let order: Vec<usize> = (first..names.len()).chain(0..first).collect();
    for turn in 0..ROUNDS {
        for (nth, some) in order.chunks(50).enumerate() {
            let limiter = &limiters[(turn + nth + thread) % limiters.len()];
            let decisions: Vec<_> = if thread % 2 == 1 {
                let batch: Vec<_> = some.iter().map(|client| request(&names[*client])).collect();
                runtime.block_on(limiter.check_batch(&batch))
            } else {
                some.iter().map(|client| limiter.blocking().check(request(&names[*client]))).collect()
            };
            for (client, decision) in some.iter().zip(decisions) {
                let decision = decision.unwrap();
                assert!(matches!(decision.reason, Reason::WithinLimit | Reason::OverLimit), "{decision:?}");
                allowed[*client].fetch_add(u64::from(decision.allowed), Ordering::Relaxed);
            }
        }
    }
}

#[test]
fn eight_threads_with_three_limiters_get_exactly_the_limit_for_a_thousand_clients() {
    let Some(cluster) = Cluster::start(&[]).unwrap() else { return };
    cluster.put_policy("default", &hourly(LIMIT)).unwrap();
    let runtime = Runtime::new().unwrap();
    let endpoints = cluster.endpoints().unwrap();
    let limiters: Vec<RateLimiter> =
        endpoints.iter().map(|endpoint| runtime.block_on(RateLimiter::connect([endpoint])).unwrap()).collect();
    let names = names("client", CLIENTS);
    runtime.block_on(in_force(&limiters[0], &names[..50], LIMIT)).unwrap();
    let allowed: Vec<AtomicU64> = names.iter().map(|_| AtomicU64::new(0)).collect();
    let since = Since::now();
    std::thread::scope(|threads| {
        for thread in 0..THREADS {
            let (runtime, limiters, names, allowed) = (&runtime, &limiters, &names, &allowed);
            threads.spawn(move || ask_everybody(runtime, limiters, names, thread, allowed));
        }
    });
    println!("{} checks of {CLIENTS} clients in {:?}", THREADS * ROUNDS * CLIENTS, since.elapsed());
    let wrong: Vec<_> = allowed.iter().map(|allowed| allowed.load(Ordering::Relaxed)).enumerate().collect();
    let wrong: Vec<_> = wrong.into_iter().filter(|(_, allowed)| *allowed != LIMIT).collect();
    assert!(wrong.is_empty(), "client and how many it was allowed instead of {LIMIT}: {wrong:?}");
}

/// One caller who gives up on three calls in ten, and asks again. How often that was, and what came of the rest.
async fn ask_impatiently(limiter: &RateLimiter, clients: &[String], checks: usize, seed: u64) -> Vec<(Account, u64)> {
    let mut chance = Chance::from_seed(seed);
    let mut accounts = vec![(Account::default(), 0); clients.len()];
    for _ in 0..checks {
        let client = usize::try_from(chance.below(clients.len() as u64)).unwrap();
        let (account, given_up) = &mut accounts[client];
        loop {
            let check = limiter.check(request(&clients[client]));
            let patience = match chance.below(10) {
                0..3 => Duration::from_micros(chance.below(2_000)),
                _ => Duration::from_secs(30),
            };
            match timeout(patience, check).await {
                Ok(decision) => break account.note(&decision.unwrap(), Duration::ZERO),
                Err(_) => *given_up += 1,
            }
        }
    }
    accounts
}

#[test]
fn calls_that_are_given_up_and_made_again_never_admit_more_than_the_limit_and_everything_adds_up() {
    const LIMIT: u64 = 40;
    let Some(cluster) = Cluster::start(&[]).unwrap() else { return };
    cluster.put_policy("default", &hourly(LIMIT)).unwrap();
    let runtime = Runtime::new().unwrap();
    let endpoints = cluster.endpoints().unwrap();
    let clients = names("hasty", 60);
    let limiter = runtime.block_on(RateLimiter::connect(&endpoints)).unwrap().within(Duration::from_secs(30)).strict();
    runtime.block_on(in_force(&limiter, &clients, LIMIT)).unwrap();
    let charged = || -> u64 {
        let of = |node: &drl_tests::node::Node| node.metric("drl_decisions_total{outcome=\"allowed\"}").unwrap();
        cluster.nodes.iter().map(of).sum()
    };
    let before = charged();
    let tasks: Vec<_> = (0..8)
        .map(|seed| {
            let (limiter, clients) = (limiter.clone(), clients.clone());
            runtime.spawn(async move { ask_impatiently(&limiter, &clients, 250, seed).await })
        })
        .collect();
    let mut all = vec![(Account::default(), 0); clients.len()];
    for task in tasks {
        for ((sum, sum_given_up), (account, given_up)) in all.iter_mut().zip(runtime.block_on(task).unwrap()) {
            sum.add(&account);
            *sum_given_up += given_up;
        }
    }
    // Behind everything that was sent: lines keep the order.
    let used: Vec<u64> = clients.iter().map(|client| runtime.block_on(used(&limiter, client)).unwrap()).collect();
    let spent = charged() - before;
    let given_up: u64 = all.iter().map(|(_, given_up)| given_up).sum();
    let granted: u64 = all.iter().map(|(account, _)| account.granted).sum();
    for ((account, given_up), used) in all.iter().zip(&used) {
        let account = Account { unknown: *given_up, ..account.clone() };
        account.adds_up(*used, LIMIT).unwrap();
    }
    let total: u64 = used.iter().sum();
    println!("{granted} granted, {given_up} given up, of which {} were charged", total - granted);
    assert!(given_up > 100, "{given_up} calls were given up");
    assert!(spent >= total, "{spent} admissions by the nodes' own count, {total} used");
}
