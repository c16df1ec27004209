//! A connection to another node, for whatever is said over it, and why there is none.

use std::error::Error;
use std::io;
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

/// How long a peer may take to answer a connection and a first message. Within a data centre that is a millisecond.
pub(crate) const OPEN_TIMEOUT: Duration = Duration::from_secs(1);

/// A silent peer is asked after the first span whether it is there, and given up after the second one more: no check waits longer.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(2));

/// There is no connection.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Undialled {
    /// For people.
    pub(crate) reason: String,
    /// The machine is there and nobody listens: the process is gone.
    pub(crate) is_refused: bool,
}

/// # Errors
/// [`Undialled`]
pub(crate) async fn dial(address: &str) -> Result<Channel, Undialled> {
    Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| undialled(&error))?
        .tcp_nodelay(true)
        .connect_timeout(OPEN_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE.0)
        .keep_alive_timeout(KEEPALIVE.1)
        .keep_alive_while_idle(true)
        .connect()
        .await
        .map_err(|error| undialled(&error))
}

/// The innermost reason of an error: the outer ones say "transport error".
fn undialled(error: &tonic::transport::Error) -> Undialled {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let kind = cause.downcast_ref().map(io::Error::kind);
    Undialled { reason: cause.to_string(), is_refused: kind == Some(io::ErrorKind::ConnectionRefused) }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_port_where_nobody_listens_refuses_and_a_name_that_nobody_has_does_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        assert!(dial(&address).await.unwrap_err().is_refused);
        for nowhere in ["nobody.invalid:1", "not an address"] {
            assert!(!dial(nowhere).await.unwrap_err().is_refused);
        }
    }
}
