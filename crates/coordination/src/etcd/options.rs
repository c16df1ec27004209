//! How to reach etcd: endpoints, credentials, certificates. Everything that can be told to be wrong without asking etcd is refused
//! here. Secrets do not print.

use std::time::Duration;

use drl_core::caps::ETCD_ENDPOINTS_MAX;
use tonic::transport::Uri;

use super::secret::Secret;
use crate::Seen;

/// How to reach etcd.
#[derive(Debug, Clone)]
pub struct EtcdOptions {
    pub endpoints: Vec<Endpoint>,
    /// Not needed where a client certificate says who the node is, which is to be preferred.
    pub credentials: Option<Credentials>,
    /// For endpoints with https.
    pub tls: Option<Tls>,
    /// What an earlier process of this node has seen; a store that does not fit is not believed.
    pub seen: Option<Seen>,
    /// How long opening a connection may take.
    pub connect_within: Duration,
}

/// The URL of a member for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: String,
    is_tls: bool,
}

/// A user of etcd.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub user: String,
    pub password: Secret,
}

/// Certificates, in PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Of the authority that signed the members' certificates.
    pub ca: Vec<u8>,
    /// This client's own.
    pub identity: Option<Identity>,
}

/// A client certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    pub cert: Vec<u8>,
    pub key: Secret,
}

/// Options that no etcd can be reached with. What was given is repeated only where it cannot be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOptions {
    #[error("--etcd {url} is no URL: {reason} (an example: http://127.0.0.1:2379)")]
    Url { url: String, reason: String },
    #[error("--etcd has a user or password in its URL: give --etcd-user NAME:PASSWORD instead")]
    UserInUrl,
    #[error("--etcd names {sent} endpoints; give 1 to {ETCD_ENDPOINTS_MAX}")]
    EndpointCount { sent: usize },
    #[error("--etcd-user must be NAME:PASSWORD, neither of them empty")]
    Credentials,
    #[error("--etcd {url} needs --etcd-ca: the certificate of the authority that signed etcd's")]
    NoCa { url: String },
    #[error("--etcd {url} is not https, and a certificate was given")]
    NotTls { url: String },
    #[error("--etcd-cert and --etcd-key belong together: give both or none")]
    HalfIdentity,
    #[error("--etcd-ca holds no certificate in PEM")]
    Ca,
    #[error("--etcd-cert and --etcd-key are no certificate and key in PEM")]
    Identity,
    #[error("the certificates cannot be used: {reason}")]
    Tls { reason: String },
}

impl EtcdOptions {
    /// Options for a comma-separated list of URLs, without credentials.
    ///
    /// # Errors
    /// [`InvalidOptions`] for the first URL that is wrong.
    pub fn new(urls: &str) -> Result<Self, InvalidOptions> {
        let endpoints: Vec<_> = urls.split(',').map(Endpoint::parse).collect::<Result<_, _>>()?;
        if endpoints.len() > ETCD_ENDPOINTS_MAX {
            return Err(InvalidOptions::EndpointCount { sent: endpoints.len() });
        }
        Ok(Self { endpoints, credentials: None, tls: None, seen: None, connect_within: Duration::from_secs(2) })
    }

    /// What can be told without asking etcd.
    ///
    /// # Errors
    /// [`InvalidOptions`]
    pub fn check(&self) -> Result<(), InvalidOptions> {
        if !(1..=ETCD_ENDPOINTS_MAX).contains(&self.endpoints.len()) {
            return Err(InvalidOptions::EndpointCount { sent: self.endpoints.len() });
        }
        for endpoint in &self.endpoints {
            match (&self.tls, endpoint.is_tls) {
                (None, true) => return Err(InvalidOptions::NoCa { url: endpoint.url.clone() }),
                (Some(_), false) => return Err(InvalidOptions::NotTls { url: endpoint.url.clone() }),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Endpoint {
    /// `http://` or `https://`, host, and port (2379 when absent).
    ///
    /// # Errors
    /// [`InvalidOptions::Url`], [`InvalidOptions::UserInUrl`]
    pub fn parse(url: &str) -> Result<Self, InvalidOptions> {
        let url = url.trim();
        if url.contains('@') {
            return Err(InvalidOptions::UserInUrl);
        }
        let wrong = |reason: &str| InvalidOptions::Url { url: url.to_owned(), reason: reason.to_owned() };
        let uri: Uri = url.parse().map_err(|_| wrong("it cannot be read"))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("it must start with http:// or https://")),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it names no host"))?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("something follows host and port"));
        }
        let authority_has_port = uri.authority().is_some_and(|authority| authority.as_str().len() > host.len());
        let port = match uri.port_u16() {
            Some(0) => return Err(wrong("its port is no port")),
            Some(port) => port,
            None if authority_has_port => return Err(wrong("its port is no port")),
            None => 2379,
        };
        let scheme = if is_tls { "https" } else { "http" };
        Ok(Self { url: format!("{scheme}://{host}:{port}"), is_tls })
    }

    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Credentials {
    /// Reads `NAME:PASSWORD`; the password may have colons.
    ///
    /// # Errors
    /// [`InvalidOptions::Credentials`]
    pub fn parse(text: &str) -> Result<Self, InvalidOptions> {
        match text.split_once(':') {
            Some((user, password)) if !user.is_empty() && !password.is_empty() => {
                Ok(Self { user: user.to_owned(), password: Secret::from(password) })
            }
            _ => Err(InvalidOptions::Credentials),
        }
    }
}

impl Tls {
    /// From the contents of the files that `--etcd-ca`, `--etcd-cert` and `--etcd-key` name.
    ///
    /// # Errors
    /// [`InvalidOptions::Ca`], [`InvalidOptions::HalfIdentity`], [`InvalidOptions::Identity`]
    pub fn new(ca: Vec<u8>, cert: Option<Vec<u8>>, key: Option<Vec<u8>>) -> Result<Self, InvalidOptions> {
        if !is_pem(&ca, "CERTIFICATE-----") {
            return Err(InvalidOptions::Ca);
        }
        let identity = match (cert, key) {
            (None, None) => None,
            (Some(cert), Some(key)) if is_pem(&cert, "CERTIFICATE-----") && is_pem(&key, "PRIVATE KEY-----") => {
                Some(Identity { cert, key: Secret::from(key) })
            }
            (Some(_), Some(_)) => return Err(InvalidOptions::Identity),
            _ => return Err(InvalidOptions::HalfIdentity),
        };
        Ok(Self { ca, identity })
    }
}

/// Whether the text has a block of this kind (`EC PRIVATE KEY` is a `PRIVATE KEY`).
fn is_pem(text: &[u8], kind: &str) -> bool {
    let text = String::from_utf8_lossy(text);
    text.lines().any(|line| line.starts_with("-----BEGIN ") && line.trim_end().ends_with(kind))
}

#[cfg(test)]
mod tests;
