//! The connections of a limiter: one HTTP/2 connection to an address, whatever goes there (checks, the placement that is watched, calls
//! beside the streams). An idle one costs some 40 KB, most of it buffers of HTTP/2.
//!
//! Invariants: a connection is closed when its last holder has dropped it and its last stream has ended; however many want one to an
//! address, one is opened.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tonic::body::Body;
use tower_service::Service;

use crate::endpoint::{self, OPEN_TIMEOUT};

/// An idle connection is asked after the first span whether the node is there, and closed when no answer comes within the second.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(2));

/// What is read ahead of a stream's reader. A connection that is not used holds none of it.
const WINDOW_BYTES: u32 = 1 << 20;

/// The connections that somebody holds.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    places: Mutex<BTreeMap<Arc<str>, Arc<Place>>>,
    /// Rung when there is one more.
    opened: Notify,
}

/// Where the connection to one address is found.
#[derive(Debug, Default)]
struct Place {
    open: Mutex<Weak<Open>>,
    /// Whoever opens one has the turn; the others wait and join.
    turn: tokio::sync::Mutex<()>,
}

/// A holder of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Connection(Arc<Open>);

#[derive(Debug)]
struct Open {
    requests: SendRequest<Body>,
    origin: Uri,
}

impl Connections {
    /// The connection to an address, which is opened unless somebody holds one.
    ///
    /// # Errors
    /// Why there is none, for people.
    pub(crate) async fn to(&self, address: &Arc<str>) -> Result<Connection, Arc<str>> {
        let place = self.place(address);
        if let Some(held) = place.held() {
            return Ok(held);
        }
        let _turn = place.turn.lock().await;
        if let Some(held) = place.held() {
            return Ok(held);
        }
        let opened = Connection::open(address).await?;
        *place.lock() = Arc::downgrade(&opened.0);
        self.opened.notify_one();
        Ok(opened)
    }

    /// The connection to an address, if somebody holds one.
    pub(crate) fn held(&self, address: &str) -> Option<Connection> {
        self.lock().get(address).and_then(|place| place.held())
    }

    /// Where a connection leads that somebody holds, other than to this address.
    pub(crate) fn another(&self, than: &str) -> Option<Arc<str>> {
        let places = self.lock();
        let mut others = places.iter().filter(|(address, place)| ***address != *than && place.held().is_some());
        others.next().map(|(address, _)| Arc::clone(address))
    }

    /// Waits until there is one more.
    pub(crate) async fn opened(&self) {
        self.opened.notified().await;
    }

    /// Whoever asks from now on gets another one: nothing is known of one that gave trouble.
    pub(crate) fn give_up(&self, connection: &Connection) {
        for place in self.lock().values() {
            let mut open = place.lock();
            if open.as_ptr() == Arc::as_ptr(&connection.0) {
                *open = Weak::new();
            }
        }
    }

    fn place(&self, address: &Arc<str>) -> Arc<Place> {
        let mut places = self.lock();
        if let Some(place) = places.get(address) {
            return Arc::clone(place);
        }
        places.retain(|_, place| Arc::strong_count(place) > 1 || place.held().is_some());
        let place = Arc::<Place>::default();
        places.insert(Arc::clone(address), Arc::clone(&place));
        place
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<Place>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn held(&self) -> Option<Connection> {
        self.lock().upgrade().filter(|open| !open.requests.is_closed()).map(Connection)
    }

    fn lock(&self) -> MutexGuard<'_, Weak<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Whether nobody else holds it.
    pub(crate) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// What requests are addressed to.
    pub(crate) fn origin(&self) -> Uri {
        self.0.origin.clone()
    }

    async fn open(address: &str) -> Result<Self, Arc<str>> {
        let origin = endpoint::origin(address)?;
        let too_late = |_| endpoint::unreachable(&io::ErrorKind::TimedOut.into());
        let stream = timeout(OPEN_TIMEOUT, TcpStream::connect(address)).await.map_err(too_late)?;
        let stream = stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        let stream = stream.map_err(|error| endpoint::unreachable(&error))?;
        let (requests, driver) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .keep_alive_interval(KEEPALIVE.0)
            .keep_alive_timeout(KEEPALIVE.1)
            .keep_alive_while_idle(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| endpoint::network(&error))?;
        // It ends with the connection, and whoever has a stream on it hears why.
        tokio::spawn(driver);
        Ok(Self(Arc::new(Open { requests, origin })))
    }
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // HTTP/2 takes requests at any time; one that is lost says so in its answer.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.requests.clone().send_request(request))
    }
}
