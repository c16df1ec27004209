//! Keeps a lease alive: one renewal every third of its time to live, each with a deadline of its own and an answer that is checked.
//! It never stops by itself, since a renewal that says "gone" is only a hint, and says what it hears.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::{Coordination, Fault, Grant, LeaseId, Renewal};

/// What the last renewal said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Liveness {
    Alive,
    /// No answer; the lease may live on or not.
    Silent(Fault),
    /// The store says that the lease is gone. The next heartbeat tells for certain.
    Gone,
}

/// A lease and the task that keeps it alive. Dropping it ends the task.
#[derive(Debug)]
pub struct Keeper {
    lease: LeaseId,
    liveness: watch::Receiver<Liveness>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Keeps the lease of `grant` alive from now on. To be called in a tokio runtime.
    #[must_use]
    pub fn start(coordination: Arc<dyn Coordination>, grant: Grant) -> Self {
        let (sender, liveness) = watch::channel(Liveness::Alive);
        let task = tokio::spawn(keep(coordination, grant, sender));
        Self { lease: grant.lease, liveness, task }
    }

    #[must_use]
    pub const fn lease(&self) -> LeaseId {
        self.lease
    }

    /// What the last renewal said.
    #[must_use]
    pub fn liveness(&self) -> watch::Receiver<Liveness> {
        self.liveness.clone()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(coordination: Arc<dyn Coordination>, grant: Grant, liveness: watch::Sender<Liveness>) {
    let pace = grant.ttl.span() / 3;
    let mut ticks = tokio::time::interval(pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let heard = match coordination.renew(grant.lease, pace).await {
            Ok(Renewal::Alive) => Liveness::Alive,
            Ok(Renewal::Gone) => Liveness::Gone,
            Err(fault) => Liveness::Silent(fault),
        };
        tell(&liveness, grant.lease, heard);
    }
}

fn tell(liveness: &watch::Sender<Liveness>, lease: LeaseId, heard: Liveness) {
    liveness.send_if_modified(|now| {
        let is_new = *now != heard;
        if is_new {
            tracing::info!(%lease, was = ?now, is = ?heard, "session");
            *now = heard;
        }
        is_new
    });
}
