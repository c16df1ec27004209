//! What a check costs when its counter is not in the cache: `cargo run --release -p drl-engine --example bench_ledger`.
//!
//! A million clients are asked in random order, in batches as a stream delivers them; a frame is sealed every 16 batches. Time advances by
//! 2 us a check. Prints, for each round of two million checks, the nanoseconds of a check until it is decided and of a row until it is sealed. In
//! the first round most counters are made, in later ones their windows grow.

use std::hint::black_box;
use std::time::{Duration, Instant};

use drl_core::{
    ClientId, CommitNo, Cost, Epoch, IdentityKey, KeyHash, LimitKey, Namespace, ShardCount, ShardId, ShardTime,
};
use drl_engine::{Charge, Ledger};
use drl_limits::{Algorithm, Limit, Policy, PolicySpec};

const CLIENTS: usize = 1_000_000;
const CHECKS: usize = 2_000_000;
const BATCH: usize = 256;
const BATCHES_PER_FRAME: usize = 16;
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let shards = ShardCount::DEFAULT;
    let clients = (0..CLIENTS).map(|number| located(number, shards)).collect::<Result<Vec<_>, _>>()?;
    println!("{:<16} {:>5} {:>9} {:>9} {:>9} {:>9}", "algorithm", "round", "check ns", "seal ns", "both ns", "allowed");
    for algorithm in [Algorithm::SlidingWindow, Algorithm::FixedWindow, Algorithm::TokenBucket] {
        let limits = vec![Limit::new(15, "1m".parse()?)?];
        let policy = Policy::new(PolicySpec { limits, algorithm, ..PolicySpec::default() })?;
        let mut run = Run::new(&clients, &policy, shards);
        for round in 1..=ROUNDS {
            let (checks, seals, allowed) = run.round();
            let each = |took: Duration| per_check(took);
            println!(
                "{:<16} {round:>5} {:>9.0} {:>9.0} {:>9.0} {allowed:>9}",
                algorithm.to_string(),
                each(checks),
                each(seals),
                each(checks + seals)
            );
        }
    }
    Ok(())
}

fn located(number: usize, shards: ShardCount) -> Result<(ShardId, KeyHash), Box<dyn std::error::Error>> {
    let id = format!("bench-{number}");
    let key = LimitKey::new(Namespace::DEFAULT, ClientId::new(id.as_bytes())?);
    Ok(key.locate(&IdentityKey::from_bytes([7; 16]), shards))
}

#[allow(clippy::cast_precision_loss)] // A mean for people.
fn per_check(took: Duration) -> f64 {
    took.as_nanos() as f64 / CHECKS as f64
}

struct Run<'a> {
    clients: &'a [(ShardId, KeyHash)],
    policy: &'a Policy,
    ledger: Ledger,
    frame: Vec<u8>,
    now: u64,
    random: u64,
}

impl<'a> Run<'a> {
    fn new(clients: &'a [(ShardId, KeyHash)], policy: &'a Policy, shards: ShardCount) -> Self {
        let ledger = Ledger::new(shards, Epoch(1), CommitNo::default());
        Self {
            clients,
            policy,
            ledger,
            frame: Vec::new(),
            now: 1_700_000_000_000_000_000,
            random: 88_172_645_463_325_252,
        }
    }

    /// Time spent deciding and sealing, and how many checks were allowed.
    #[allow(clippy::disallowed_methods)] // A benchmark measures this machine's time; nothing is decided by it.
    fn round(&mut self) -> (Duration, Duration, usize) {
        let (mut checks, mut seals, mut allowed) = (Duration::ZERO, Duration::ZERO, 0);
        let mut batch = Vec::with_capacity(BATCH);
        for number in 1..=CHECKS / BATCH {
            batch.clear();
            batch.extend((0..BATCH).map(|_| self.draw()));
            let began = Instant::now();
            self.ledger.fetch(batch.iter().copied());
            for (shard, key) in &batch {
                self.now += 2_000;
                let charge = Charge { shard: *shard, key: *key, policy: self.policy, cost: Cost::ONE };
                allowed += usize::from(black_box(self.ledger.charge(charge, ShardTime(self.now))).0.allowed);
            }
            checks += began.elapsed();
            if number % BATCHES_PER_FRAME == 0 {
                let began = Instant::now();
                black_box(self.ledger.seal(0, &mut self.frame));
                seals += began.elapsed();
            }
        }
        (checks, seals, allowed)
    }

    /// The next client (xorshift64).
    fn draw(&mut self) -> (ShardId, KeyHash) {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let range = u64::try_from(self.clients.len()).unwrap_or(u64::MAX);
        self.clients[usize::try_from(self.random % range).unwrap_or(0)]
    }
}
