//! One HTTP/2 connection to a node, as every gRPC door of the generator opens it.

use std::error::Error as _;
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

use super::OpenError;

/// Connects within `timeout`, which is each call's longest wait from then on.
///
/// # Errors
/// [`OpenError`] when nobody is there.
pub(crate) async fn connect(address: &str, timeout: Duration) -> Result<Channel, OpenError> {
    let broken = |reason: String| OpenError::Broken { address: address.to_owned(), reason };
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| broken(error.to_string()))?
        .connect_timeout(timeout)
        .tcp_nodelay(true);
    match tokio::time::timeout(timeout, endpoint.connect()).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(refusal(address, &error)),
        Err(_) => Err(OpenError::Silent { address: address.to_owned(), within: timeout }),
    }
}

/// The cause at the bottom is the one that says something.
fn refusal(address: &str, error: &tonic::transport::Error) -> OpenError {
    let mut last = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return OpenError::of_io(address, error);
        }
        last = error.to_string();
        cause = error.source();
    }
    OpenError::Broken { address: address.to_owned(), reason: last }
}
