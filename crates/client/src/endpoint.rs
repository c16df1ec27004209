//! Addresses, connections, and what went wrong with them as sentences. No error of the network leaves this file as anything else.

use std::error::Error as _;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use drl_core::caps::{CLIENT_ENDPOINTS_MAX, GRPC_MESSAGE_BYTES_MAX};
use drl_proto::v1::placement_service_client::PlacementServiceClient;
use drl_proto::v1::rate_limit_client::RateLimitClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use crate::error::ConnectError;

/// How long a node may take to accept a connection, and again to open a stream. Within a data centre that is a millisecond.
pub(crate) const OPEN_TIMEOUT: Duration = Duration::from_secs(1);

/// An idle connection is asked after the first span whether the node is there, and closed when no answer comes within the second.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(2));

/// A placement of 16,384 shards with the longest names.
const PLACEMENT_BYTES_MAX: usize = 16 << 20;

/// What is said of a connection that ended by itself.
pub(crate) const LOST: &str = "the connection was lost";

/// What a line reads ahead of the carrier. A connection that is not used holds none of it.
const WINDOW_BYTES: u32 = 1 << 20;

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
    is_port && !host.is_empty() && !host.contains(['/', '@', ' ']) && uri(address).is_ok()
}

fn uri(address: &str) -> Result<Endpoint, Arc<str>> {
    let no_address = |_| Arc::from(format!("{address:?} is not an address; a node's --advertise is HOST:PORT"));
    Endpoint::from_shared(format!("http://{address}")).map_err(no_address)
}

/// A connection that is made when it is first needed, and again when it was lost.
///
/// # Errors
/// It is no address; for people.
pub(crate) fn channel(address: &str) -> Result<Channel, Arc<str>> {
    let endpoint = uri(address)?
        .tcp_nodelay(true)
        .connect_timeout(OPEN_TIMEOUT)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .http2_keep_alive_interval(KEEPALIVE.0)
        .keep_alive_timeout(KEEPALIVE.1)
        .keep_alive_while_idle(true);
    Ok(endpoint.connect_lazy())
}

pub(crate) fn checks(channel: Channel) -> RateLimitClient<Channel> {
    RateLimitClient::new(channel)
        .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
        .max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX)
}

pub(crate) fn placements(channel: Channel) -> PlacementServiceClient<Channel> {
    PlacementServiceClient::new(channel).max_decoding_message_size(PLACEMENT_BYTES_MAX)
}

/// Why a call failed, for people.
pub(crate) fn sentence(status: &Status) -> Arc<str> {
    match status.code() {
        Code::Unimplemented => "another program listens there, or a node of another version".into(),
        _ if status.source().is_some() => network(status),
        _ => status.message().into(),
    }
}

/// What a connection said: the deepest cause says most.
fn network(status: &Status) -> Arc<str> {
    let mut cause = status.source();
    let mut last = status.message().to_owned();
    while let Some(error) = cause {
        match error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
            Some(ErrorKind::ConnectionRefused) => return "nothing listens there".into(),
            Some(ErrorKind::TimedOut) => return format!("no connection within {OPEN_TIMEOUT:?}").into(),
            Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof) => {
                return LOST.into();
            }
            _ => {}
        }
        last = error.to_string();
        cause = error.source();
    }
    if last.contains("connection closed") {
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
