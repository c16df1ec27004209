//! Who sends a request: what a header, the peer's address, or a function of yours says.
//!
//! A client is as real as what names it. A header that anybody may set is a limit that anybody evades: use what was authenticated.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{HeaderName, Request};

/// Finds the client in a request. Every `Fn(&Request<B>) -> Option<String>` (or `Option<Vec<u8>>`) does.
pub trait Identify<B>: Send + Sync {
    /// The client's id, 1 to 256 bytes; `None` when the request names none.
    fn client<'r>(&'r self, request: &'r Request<B>) -> Option<Cow<'r, [u8]>>;
}

impl<B, F, Id> Identify<B> for F
where
    F: Fn(&Request<B>) -> Option<Id> + Send + Sync,
    Id: Into<Vec<u8>>,
{
    fn client<'r>(&'r self, request: &'r Request<B>) -> Option<Cow<'r, [u8]>> {
        self(request).map(|id| Cow::Owned(id.into()))
    }
}

/// The value of a header is the client. An empty one names nobody.
#[derive(Debug, Clone)]
pub struct Header(HeaderName);

impl Header {
    /// # Panics
    /// When `name` is no header name in lower case.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self(HeaderName::from_static(name))
    }
}

impl From<HeaderName> for Header {
    fn from(name: HeaderName) -> Self {
        Self(name)
    }
}

impl<B> Identify<B> for Header {
    fn client<'r>(&'r self, request: &'r Request<B>) -> Option<Cow<'r, [u8]>> {
        let value = request.headers().get(&self.0)?.as_bytes();
        (!value.is_empty()).then_some(Cow::Borrowed(value))
    }
}

/// Everybody is the same client: one limit for the whole service.
#[derive(Debug, Clone)]
pub struct Fixed(Vec<u8>);

impl Fixed {
    #[must_use]
    pub fn new(client: impl Into<Vec<u8>>) -> Self {
        Self(client.into())
    }
}

impl<B> Identify<B> for Fixed {
    fn client<'r>(&'r self, _: &'r Request<B>) -> Option<Cow<'r, [u8]>> {
        Some(Cow::Borrowed(&self.0))
    }
}

/// The address of the connection is the client, as text. All of an IPv6 /64 is one client, because whoever has one address of it has
/// them all. Behind a proxy this is the proxy's address.
pub struct PeerAddress<T = SocketAddr>(fn(&T) -> Option<IpAddr>);

impl PeerAddress {
    /// Where the server puts a plain [`SocketAddr`] into the request's extensions.
    #[must_use]
    pub const fn new() -> Self {
        Self(|address| Some(address.ip()))
    }
}

impl<T> PeerAddress<T> {
    /// From what the server puts there: `|peer: &axum::extract::ConnectInfo<SocketAddr>| Some(peer.0.ip())`, or
    /// `|peer: &tonic::transport::server::TcpConnectInfo| Some(peer.remote_addr()?.ip())`.
    #[must_use]
    pub const fn of(address: fn(&T) -> Option<IpAddr>) -> Self {
        Self(address)
    }
}

impl Default for PeerAddress {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for PeerAddress<T> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl<T> std::fmt::Debug for PeerAddress<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PeerAddress(..)")
    }
}

impl<B, T: Send + Sync + 'static> Identify<B> for PeerAddress<T> {
    fn client<'r>(&'r self, request: &'r Request<B>) -> Option<Cow<'r, [u8]>> {
        let address = self.0(request.extensions().get::<T>()?)?;
        Some(Cow::Owned(one_client(address).into_bytes()))
    }
}

/// The name under which everybody at this address counts. IPv4 in IPv6 is IPv4.
fn one_client(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            format!("{}/64", Ipv6Addr::from(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(identify: &impl Identify<()>, request: &Request<()>) -> Option<String> {
        identify.client(request).map(|id| String::from_utf8_lossy(&id).into_owned())
    }

    fn from(address: &str) -> Request<()> {
        let mut request = Request::new(());
        request.extensions_mut().insert(address.parse::<SocketAddr>().unwrap());
        request
    }

    #[test]
    fn a_header_is_the_client_and_an_empty_one_is_nobody() {
        let with = |key| Request::builder().header("x-api-key", key).body(()).unwrap();
        let header = Header::named("x-api-key");
        assert_eq!(client(&header, &with("alice")).as_deref(), Some("alice"));
        assert_eq!(client(&header, &with("")), None);
        assert_eq!(client(&header, &Request::new(())), None);
    }

    #[test]
    fn an_ipv6_network_is_one_client_and_ipv4_is_itself_in_either_form() {
        let of = |address| client(&PeerAddress::new(), &from(address));
        assert_eq!(of("192.0.2.7:80").as_deref(), Some("192.0.2.7"));
        assert_eq!(of("[::ffff:192.0.2.7]:80").as_deref(), Some("192.0.2.7"));
        assert_eq!(of("[2001:db8:1:2:3:4:5:6]:80").as_deref(), Some("2001:db8:1:2::/64"));
        assert_eq!(of("[2001:db8:1:2:ffff::1]:80"), of("[2001:db8:1:2::9]:80"));
        assert_eq!(client(&PeerAddress::new(), &Request::new(())), None, "the server tells no address");
    }

    #[test]
    fn a_function_is_as_good_and_so_is_one_client_for_all() {
        let path = |request: &Request<()>| request.uri().path().strip_prefix("/of/").map(str::to_owned);
        assert_eq!(client(&path, &Request::builder().uri("/of/alice").body(()).unwrap()).as_deref(), Some("alice"));
        assert_eq!(client(&path, &Request::new(())), None);
        assert_eq!(client(&Fixed::new("all"), &Request::new(())).as_deref(), Some("all"));
    }
}
