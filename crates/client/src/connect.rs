//! Making a limiter that asks a cluster.

use std::sync::Arc;
use std::time::Duration;

use drl_limits::OnUnavailable;
use tokio::runtime::Handle;

use crate::endpoint;
use crate::error::ConnectError;
use crate::rate_limiter::RateLimiter;
use crate::routing::{Options, Routing};
use crate::watcher::Watcher;

/// The longest wait of a call when nobody chose: a shard whose owner died is answered again within it.
const DEADLINE: Duration = Duration::from_secs(1);

/// How long the endpoints may take to tell where the shards are, when nobody chose.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long a connection may be unused when nobody chose: a pause in the traffic is shorter, and opening it again takes a millisecond.
const IDLE: Duration = Duration::from_mins(1);

/// How to make a limiter that asks the nodes of a cluster, or one node that stands alone.
#[derive(Debug, Clone)]
pub struct Connect {
    endpoints: Vec<String>,
    /// How long they may take to tell where the shards are.
    patience: Duration,
    options: Options,
}

impl Connect {
    /// Through any of these nodes, `host:port` of their gRPC doors. One that answers is enough: it tells of the others.
    #[must_use]
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let options = Options { within: DEADLINE, on_unavailable: OnUnavailable::Deny, idle: IDLE };
        let endpoints = endpoints.into_iter().map(Into::into).collect();
        Self { endpoints, patience: CONNECT_WITHIN, options }
    }

    /// The longest wait of a call, all retries included; 1 s unless chosen. [`RateLimiter::within`] gives a handle with another one.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.options.within = deadline;
        self
    }

    /// What decides when nobody can, for clients whose policy was not seen yet; deny unless chosen. Policies that were seen decide for
    /// themselves.
    #[must_use]
    pub const fn on_unavailable(mut self, class: OnUnavailable) -> Self {
        self.options.on_unavailable = class;
        self
    }

    /// How long the endpoints may take to tell where the shards are; 5 s unless chosen.
    #[must_use]
    pub const fn connect_within(mut self, span: Duration) -> Self {
        self.patience = span;
        self
    }

    /// How long a connection may be unused before it is closed, with the memory that it takes; 1 min unless chosen. The next check opens
    /// it again. The one over which the limiter hears where the shards are stays.
    #[must_use]
    pub const fn close_idle_after(mut self, span: Duration) -> Self {
        self.options.idle = span;
        self
    }

    /// Asks the endpoints where the shards are. The limiter's tasks run in the current tokio runtime and end when its last clone is
    /// dropped.
    ///
    /// # Errors
    /// [`ConnectError`]: an endpoint is no address, none of them answers in time, or there is no tokio runtime.
    pub async fn connect(self) -> Result<RateLimiter, ConnectError> {
        let runtime = Handle::try_current().map_err(|_| ConnectError::NoRuntime)?;
        let endpoints = endpoint::endpoints(self.endpoints)?;
        let (watcher, placement) = Watcher::begin(endpoints, Arc::default(), self.patience).await?;
        Ok(RateLimiter::over(Arc::new(Routing::new(watcher, placement, self.options, runtime))))
    }
}

impl RateLimiter {
    /// A limiter that asks the owner of each client, found through any of these nodes (`host:port` of their gRPC doors). See
    /// [`Connect`] for deadlines and more.
    ///
    /// # Errors
    /// [`ConnectError`]: an endpoint is no address, none of them answers in time, or there is no tokio runtime.
    pub async fn connect(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, ConnectError> {
        Connect::new(endpoints).connect().await
    }
}
