//! What of a request is its client: the field of a log line that limits are counted by.

use std::str::FromStr;

/// The field of a log line that names the client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Key {
    /// The address: the first field of a combined line.
    #[default]
    Ip,
    /// The user of HTTP authentication: the third field of a combined line. Requests without one are not replayed.
    User,
    /// The path of the request, without its query.
    Path,
    UserAgent,
    /// A field of JSON lines by its name; combined lines have none.
    Field(String),
}

/// A key that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key {sent:?} is not known; use ip, user, path, user-agent, or field:NAME for a field of JSON lines")]
pub struct InvalidKey {
    pub sent: String,
}

impl Key {
    /// Names that JSON logs use for this field, the likeliest first.
    pub(crate) fn json_names(&self) -> Vec<&str> {
        match self {
            Self::Ip => vec!["ip", "client_ip", "remote_addr", "remote_ip", "clientip", "host"],
            Self::User => vec!["user", "remote_user", "client_id"],
            Self::Path => vec!["path", "uri", "request_uri", "url"],
            Self::UserAgent => vec!["user_agent", "http_user_agent", "userAgent", "agent"],
            Self::Field(name) => vec![name],
        }
    }
}

impl FromStr for Key {
    type Err = InvalidKey;

    fn from_str(sent: &str) -> Result<Self, InvalidKey> {
        match sent {
            "ip" => Ok(Self::Ip),
            "user" => Ok(Self::User),
            "path" => Ok(Self::Path),
            "user-agent" => Ok(Self::UserAgent),
            _ => match sent.strip_prefix("field:").filter(|name| !name.is_empty()) {
                Some(name) => Ok(Self::Field(name.to_owned())),
                None => Err(InvalidKey { sent: sent.to_owned() }),
            },
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip => f.write_str("ip"),
            Self::User => f.write_str("user"),
            Self::Path => f.write_str("path"),
            Self::UserAgent => f.write_str("user-agent"),
            Self::Field(name) => write!(f, "field:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_its_name_says_and_nothing_else_is_one() {
        for name in ["ip", "user", "path", "user-agent", "field:tenant"] {
            assert_eq!(name.parse::<Key>().unwrap().to_string(), name);
        }
        for bad in ["", "IP", "field:", "tenant"] {
            assert_eq!(bad.parse::<Key>(), Err(InvalidKey { sent: bad.to_owned() }));
        }
    }
}
