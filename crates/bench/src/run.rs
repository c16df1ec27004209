//! One run from its first connection to its report.

use std::sync::Arc;
use std::time::Duration;

use drl_core::Nanos;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::door::{Door, OpenError, RawStreamDoor, RespDoor, StreamDoor, UnaryDoor};
use crate::keys::{Clients, InvalidClients};
use crate::options::{InvalidOptions, Options, Target};
use crate::pacer;
use crate::report::{End, Report};
use crate::span::Span;
use crate::tally::{Tally, TallyError};
use crate::turns::{Clock, Turns};
use crate::worker::{self, Shared};

/// A run did not come about.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error(transparent)]
    Options(#[from] InvalidOptions),
    #[error(transparent)]
    Clients(#[from] InvalidClients),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Tally(#[from] TallyError),
    #[error("cannot start the thread that keeps the rate: {0}")]
    Pacer(std::io::Error),
}

/// Connects, warms up, measures, and waits for what is under way. `stop` ends it early; what was measured by then is reported. To be
/// called in a runtime with `options.threads` threads.
///
/// # Errors
/// [`BenchError`]; that checks are denied, rejected or fail is none, it is what the report says.
pub async fn run(
    target: &Target,
    options: &Options,
    clock: Clock,
    stop: impl Future<Output = ()>,
) -> Result<Report, BenchError> {
    options.validate(target)?;
    let timeout = options.timeout;
    match target.clone() {
        Target::Stream { address, namespace } => {
            measure(StreamDoor { address, namespace, timeout }, target, options, clock, stop).await
        }
        Target::RawStream { address, namespace } => {
            measure(RawStreamDoor { address, namespace, timeout }, target, options, clock, stop).await
        }
        Target::Unary { address, namespace } => {
            measure(UnaryDoor { address, namespace, timeout }, target, options, clock, stop).await
        }
        Target::Echo { address } => {
            measure(UnaryDoor { address, namespace: String::new(), timeout }, target, options, clock, stop).await
        }
        Target::Resp { address, command } => {
            measure(RespDoor { address, command, timeout }, target, options, clock, stop).await
        }
    }
}

async fn measure<D: Door>(
    door: D,
    target: &Target,
    options: &Options,
    clock: Clock,
    stop: impl Future<Output = ()>,
) -> Result<Report, BenchError> {
    let mut lines = Vec::with_capacity(options.workers());
    for _ in 0..options.connections {
        lines.extend(door.open(options.in_flight).await?);
    }
    let span = Span::new(clock(), options.warmup, options.duration);
    let checks_per_call = u64::try_from(options.batch).unwrap_or(u64::MAX);
    let turns = Arc::new(Turns::new(clock, span, options.rate, checks_per_call));
    let tally = Arc::new(Tally::new(options.threads)?);
    let shared =
        Shared { clock, turns: Arc::clone(&turns), tally: Arc::clone(&tally), batch: options.batch, begin: span.begin };
    let mut workers = JoinSet::new();
    for ((nth, worker), line) in (0..).enumerate().zip(lines) {
        let clients = Clients::new(options.keys, options.clients, options.seed, worker)?;
        workers.spawn(worker::work(nth, line, clients, shared.clone()));
    }
    let pacer = pacer::start(&turns, clock).map_err(BenchError::Pacer)?;
    let end = finish(&mut workers, &turns, span, options.timeout, clock, stop).await;
    let missed = turns.missed(span.begin).saturating_mul(checks_per_call);
    if let Some(pacer) = pacer {
        // It notices the end within a park, and a panic of it would be in the log already.
        let _ = tokio::task::spawn_blocking(move || pacer.join()).await;
    }
    Ok(Report::new(target, options, &tally.total()?, span.begin, missed, end))
}

/// Waits for the workers. An open loop that has fallen behind gets one timeout to catch up, then the rest is missed; every call that is
/// under way ends within a timeout of its own.
async fn finish(
    workers: &mut JoinSet<()>,
    turns: &Turns,
    span: Span,
    grace: Duration,
    clock: Clock,
    stop: impl Future<Output = ()>,
) -> End {
    let left = Nanos(span.end.0.saturating_sub(clock().0));
    let end = tokio::select! {
        joined = timeout(Duration::from(left) + grace, all(workers)) => match joined {
            Ok(()) => return End::Duration,
            Err(_) => End::Duration,
        },
        () = stop => End::Stopped,
    };
    turns.end();
    // A door that forgets its timeout must not hang the run.
    let _ = timeout(grace + grace, all(workers)).await;
    end
}

async fn all(workers: &mut JoinSet<()>) {
    while workers.join_next().await.is_some() {}
}
