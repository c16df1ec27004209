//! A [`ConfigurationService`] whose policies are in a system of yours: it answers `drl.v1.Configuration` (`proto/drl/v1/configuration.proto`),
//! and [`GrpcConfiguration`] asks it.
//!
//! ```text
//!   your service ==> Watch: everything, then each change ==> task (`following.rs`) --> `taking.rs` --> policies in memory <-- get, per check
//! ```
//!
//! * **Cache.** All policies are in memory; no check waits for the service.
//! * **Deadline.** A service that does not connect, or says nothing before everything was told, is given up after [`Options::patience`] and
//!   asked again, after pauses that double from a tenth of a second to five. One that falls silent later is found by HTTP/2 pings.
//! * **Served on.** While it is away the last policies stay in force; [`GrpcConfiguration::standing`] and one line of the log say so.
//! * **Garbage.** A policy that makes no sense changes nothing: the one before stays in force, [`GrpcConfiguration::refused`] and the log name
//!   it with what is wrong. A stream that makes no sense is ended and begun anew.
//! * **Until the first answer** no policy is known and [`ConfigurationService::is_complete`] says so: clients are denied as unknown, whatever
//!   the limiter's rule for those that it does not know. [`GrpcConfiguration::loaded`] waits.
//!
//! The connection has no TLS; keep it on a network that you trust.

mod following;
mod taking;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use drl_configuration::{ConfigurationService, InMemory, RateLimitConfiguration};
use drl_core::LimitKey;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::transport::Endpoint;

use following::Follower;
use taking::Refusals;

/// How a service is followed.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long the service may take to connect, and to say the next thing while it tells everything.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { patience: Duration::from_secs(10) }
    }
}

/// What the policies are worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Not everything was told yet, for the reason of the last try, if one has failed.
    Loading { reason: Option<Arc<str>> },
    /// As the service has them.
    Current,
    /// As the service had them when it was heard last.
    Stale { reason: Arc<str> },
}

/// A policy of the service that is not in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub namespace: String,
    /// For people, as `client alice`.
    pub selector: String,
    pub reason: String,
}

/// There is nothing to follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotFollow {
    #[error("{endpoint} is not an address; write http://HOST:PORT")]
    Endpoint { endpoint: String },
    #[error("a configuration service is followed in a tokio runtime; call this inside one")]
    NoRuntime,
}

/// Not everything was told in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration service has not told its policies within {within:?}: {reason}")]
pub struct NotLoaded {
    pub within: Duration,
    /// Of the last try.
    pub reason: Arc<str>,
}

/// The policies of a service. Dropping it ends the following.
#[derive(Debug)]
pub struct GrpcConfiguration {
    policies: InMemory,
    standing: watch::Receiver<Standing>,
    refusals: Arc<Mutex<Refusals>>,
    following: JoinHandle<()>,
}

impl GrpcConfiguration {
    /// Follows the service at `endpoint`, as `http://policies.example:7800`, from now on, in the present runtime. Does not wait for it.
    ///
    /// # Errors
    /// [`CannotFollow`]
    pub fn follow(endpoint: &str, options: Options) -> Result<Self, CannotFollow> {
        let runtime = Handle::try_current().map_err(|_| CannotFollow::NoRuntime)?;
        let address = Endpoint::from_shared(endpoint.to_owned()).ok().filter(|address| {
            // tonic takes paths of sockets too, and gives them an address of its own.
            endpoint.starts_with("http://") && address.uri().host().is_some_and(|host| !host.is_empty())
        });
        let address = address.ok_or_else(|| CannotFollow::Endpoint { endpoint: endpoint.to_owned() })?;
        let (told, standing) = watch::channel(Standing::Loading { reason: None });
        let (policies, refusals) = (InMemory::new(), Arc::<Mutex<Refusals>>::default());
        let follower = Follower::new(address, options.patience, policies.clone(), Arc::clone(&refusals), told);
        // It ends when it is aborted, by drop.
        let following = runtime.spawn(follower.run());
        Ok(Self { policies, standing, refusals, following })
    }

    /// Waits until everything was told once.
    ///
    /// # Errors
    /// [`NotLoaded`]; the following goes on.
    pub async fn loaded(&self, within: Duration) -> Result<(), NotLoaded> {
        let mut standing = self.standing.clone();
        let is_told = standing.wait_for(|standing| !matches!(standing, Standing::Loading { .. }));
        if matches!(timeout(within, is_told).await, Ok(Ok(_))) {
            return Ok(());
        }
        let reason = match self.standing() {
            Standing::Loading { reason: Some(reason) } => reason,
            _ => Arc::from("it is still telling"),
        };
        Err(NotLoaded { within, reason })
    }

    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// The policies that make no sense, 1,000 at most, and how many there are.
    #[must_use]
    pub fn refused(&self) -> (Vec<Refused>, usize) {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).list()
    }
}

impl Drop for GrpcConfiguration {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl ConfigurationService for GrpcConfiguration {
    fn get(&self, key: LimitKey<'_>) -> Option<RateLimitConfiguration> {
        self.policies.get(key)
    }

    fn revision(&self) -> u64 {
        self.policies.revision()
    }

    fn is_complete(&self) -> bool {
        !matches!(*self.standing.borrow(), Standing::Loading { .. })
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.policies.watch()
    }
}
