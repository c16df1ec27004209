//! Letting connections in: one accept loop for every door that speaks over TCP, with a cap. A connection is a [`Guest`]; while it lives
//! it holds its place and is counted.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::metrics::{Door, Metrics};

/// How long to wait when the system has no file left for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Entrance {
    listener: TcpListener,
    places: Arc<Semaphore>,
    door: Door,
    metrics: Arc<Metrics>,
}

/// A connection that was let in.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) stream: TcpStream,
    place: Place,
}

/// A place of an entrance; dropping it makes room for another.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    door: Door,
    metrics: Arc<Metrics>,
}

impl Entrance {
    pub(crate) fn new(listener: TcpListener, connections_max: usize, door: Door, metrics: Arc<Metrics>) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(connections_max)), door, metrics }
    }

    /// Waits for the next connection that there is a place for; those beyond the cap are given to `refuse` and closed.
    pub(crate) async fn next(&self, refuse: impl Fn(&TcpStream)) -> Guest {
        loop {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(door = self.door.as_str(), %error, "cannot accept a connection; is the file limit (ulimit -n) too low?");
                    let _ = timeout(ACCEPT_PAUSE, std::future::pending::<()>()).await;
                    continue;
                }
            };
            let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else {
                self.metrics.turned_away(self.door);
                refuse(&stream);
                continue;
            };
            // Without it small replies wait for the acknowledgement of the one before; a failure only costs time.
            let _ = stream.set_nodelay(true);
            self.metrics.connected(self.door);
            return Guest {
                stream,
                place: Place { _permit: permit, door: self.door, metrics: Arc::clone(&self.metrics) },
            };
        }
    }

    /// Lets connections in until `stop`, then closes the door and waits until the last guest has left.
    pub(crate) async fn run<F>(self, stop: CancellationToken, refuse: impl Fn(&TcpStream), serve: impl Fn(Guest) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut guests = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = guests.join_next() => {}
                guest = self.next(&refuse) => {
                    guests.spawn(serve(guest));
                }
            }
        }
        drop(self.listener);
        while guests.join_next().await.is_some() {}
    }
}

impl Guest {
    /// The stream, and the place to hold for as long as it is open.
    pub(crate) fn into_parts(self) -> (TcpStream, Place) {
        (self.stream, self.place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.disconnected(self.door);
    }
}
