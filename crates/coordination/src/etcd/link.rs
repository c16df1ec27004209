//! The connection to etcd: to one member at a time, given up when it fails and made again to the next. Consecutive calls so reach the
//! same member, and a connection that is dead without saying so costs one deadline, not one for each call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, TlsOptions};
use tonic::Code;

use super::classify::Asked;
use super::options::{Credentials, Endpoint, EtcdOptions, InvalidOptions, Tls};

/// How often an HTTP/2 ping asks whether the member is there. etcd closes the connection of whoever asks more often than every 5 s.
const PING_EVERY: Duration = Duration::from_secs(10);

/// How long the answer to a ping may take.
const PING_WITHIN: Duration = Duration::from_secs(5);

/// When the kernel starts to ask, for a peer that vanished with its machine.
const TCP_KEEPALIVE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Link {
    endpoints: Vec<Endpoint>,
    credentials: Option<Credentials>,
    connect_within: Duration,
    tls: Option<Tls>,
    current: Mutex<Current>,
    /// etcd said that it asks nobody for a password, so that ours is not sent.
    is_open_to_all: AtomicBool,
}

struct Current {
    index: usize,
    /// Counts the connections, so that a failure of an earlier one does not end this one.
    number: u64,
    client: Option<Client>,
}

/// A connection, on loan.
pub(super) struct Lent<'a> {
    pub(super) client: Client,
    pub(super) asked: Asked<'a>,
    pub(super) number: u64,
}

/// A connection that could not be made.
pub(super) struct Lost<'a> {
    pub(super) error: etcd_client::Error,
    pub(super) asked: Asked<'a>,
    pub(super) number: u64,
}

impl Link {
    /// Makes sure that the options can be used, without asking etcd.
    pub(super) async fn new(options: EtcdOptions) -> Result<Self, InvalidOptions> {
        let EtcdOptions { endpoints, credentials, tls, connect_within, seen: _ } = options;
        let current = Mutex::new(Current { index: 0, number: 0, client: None });
        let is_open_to_all = AtomicBool::new(false);
        let link = Self { endpoints, credentials, connect_within, tls, current, is_open_to_all };
        for endpoint in &link.endpoints {
            // Without credentials nothing is sent.
            let tried = Client::connect([endpoint.url()], Some(link.connect_options(None))).await;
            tried.map_err(|error| InvalidOptions::Tls { reason: error.to_string() })?;
        }
        Ok(link)
    }

    /// How many members there are to try.
    pub(super) const fn endpoints(&self) -> usize {
        self.endpoints.len()
    }

    /// The present connection, or a new one. With credentials a new one asks for a token, which may take long or fail.
    pub(super) async fn lend(&self) -> Result<Lent<'_>, Lost<'_>> {
        let (index, number, present) = {
            let current = self.current();
            (current.index, current.number, current.client.clone())
        };
        let asked = self.asked(index);
        if let Some(client) = present {
            return Ok(Lent { client, asked, number });
        }
        let client = self.connect(asked).await.map_err(|error| Lost { error, asked, number })?;
        let mut current = self.current();
        if current.number == number {
            current.client = Some(client.clone());
        }
        Ok(Lent { client, asked, number })
    }

    /// Gives a connection up, unless that was done already, and moves on to the next member.
    pub(super) fn give_up(&self, number: u64) {
        let mut current = self.current();
        if current.number == number {
            current.number = number.wrapping_add(1);
            current.index = current.index.wrapping_add(1).checked_rem(self.endpoints.len()).unwrap_or(0);
            current.client = None;
        }
    }

    /// The number of the present connection, to give it up by.
    pub(super) fn number(&self) -> u64 {
        self.current().number
    }

    /// The member that the present connection is, or would be, to.
    pub(super) fn endpoint(&self) -> String {
        self.asked(self.current().index).endpoint.to_owned()
    }

    /// Who is asked at an endpoint.
    pub(super) fn asked_at<'a>(&'a self, endpoint: &'a str) -> Asked<'a> {
        Asked { endpoint, user: self.credentials.as_ref().map(|credentials| credentials.user.as_str()) }
    }

    fn asked(&self, index: usize) -> Asked<'_> {
        self.asked_at(self.endpoints.get(index).map_or("", Endpoint::url))
    }

    async fn connect(&self, asked: Asked<'_>) -> Result<Client, etcd_client::Error> {
        let credentials = self.credentials.as_ref().filter(|_| !self.is_open_to_all.load(Ordering::Relaxed));
        let tried = Client::connect([asked.endpoint], Some(self.connect_options(credentials))).await;
        match tried {
            Err(etcd_client::Error::GRpcStatus(status)) if is_open_to_all(&status) && credentials.is_some() => {
                tracing::warn!(endpoint = asked.endpoint, "etcd asks for no password; --etcd-user is not used");
                self.is_open_to_all.store(true, Ordering::Relaxed);
                Client::connect([asked.endpoint], Some(self.connect_options(None))).await
            }
            tried => tried,
        }
    }

    /// From now on the password is sent again.
    pub(super) fn use_password(&self) {
        self.is_open_to_all.store(false, Ordering::Relaxed);
    }

    fn connect_options(&self, credentials: Option<&Credentials>) -> ConnectOptions {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(self.connect_within)
            .with_keep_alive(PING_EVERY, PING_WITHIN)
            .with_keep_alive_while_idle(true)
            .with_tcp_keepalive(TCP_KEEPALIVE)
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if let Some(Credentials { user, password }) = credentials {
            options = options.with_user(user, String::from_utf8_lossy(password.expose()));
        }
        if let Some(Tls { ca, identity }) = &self.tls {
            let mut tls = TlsOptions::new().ca_certificate(Certificate::from_pem(ca));
            if let Some(identity) = identity {
                tls = tls.identity(etcd_client::Identity::from_pem(&identity.cert, identity.key.expose()));
            }
            options = options.with_tls(tls);
        }
        options
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_open_to_all(status: &tonic::Status) -> bool {
    status.code() == Code::FailedPrecondition && status.message().contains("authentication is not enabled")
}

/// The client's own print could show a password.
impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Current").field("index", &self.index).field("number", &self.number).finish_non_exhaustive()
    }
}
