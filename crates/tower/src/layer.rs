//! What is chosen once for a service.

use std::sync::Arc;

use drl_client::{InvalidRequest, RateLimiter};
use drl_core::{LimitKey, Namespace};
use drl_limits::Policy;
use tower_layer::Layer;

use crate::cost::One;
use crate::gate::{FieldsOn, Gate, WithoutClient};
use crate::service::RateLimit;

/// Puts a limiter in front of services. Cheap to clone, whatever the services are.
#[derive(Clone)]
pub struct RateLimitLayer<I, C = One> {
    gate: Arc<Gate>,
    identify: Arc<I>,
    cost: Arc<C>,
}

impl<I> RateLimitLayer<I> {
    /// `identify` finds the client in a request: a [`crate::Header`], a [`crate::PeerAddress`], or a closure. Each request costs 1, in
    /// the namespace `default`.
    #[must_use]
    pub fn new(limiter: RateLimiter, identify: I) -> Self {
        Self { gate: Arc::new(Gate::new(limiter)), identify: Arc::new(identify), cost: Arc::new(One) }
    }
}

impl<I, C> RateLimitLayer<I, C> {
    /// What a request costs: a closure from `&Request<B>` to units.
    #[must_use]
    pub fn cost<D>(self, cost: D) -> RateLimitLayer<I, D> {
        RateLimitLayer { gate: self.gate, identify: self.identify, cost: Arc::new(cost) }
    }

    /// Whose policies and counters these are.
    ///
    /// # Errors
    /// [`InvalidRequest::Namespace`] unless it is a name (1 to 64 of `a-z A-Z 0-9 . _ -`).
    pub fn namespace(self, name: &str) -> Result<Self, InvalidRequest> {
        let namespace = Namespace::new(name)?.as_str().to_owned();
        Ok(self.with(|gate| gate.namespace = namespace))
    }

    /// What becomes of a request that names no client; refused unless chosen.
    #[must_use]
    pub fn without_client(self, rule: WithoutClient) -> Self {
        self.with(|gate| gate.without_client = rule)
    }

    /// Which answers carry the `RateLimit` fields; all unless chosen.
    #[must_use]
    pub fn fields_on(self, answers: FieldsOn) -> Self {
        self.with(|gate| gate.fields_on = answers)
    }

    /// Where the policies are known (in process they are), so that the fields list every limit of a policy with its name, as the HTTP door
    /// of a node does. Otherwise they show the tightest limit, which is what a decision tells.
    #[must_use]
    pub fn policies(
        self,
        policies: impl for<'k> Fn(LimitKey<'k>) -> Option<Arc<Policy>> + Send + Sync + 'static,
    ) -> Self {
        self.with(|gate| gate.policies = Some(Arc::new(policies)))
    }

    fn with(mut self, change: impl FnOnce(&mut Gate)) -> Self {
        change(Arc::make_mut(&mut self.gate));
        self
    }
}

impl<S, I, C> Layer<S> for RateLimitLayer<I, C> {
    type Service = RateLimit<S, I, C>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimit {
            inner,
            gate: Arc::clone(&self.gate),
            identify: Arc::clone(&self.identify),
            cost: Arc::clone(&self.cost),
        }
    }
}
