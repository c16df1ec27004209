//! Addresses, the services behind them, and what went wrong with connections as sentences. No error of the network reaches a caller as
//! anything else.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use drl_core::caps::{CLIENT_ENDPOINTS_MAX, GRPC_MESSAGE_BYTES_MAX};
use drl_proto::v1::placement_service_client::PlacementServiceClient;
use drl_proto::v1::rate_limit_client::RateLimitClient;
use http::Uri;
use http::uri::Authority;
use tonic::{Code, Status};

use crate::connection::Connection;
use crate::error::ConnectError;

/// How long a node may take to accept a connection, and again to open a stream. Within a data centre that is a millisecond.
pub(crate) const OPEN_TIMEOUT: Duration = Duration::from_secs(1);

/// A placement of 16,384 shards with the longest names.
const PLACEMENT_BYTES_MAX: usize = 16 << 20;

/// What is said of a connection that ended by itself.
pub(crate) const LOST: &str = "the connection was lost";

/// The endpoints of a list, `host:port` each; `http://` in front of one is allowed.
///
/// # Errors
/// [`ConnectError`]: there is none, too many, or one is no address.
pub(crate) fn endpoints(given: impl IntoIterator<Item = impl Into<String>>) -> Result<Vec<Arc<str>>, ConnectError> {
    let mut endpoints = Vec::new();
    for endpoint in given {
        let endpoint: String = endpoint.into();
        let address = endpoint.strip_prefix("http://").unwrap_or(&endpoint).trim_end_matches('/');
        let is_valid = is_host_and_port(address) && endpoints.len() < CLIENT_ENDPOINTS_MAX;
        if !is_valid {
            return Err(ConnectError::InvalidEndpoint { endpoint });
        }
        endpoints.push(address.into());
    }
    if endpoints.is_empty() { Err(ConnectError::NoEndpoint) } else { Ok(endpoints) }
}

fn is_host_and_port(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else { return false };
    let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
    is_port && !host.is_empty() && !host.contains(['/', '@', ' ']) && address.parse::<Authority>().is_ok()
}

/// What the requests to an address are addressed to.
///
/// # Errors
/// It is no address; for people.
pub(crate) fn origin(address: &str) -> Result<Uri, Arc<str>> {
    let no_address = |_| Arc::from(format!("{address:?} is not an address; a node's --advertise is HOST:PORT"));
    Uri::builder().scheme("http").authority(address).path_and_query("/").build().map_err(no_address)
}

pub(crate) fn checks(connection: Connection) -> RateLimitClient<Connection> {
    let origin = connection.origin();
    RateLimitClient::with_origin(connection, origin)
        .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX)
}

pub(crate) fn placements(connection: Connection) -> PlacementServiceClient<Connection> {
    let origin = connection.origin();
    PlacementServiceClient::with_origin(connection, origin).max_decoding_message_size(PLACEMENT_BYTES_MAX)
}

/// Why a call failed, for people.
pub(crate) fn sentence(status: &Status) -> Arc<str> {
    match (status.code(), status.source()) {
        (Code::Unimplemented, _) => "another program listens there, or a node of another version".into(),
        (_, Some(cause)) => network(cause),
        (_, None) => status.message().into(),
    }
}

/// Why there is no connection, for people.
pub(crate) fn unreachable(error: &io::Error) -> Arc<str> {
    known(error.kind()).unwrap_or_else(|| error.to_string().into())
}

fn known(kind: ErrorKind) -> Option<Arc<str>> {
    match kind {
        ErrorKind::ConnectionRefused => Some("nothing listens there".into()),
        ErrorKind::TimedOut => Some(format!("no connection within {OPEN_TIMEOUT:?}").into()),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => Some(LOST.into()),
        _ => None,
    }
}

/// What a connection said: the deepest cause says most.
pub(crate) fn network(error: &(dyn Error + 'static)) -> Arc<str> {
    let (mut cause, mut last) = (Some(error), String::new());
    while let Some(error) = cause {
        if let Some(known) = error.downcast_ref::<io::Error>().and_then(|error| known(error.kind())) {
            return known;
        }
        last = error.to_string();
        cause = error.source();
    }
    if ["connection closed", "connection was not ready"].iter().any(|sign| last.contains(sign)) {
        return LOST.into();
    }
    // HTTP/2 did not come about.
    let is_other_protocol = ["frame with invalid size", "PROTOCOL_ERROR", "invalid", "FRAME_SIZE", "http2 error"];
    if is_other_protocol.iter().any(|sign| last.contains(sign)) {
        return format!("what listens there does not speak gRPC ({last}); is it a node's gRPC address?").into();
    }
    last.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_host_and_port() {
        let good = endpoints(["127.0.0.1:7700", "http://node-1.example:80/", "[::1]:7700"]).unwrap();
        assert_eq!(
            good.iter().map(|endpoint| &**endpoint).collect::<Vec<_>>(),
            ["127.0.0.1:7700", "node-1.example:80", "[::1]:7700"]
        );
        for bad in ["", "localhost", ":7700", "a:0", "a:70000", "a b:1", "https://a:1", "a:1/path", "user@a:1"] {
            let refused = endpoints([bad]).unwrap_err();
            assert_eq!(refused, ConnectError::InvalidEndpoint { endpoint: bad.to_owned() });
        }
        assert_eq!(endpoints(Vec::<String>::new()), Err(ConnectError::NoEndpoint));
        assert!(endpoints(vec!["a:1"; CLIENT_ENDPOINTS_MAX + 1]).is_err());
    }
}
