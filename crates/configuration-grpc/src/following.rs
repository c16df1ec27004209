//! The task that asks, again and again. Between two tries it pauses; what went wrong is said once, until it is well again.

use std::error::Error;
use std::future::{Future, pending};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drl_configuration::{InMemory, PolicySet};
use drl_proto::v1::WatchConfigurationRequest;
use drl_proto::v1::configuration_client::ConfigurationClient;
use rand::Rng;
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::transport::Endpoint;

use crate::Standing;
use crate::taking::{Refusals, Taking};

/// Between tries: spread between the half and the whole of what its turn allows, so that nodes do not come back together.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A service that is silent is asked after so long whether it is there, and given up after so long more.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(5));

/// Longest message that is taken: sixty of the longest policies, or some ten thousand of the usual ones.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

pub(crate) struct Follower {
    endpoint: Endpoint,
    patience: Duration,
    policies: InMemory,
    refusals: Arc<Mutex<Refusals>>,
    standing: watch::Sender<Standing>,
}

impl Follower {
    pub(crate) fn new(
        endpoint: Endpoint,
        patience: Duration,
        policies: InMemory,
        refusals: Arc<Mutex<Refusals>>,
        standing: watch::Sender<Standing>,
    ) -> Self {
        let endpoint = endpoint
            .tcp_nodelay(true)
            .connect_timeout(patience)
            .http2_keep_alive_interval(KEEPALIVE.0)
            .keep_alive_timeout(KEEPALIVE.1)
            .keep_alive_while_idle(true);
        Self { endpoint, patience, policies, refusals, standing }
    }

    pub(crate) async fn run(self) {
        let mut pause = PAUSES.0;
        loop {
            let mut was_told = false;
            let reason = self.watch(&mut was_told).await;
            if was_told {
                pause = PAUSES.0;
            }
            self.lost(reason.into());
            let _ = timeout(spread(pause), pending::<()>()).await;
            pause = pause.saturating_mul(2).min(PAUSES.1);
        }
    }

    /// One stream, to its end; why it ended.
    async fn watch(&self, was_told: &mut bool) -> String {
        let mut client = match self.in_time(self.endpoint.connect()).await {
            Ok(Ok(channel)) => ConfigurationClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX),
            Ok(Err(error)) => return innermost(&error),
            Err(late) => return late,
        };
        let mut messages = match self.in_time(client.watch(WatchConfigurationRequest {})).await {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return status.message().to_owned(),
            Err(late) => return late,
        };
        let mut taking = Taking::new(&self.policies, &self.refusals);
        loop {
            let next = messages.message();
            let message = if *was_told { Ok(next.await) } else { self.in_time(next).await };
            let message = match message {
                Ok(Ok(Some(message))) => message,
                Ok(Ok(None)) => return "it ended the stream".to_owned(),
                Ok(Err(status)) => return status.message().to_owned(),
                Err(late) => return late,
            };
            match taking.take(&message) {
                Ok(is_complete) if is_complete && !*was_told => {
                    *was_told = true;
                    self.told();
                }
                Ok(_) => {}
                Err(nonsense) => return nonsense.to_string(),
            }
        }
    }

    async fn in_time<T>(&self, what: impl Future<Output = T>) -> Result<T, String> {
        timeout(self.patience, what).await.map_err(|_| format!("no answer within {:?}", self.patience))
    }

    fn told(&self) {
        let before = self.standing.send_replace(Standing::Current);
        if before != Standing::Current {
            let (endpoint, policies) = (self.endpoint.uri(), self.policies.with_policies(PolicySet::len));
            tracing::info!(%endpoint, policies, "the configuration service has told its policies");
        }
    }

    fn lost(&self, reason: Arc<str>) {
        let endpoint = self.endpoint.uri();
        self.standing.send_modify(|standing| match standing {
            Standing::Loading { reason: before } => {
                if before.as_ref() != Some(&reason) {
                    tracing::warn!(%endpoint, %reason, "the configuration service does not tell its policies; nobody is known yet");
                }
                *before = Some(reason);
            }
            Standing::Current => {
                tracing::warn!(%endpoint, %reason, "the configuration service is away; its last policies stay in force");
                *standing = Standing::Stale { reason };
            }
            Standing::Stale { reason: before } => *before = reason,
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place of this crate where something is drawn")]
fn spread(pause: Duration) -> Duration {
    rand::rng().random_range(pause / 2..=pause)
}

/// The outer ones say "transport error".
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
