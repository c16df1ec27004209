//! One caller: waits for its turn, asks, and has it counted. A run has `connections` x `in-flight` of them.

use std::sync::Arc;
use std::time::Duration;

use drl_core::Nanos;

use crate::asks::Asks;
use crate::door::Line;
use crate::keys::Clients;
use crate::tally::{Moments, Tally};
use crate::told::Told;
use crate::turns::{Clock, Turns};

/// A call of which nothing was decided is followed by a pause: a node that refuses is not to be hammered.
const PAUSE: Duration = Duration::from_millis(10);

/// What a worker shares with the others.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) turns: Arc<Turns>,
    pub(crate) tally: Arc<Tally>,
    /// Checks in a call.
    pub(crate) batch: usize,
    /// Calls that should have been sent before are not counted.
    pub(crate) begin: Nanos,
}

/// Works until there are no more turns. `nth`: of all workers.
pub(crate) async fn work(nth: usize, mut line: impl Line, mut clients: Clients, shared: Shared) {
    let (mut asks, mut told) = (Asks::default(), Told::default());
    loop {
        // Before the turn, so that drawing is no part of what is measured.
        asks.draw(&mut clients, shared.batch);
        told.clear();
        let Some(turn) = shared.turns.next().await else { return };
        let sent = (shared.clock)();
        line.ask(&asks, &mut told).await;
        let moments = Moments { turn, sent, done: (shared.clock)() };
        if moments.intended() >= shared.begin {
            shared.tally.add(nth, moments, &told);
        }
        if !told.has_decisions() {
            pause().await;
        }
    }
}

async fn pause() {
    let _ = tokio::time::timeout(PAUSE, std::future::pending::<()>()).await;
}

#[cfg(test)]
mod tests;
