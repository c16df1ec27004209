//! A world that a seed would hardly draw: nothing goes wrong but that one node hears nobody for a while and is heard, and how long its
//! shards are without an answer is measured while it lasts. Sweeps look at liveness when faults have ended.

use std::sync::Arc;

use drl_core::Nanos;
use drl_engine::ownership::Copies;
use drl_limits::{Limit, Policy, PolicySpec, Window};

use super::World;
use crate::digest::{Digest, Talk};
use crate::invariants::Violation;
use crate::plant::Plant;
use crate::random::Random;
use crate::swarm::{MILLIS, SECOND, Swarm};

/// By then every shard has a follower in sync, and everything is at rest.
const AT_REST: u64 = 60 * SECOND;
const END: u64 = 120 * SECOND;

/// How a world with a deaf node went.
#[derive(Debug)]
pub struct Deafness {
    /// The longest time for which any shard answered nothing, in milliseconds.
    pub silence_ms: u64,
    pub violation: Option<Violation>,
}

impl World {
    /// Three nodes, two copies of each shard, and clients that are always within their limits; one node hears nobody for so long.
    #[must_use]
    pub fn run_deaf(seed: u64, for_seconds: u64) -> Deafness {
        let swarm = Swarm { copies: Copies::Two, check_every: 100 * MILLIS, end: END, ..Swarm::quiet(0) };
        let mut world = Self::begin(swarm, Random::new(seed), Plant::NONE, Digest::new(Talk::Silent));
        for client in &mut world.truth.clients {
            client.policy = generous().unwrap_or_else(|| client.policy.clone());
        }
        let (mut outcome, mut silence) = (Ok(()), 0);
        let deaf = world.random.index(world.machines.len());
        while outcome.is_ok()
            && let Some((at, happening)) = world.queue.next()
            && at <= END
        {
            world.now = at;
            if at >= AT_REST {
                world.machines[deaf].deaf_until = AT_REST + for_seconds * SECOND;
                silence = silence.max(at - world.truth.silent_since());
            }
            outcome = world.carry_out(happening);
        }
        let outcome = outcome.and_then(|()| world.truth.check_at_the_end(END, 0));
        Deafness { silence_ms: silence / MILLIS, violation: outcome.err() }
    }
}

/// More than any client of such a world asks for.
fn generous() -> Option<Arc<Policy>> {
    let limits = vec![Limit::new(1_000_000, Window::new(Nanos::from_secs(2)).ok()?).ok()?];
    Some(Arc::new(Policy::new(PolicySpec { limits, ..PolicySpec::default() }).ok()?))
}
