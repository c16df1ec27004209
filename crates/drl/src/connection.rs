//! The way to a node: gRPC with one deadline over everything, and errors that say what to do. No error of the network leaves
//! this file as anything but a sentence.

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use drl_limits::Window;
use drl_proto::v1::admin_client::AdminClient;
use drl_proto::v1::limits_client::LimitsClient;
use drl_proto::v1::rate_limit_client::RateLimitClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};

use crate::values::HostPort;

/// Which node is asked, and for how long.
#[derive(Debug, Args)]
pub(crate) struct ConnectionArgs {
    /// The node to ask: its gRPC address
    #[arg(long, env = "DRL_ENDPOINT", value_name = "HOST:PORT", default_value = "127.0.0.1:7700")]
    endpoint: HostPort,
    /// Longest wait for connecting, and again for each answer
    #[arg(long, env = "DRL_TIMEOUT", value_name = "SPAN", default_value = "5s")]
    timeout: Window,
}

/// A connected node.
pub(crate) struct Connection<'a> {
    channel: Channel,
    address: &'a HostPort,
    timeout: Window,
}

impl ConnectionArgs {
    /// Runs one conversation with the node.
    ///
    /// # Errors
    /// Those of `talk`, and sentences about why nobody answers.
    pub(crate) fn run<T>(&self, talk: impl AsyncFnOnce(Connection<'_>) -> anyhow::Result<T>) -> anyhow::Result<T> {
        block_on(async { talk(self.connect().await?).await })
    }

    pub(crate) const fn endpoint(&self) -> &HostPort {
        &self.endpoint
    }

    pub(crate) const fn timeout(&self) -> Window {
        self.timeout
    }

    async fn connect(&self) -> anyhow::Result<Connection<'_>> {
        let (address, deadline) = (&self.endpoint, Duration::from(self.timeout.nanos()));
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|_| anyhow!("{address} is not an address; give HOST:PORT"))?
            .connect_timeout(deadline)
            .timeout(deadline);
        let channel = match tokio::time::timeout(deadline, endpoint.connect()).await {
            Ok(Ok(channel)) => channel,
            Ok(Err(error)) => return Err(self.unreachable(&error)),
            Err(_) => return Err(silent(address, self.timeout)),
        };
        Ok(Connection { channel, address, timeout: self.timeout })
    }

    fn unreachable(&self, error: &tonic::transport::Error) -> anyhow::Error {
        let address = &self.endpoint;
        let mut cause = error.source();
        let mut last = String::new();
        while let Some(error) = cause {
            match error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
                Some(ErrorKind::ConnectionRefused) => {
                    return anyhow!(
                        "nothing listens on {address}; start a node with `drl serve` or give --endpoint HOST:PORT"
                    );
                }
                Some(ErrorKind::TimedOut) => return silent(address, self.timeout),
                _ => {}
            }
            last = error.to_string();
            cause = error.source();
        }
        anyhow!("cannot connect to {address}: {last}; check --endpoint")
    }
}

/// Runs one conversation over the network to its end.
///
/// # Errors
/// Those of `talk`, and when there can be no runtime.
pub(crate) fn block_on<T>(talk: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the network runtime")?.block_on(talk)
}

impl Connection<'_> {
    pub(crate) fn checks(&self) -> RateLimitClient<Channel> {
        RateLimitClient::new(self.channel.clone())
    }

    pub(crate) fn limits(&self) -> LimitsClient<Channel> {
        LimitsClient::new(self.channel.clone())
    }

    pub(crate) fn admin(&self) -> AdminClient<Channel> {
        AdminClient::new(self.channel.clone())
    }

    /// The answer, or a sentence about why there is none.
    ///
    /// # Errors
    /// Every status of the node.
    pub(crate) fn answer<T>(&self, result: Result<Response<T>, Status>) -> anyhow::Result<T> {
        result.map(Response::into_inner).map_err(|status| self.refusal(&status))
    }

    fn refusal(&self, status: &Status) -> anyhow::Error {
        let (address, said) = (self.address, status.message());
        match status.code() {
            Code::InvalidArgument | Code::NotFound | Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted => {
                anyhow!("{said}")
            }
            Code::ResourceExhausted => anyhow!("{address} is busy and did nothing: {said}; try again"),
            Code::Unavailable => anyhow!("{address} cannot answer now: {said}"),
            Code::Unimplemented => anyhow!("{address} does not know this request: is it a drl node of this version?"),
            Code::Cancelled | Code::DeadlineExceeded => silent(address, self.timeout),
            _ if status.source().is_some() => {
                anyhow!("{address} does not answer as a drl node does; --endpoint is the node's gRPC address")
            }
            code => anyhow!("{address} failed ({code:?}): {said}"),
        }
    }
}

fn silent(address: &HostPort, timeout: Window) -> anyhow::Error {
    anyhow!("{address} did not answer within {timeout}; check --endpoint or give a longer --timeout")
}
