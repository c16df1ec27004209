//! A service of somebody else's, over a real connection: what it tells is in the hands of the test.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drl_proto::v1::configuration_server::{Configuration, ConfigurationServer};
use drl_proto::v1::{
    ConfiguredPolicy, ConfiguredSelector, Selector, WatchConfigurationRequest, WatchConfigurationResponse, selector,
};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_stream::Stream;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::Server;
use tonic::{Request, Response, Status};

type Told = Result<WatchConfigurationResponse, Status>;

/// Tells the same to everybody who asks, and then what the test has it tell.
pub(crate) struct Service {
    address: SocketAddr,
    asked: watch::Receiver<usize>,
    newest: Arc<Mutex<Option<mpsc::Sender<Told>>>>,
    serving: JoinHandle<()>,
}

struct Answering {
    at_first: Vec<WatchConfigurationResponse>,
    asked: watch::Sender<usize>,
    newest: Arc<Mutex<Option<mpsc::Sender<Told>>>>,
}

impl Service {
    pub(crate) async fn start(at_first: Vec<WatchConfigurationResponse>) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), at_first).await
    }

    pub(crate) async fn start_at(address: SocketAddr, at_first: Vec<WatchConfigurationResponse>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, asked) = watch::channel(0);
        let newest = Arc::default();
        let answering = Answering { at_first, asked: told, newest: Arc::clone(&newest) };
        let serving = tokio::spawn(async move {
            let server = Server::builder().add_service(ConfigurationServer::new(answering));
            server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
        });
        Self { address, asked, newest, serving }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until it was asked so often.
    pub(crate) async fn asked(&mut self, times: usize) {
        let asked = self.asked.wait_for(|asked| *asked >= times);
        timeout(Duration::from_secs(20), asked).await.unwrap().unwrap();
    }

    /// Tells whoever asked last.
    pub(crate) async fn tell(&mut self, message: WatchConfigurationResponse) {
        self.asked(1).await;
        let newest = self.newest.lock().unwrap().clone().unwrap();
        newest.send(Ok(message)).await.unwrap();
    }

    /// Waits until whoever asked last does not listen any more.
    pub(crate) async fn left(&mut self) {
        self.asked(1).await;
        let newest = self.newest.lock().unwrap().clone().unwrap();
        timeout(Duration::from_secs(20), newest.closed()).await.unwrap();
    }

    /// Ends it, and every stream of it.
    pub(crate) async fn kill(&mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
        *self.newest.lock().unwrap() = None;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[tonic::async_trait]
impl Configuration for Answering {
    type WatchStream = Pin<Box<dyn Stream<Item = Told> + Send>>;

    async fn watch(&self, _: Request<WatchConfigurationRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (newest, messages) = mpsc::channel(1_024);
        for message in &self.at_first {
            newest.send(Ok(message.clone())).await.unwrap();
        }
        *self.newest.lock().unwrap() = Some(newest);
        self.asked.send_modify(|asked| *asked += 1);
        Ok(Response::new(Box::pin(ReceiverStream::new(messages))))
    }
}

fn at(selector: selector::Selector) -> ConfiguredSelector {
    ConfiguredSelector { namespace: String::new(), selector: Some(Selector { selector: Some(selector) }) }
}

fn policy(selector: selector::Selector, requests: u64) -> ConfiguredPolicy {
    let json = format!(r#"{{"limits":[{{"requests":{requests},"window":"1m"}}]}}"#);
    ConfiguredPolicy { selector: Some(at(selector)), policy_json: json.into_bytes().into() }
}

pub(crate) fn for_client(id: &str, requests: u64) -> ConfiguredPolicy {
    policy(selector::Selector::Client(id.as_bytes().to_vec().into()), requests)
}

pub(crate) fn for_prefix(prefix: &str, requests: u64) -> ConfiguredPolicy {
    policy(selector::Selector::Prefix(prefix.as_bytes().to_vec().into()), requests)
}

pub(crate) fn default(requests: u64) -> ConfiguredPolicy {
    policy(selector::Selector::Default(selector::Default {}), requests)
}

pub(crate) fn part(set: Vec<ConfiguredPolicy>) -> WatchConfigurationResponse {
    WatchConfigurationResponse { set, ..WatchConfigurationResponse::default() }
}

pub(crate) fn complete(set: Vec<ConfiguredPolicy>) -> WatchConfigurationResponse {
    WatchConfigurationResponse { is_complete: true, ..part(set) }
}

pub(crate) fn removed(clients: &[&str]) -> WatchConfigurationResponse {
    let removed = clients.iter().map(|id| at(selector::Selector::Client(id.as_bytes().to_vec().into()))).collect();
    WatchConfigurationResponse { removed, ..WatchConfigurationResponse::default() }
}
