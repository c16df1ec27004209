//! The way from a request to a decision for the doors that handle one request at a time: decide, wait for the journal, count.

use std::sync::Arc;

use drl_core::{Cost, LimitKey};
use drl_host::{Ask, Host, clock};
use drl_limits::Decision;

use crate::metrics::Metrics;
use crate::refusal::{self, Refusal};

#[derive(Clone)]
pub(crate) struct Judge {
    host: Host,
    metrics: Arc<Metrics>,
}

impl Judge {
    pub(crate) const fn new(host: Host, metrics: Arc<Metrics>) -> Self {
        Self { host, metrics }
    }

    pub(crate) const fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Decides several checks, one after the other; the decisions come in order. At most as many as the host takes at once.
    ///
    /// # Errors
    /// [`Refusal`] when there are no decisions.
    pub(crate) async fn check_all(&self, asks: Vec<Ask<'_>>) -> Result<Vec<Decision>, Refusal> {
        let arrived = clock::monotonic();
        let mut decisions = Vec::with_capacity(asks.len());
        let ticket = refusal::decide(&self.host, &asks, &mut decisions).await?;
        drop(asks);
        refusal::committed(&self.host, ticket).await?;
        self.metrics.decided(arrived, decisions.len());
        Ok(decisions)
    }

    /// Decides one check.
    ///
    /// # Errors
    /// [`Refusal`] when there is no decision.
    pub(crate) async fn check(&self, ask: Ask<'_>) -> Result<Decision, Refusal> {
        let arrived = clock::monotonic();
        let mut decisions = Vec::with_capacity(1);
        let ticket = refusal::decide(&self.host, &[ask], &mut decisions).await?;
        refusal::committed(&self.host, ticket).await?;
        self.metrics.decided(arrived, 1);
        decisions.pop().ok_or(Refusal::Undecided)
    }

    /// Forgets what a key has used.
    ///
    /// # Errors
    /// [`Refusal`] when it was not done.
    pub(crate) async fn reset(&self, key: LimitKey<'_>) -> Result<(), Refusal> {
        refusal::reset(&self.host, key).await
    }

    /// Gives cost back that was charged just now.
    ///
    /// # Errors
    /// [`Refusal`] when it was not done.
    pub(crate) async fn refund(&self, key: LimitKey<'_>, cost: Cost) -> Result<(), Refusal> {
        refusal::refund(&self.host, key, cost).await
    }
}
