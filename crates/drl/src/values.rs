//! Values on the command line. Each is read by the library that owns it, so a wrong one gets that library's text; what is added
//! here is only what a shell needs: the list of names for help and completions.

use std::ffi::OsStr;
use std::str::FromStr;
use std::sync::Arc;

use clap::builder::{OsStringValueParser, PossibleValue, TypedValueParser};
use clap::{Arg, Command};
use drl_core::caps::COST_MAX;
use drl_core::{ClientId, Cost, InvalidClientId, InvalidCost, InvalidNamespace, Namespace, Nanos};
use drl_limits::{InvalidWindow, Window};

/// Reads a value by its `FromStr` and tells help and completions which names exist.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named<T> {
    names: &'static [&'static str],
    read: fn(&str) -> Result<T, ReadError>,
}

type ReadError = Arc<dyn std::error::Error + Send + Sync>;

impl<T> Named<T>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    pub(crate) fn new(names: &'static [&'static str]) -> Self {
        Self { names, read: |text| text.parse().map_err(|error| Arc::new(error) as ReadError) }
    }
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Named<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, flag: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        TypedValueParser::parse_ref(&self.read, command, flag, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.names.iter().map(PossibleValue::new)))
    }
}

/// A client id or a prefix of one as it was typed: any bytes that a shell can pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientBytes(pub(crate) Vec<u8>);

/// Parser of a client id: 1 to 256 bytes.
pub(crate) fn client() -> impl TypedValueParser<Value = ClientBytes> {
    OsStringValueParser::new().try_map(|text| {
        let bytes = text.into_encoded_bytes();
        ClientId::new(&bytes)?;
        Ok::<_, InvalidClientId>(ClientBytes(bytes))
    })
}

/// A namespace's name, checked.
///
/// # Errors
/// [`InvalidNamespace`].
pub(crate) fn namespace(text: &str) -> Result<String, InvalidNamespace> {
    Namespace::new(text).map(|namespace| namespace.as_str().to_owned())
}

/// Units of a check: 0 to 2^53; 0 looks without charging.
///
/// # Errors
/// A text when this is not a number or out of range.
pub(crate) fn cost(text: &str) -> Result<u64, InvalidUnits> {
    let sent: i128 = text.parse().map_err(|_| InvalidUnits::NotANumber)?;
    Ok(Cost::new(sent)?.units())
}

/// Units to give back: 1 to 2^53.
///
/// # Errors
/// A text when this is not a number, zero, or out of range.
pub(crate) fn refunded_cost(text: &str) -> Result<u64, InvalidUnits> {
    match cost(text)? {
        0 => Err(InvalidUnits::Nothing),
        units => Ok(units),
    }
}

/// A span of time, or `0` for none.
///
/// # Errors
/// [`InvalidWindow`].
pub(crate) fn span_or_zero(text: &str) -> Result<Nanos, InvalidWindow> {
    if ["0", "0s"].contains(&text) { Ok(Nanos::ZERO) } else { text.parse().map(Window::nanos) }
}

/// Requests of a limit, or a burst: 1 to 2^53.
///
/// # Errors
/// A text when this is not a number, zero, or out of range.
pub(crate) fn requests(text: &str) -> Result<u64, InvalidUnits> {
    match text.parse::<u64>() {
        Ok(requests @ 1..=COST_MAX) => Ok(requests),
        _ => Err(InvalidUnits::Requests),
    }
}

/// A number of units that cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidUnits {
    #[error("not a whole number")]
    NotANumber,
    #[error("use a whole number, 1 to {COST_MAX}")]
    Requests,
    #[error("a refund of 0 gives nothing back; send 1 or more")]
    Nothing,
    #[error(transparent)]
    OutOfRange(#[from] InvalidCost),
}

/// `HOST:PORT`, of a name, an IPv4 address or an IPv6 address in brackets. The port is not resolved here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPort(String);

/// An address that is not `HOST:PORT`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidHostPort {
    #[error("give HOST:PORT without a scheme, such as 127.0.0.1:7700")]
    Scheme,
    #[error("the port is missing or not 0 to 65535; give HOST:PORT, such as 127.0.0.1:7700")]
    Port,
    #[error("the host is missing or not a name; give HOST:PORT, such as 127.0.0.1:7700 or [::1]:7700")]
    Host,
}

impl HostPort {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Its digits.
    pub(crate) fn port(&self) -> &str {
        self.0.rsplit_once(':').map_or("", |(_, port)| port)
    }
}

impl FromStr for HostPort {
    type Err = InvalidHostPort;

    fn from_str(text: &str) -> Result<Self, InvalidHostPort> {
        if text.contains("://") {
            return Err(InvalidHostPort::Scheme);
        }
        let (host, port) = text.rsplit_once(':').ok_or(InvalidHostPort::Port)?;
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || port.parse::<u16>().is_err() {
            return Err(InvalidHostPort::Port);
        }
        let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match in_brackets {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
            }
        };
        if is_host { Ok(Self(text.to_owned())) } else { Err(InvalidHostPort::Host) }
    }
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_host_and_port_and_nothing_else() {
        for good in ["127.0.0.1:7700", "[::1]:0", "node-1.example:65535"] {
            assert_eq!(good.parse::<HostPort>().unwrap().as_str(), good);
        }
        let refused = |text: &str| text.parse::<HostPort>().unwrap_err();
        assert_eq!(refused("http://127.0.0.1:7700"), InvalidHostPort::Scheme);
        for bad in ["127.0.0.1", "127.0.0.1:", "h:65536", "h:+1", "h:-1"] {
            assert_eq!(refused(bad), InvalidHostPort::Port, "{bad}");
        }
        for bad in [":7700", "::1:7700", "[::1:7700", "a b:1", "a/b:1"] {
            assert_eq!(refused(bad), InvalidHostPort::Host, "{bad}");
        }
    }

    #[test]
    fn costs_are_whole_numbers_in_range() {
        assert_eq!(cost("0"), Ok(0));
        assert_eq!(cost("9007199254740992"), Ok(1 << 53));
        assert_eq!(cost("1.5"), Err(InvalidUnits::NotANumber));
        assert_eq!(cost("-1"), Err(InvalidUnits::OutOfRange(InvalidCost { sent: -1 })));
        assert_eq!(refunded_cost("0"), Err(InvalidUnits::Nothing));
        for bad in ["0", "-1", "9007199254740993", "1e3", ""] {
            assert_eq!(requests(bad), Err(InvalidUnits::Requests), "{bad}");
        }
    }
}
