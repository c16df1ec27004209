//! Waits until limits that were just written are in force.

use std::time::Duration;

use drl_client::{CheckRequest, Connect, ConnectError};
use drl_core::Nanos;
use tokio::task::yield_now;

use crate::turns::Clock;

/// Limits are not in force.
#[derive(Debug, thiserror::Error)]
pub enum ForceError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the limit of {client} is not in force within {within:?}")]
    NotInForce { client: String, within: Duration },
}

/// Until the owner of each of these clients has a limit for it, or an error when that takes longer than `within`.
///
/// # Errors
/// [`ForceError`].
pub async fn in_force(
    endpoints: Vec<String>,
    clients: &[String],
    within: Duration,
    clock: Clock,
) -> Result<(), ForceError> {
    let limiter = Connect::new(endpoints).deadline(within).connect().await?.strict();
    let end = clock().0.saturating_add(Nanos::from(within).0);
    for client in clients {
        let Ok(request) = CheckRequest::new(client) else { continue };
        while !limiter.peek(request).await.is_ok_and(|peeked| peeked.limit > 0) {
            if clock().0 > end {
                return Err(ForceError::NotInForce { client: client.clone(), within });
            }
            yield_now().await;
        }
    }
    Ok(())
}
