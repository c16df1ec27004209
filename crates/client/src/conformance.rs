//! What every [`RateLimiter`] must do, whatever answers behind it, as claims that run against each one. A claim returns what it found
//! broken instead of panicking, so that this may live beside the trait [`crate::Backend`].
//!
//! A limiter under test has these policies and no counters of the clients named here; [`Claim::run`] is called in a tokio runtime with
//! several threads:
//!
//! | namespace | policy of everybody |
//! |---|---|
//! | `default` | [`LIMIT`] requests in 1 h, sliding window |
//! | [`SMALL`] | [`SMALL_LIMIT`] requests in 1 h, sliding window |
//! | [`NOBODY`] | none; clients without a policy are denied |

mod charging;
mod concurrency;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::{Answer, CheckError, CheckRequest, Decision, InvalidRequest, RateLimiter};

/// Requests of each client in the namespace `default`.
pub const LIMIT: u64 = 10;

/// A namespace with a smaller limit.
pub const SMALL: &str = "small";

/// Requests of each client in [`SMALL`].
pub const SMALL_LIMIT: u64 = 3;

/// A namespace without policies.
pub const NOBODY: &str = "nobody";

/// Longer than any healthy limiter takes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a limiter did not keep.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Broken {
    pub what: String,
}

impl From<CheckError> for Broken {
    fn from(error: CheckError) -> Self {
        Self { what: format!("no decision: {error}") }
    }
}

impl From<InvalidRequest> for Broken {
    fn from(error: InvalidRequest) -> Self {
        Self { what: format!("a request that was refused: {error}") }
    }
}

/// A claim, with its name.
pub struct Claim {
    pub name: &'static str,
    /// Checks it on a limiter.
    pub run: fn(RateLimiter) -> Answer<'static, Result<(), Broken>>,
}

/// Every claim. They use different clients, so that one limiter may serve them all.
pub const CLAIMS: &[&[Claim]] = &[charging::CLAIMS, concurrency::CLAIMS];

macro_rules! claims {
    ($($name:ident),+ $(,)?) => {
        pub(super) const CLAIMS: &[super::Claim] =
            &[$(super::Claim { name: stringify!($name), run: |limiter| Box::pin($name(limiter)) }),+];
    };
}
use claims;

/// Runs every claim on one limiter.
///
/// # Errors
/// [`Broken`], with the name of the first claim that does not hold.
pub async fn check(limiter: &RateLimiter) -> Result<(), Broken> {
    let limiter = limiter.within(PATIENCE).strict();
    for claim in CLAIMS.iter().copied().flatten() {
        let held = (claim.run)(limiter.clone()).await;
        held.map_err(|broken| Broken { what: format!("{}: {}", claim.name, broken.what) })?;
    }
    Ok(())
}

/// Compares what was found with what was promised.
fn is<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, promised: &T) -> Result<(), Broken> {
    if found == promised {
        return Ok(());
    }
    Err(Broken { what: format!("{what}: {found:?} and not {promised:?}") })
}

fn request(client: &str) -> Result<CheckRequest<'_>, InvalidRequest> {
    CheckRequest::new(client.as_bytes())
}

/// Units of the client that are free, in the namespace `default`.
async fn free(limiter: &RateLimiter, client: &str) -> Result<u64, Broken> {
    Ok(limiter.peek(request(client)?).await?.remaining)
}

/// What a caller looks at first.
fn outcome(decision: &Decision) -> (bool, u64) {
    (decision.allowed, decision.remaining)
}
