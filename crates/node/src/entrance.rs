//! Letting connections in: one accept loop for every door that speaks over TCP. A connection is a [`Guest`]; while it lives it holds
//! its place and is counted.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::metrics::{Door, Metrics};
use crate::places::{Permit, Places};

/// How long to wait when the system has no file left for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Entrance {
    listener: TcpListener,
    places: Places,
    door: Door,
    metrics: Arc<Metrics>,
    /// Whether the last connection could not be accepted. It is said once when that begins and once when it ends.
    is_failing: AtomicBool,
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
    _permit: Permit,
    door: Door,
    metrics: Arc<Metrics>,
}

impl Entrance {
    pub(crate) fn new(listener: TcpListener, places: Places, door: Door, metrics: Arc<Metrics>) -> Self {
        Self { listener, places, door, metrics, is_failing: AtomicBool::new(false) }
    }

    /// Waits for the next connection that there is a place for; those beyond are given to `refuse` and closed.
    pub(crate) async fn next(&self, refuse: impl Fn(&TcpStream)) -> Guest {
        loop {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    if !self.is_failing.swap(true, Ordering::Relaxed) {
                        tracing::warn!(door = self.door.as_str(), %error, "cannot accept connections; is the file limit (ulimit -n) too low?");
                    }
                    let _ = timeout(ACCEPT_PAUSE, std::future::pending::<()>()).await;
                    continue;
                }
            };
            if self.is_failing.swap(false, Ordering::Relaxed) {
                tracing::info!(door = self.door.as_str(), "connections are accepted again");
            }
            let Some(permit) = self.places.take() else {
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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn who_comes_beyond_the_cap_is_told_and_a_place_that_is_free_again_is_given_away() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Arc::new(Metrics::new());
        let [places] = Places::among(1);
        let entrance = Entrance::new(listener, places, Door::Resp, Arc::clone(&metrics));
        let refuse = |guest: &TcpStream| {
            guest.try_write(b"full").unwrap();
        };
        let _first = TcpStream::connect(address).await.unwrap();
        let guest = entrance.next(refuse).await;
        assert_eq!(metrics.connections(Door::Resp), 1);
        let mut second = TcpStream::connect(address).await.unwrap();
        let mut told = String::new();
        tokio::select! {
            _ = entrance.next(refuse) => unreachable!("there is no place"),
            read = second.read_to_string(&mut told) => assert_eq!(read.unwrap(), 4),
        }
        assert_eq!(told, "full");
        drop(guest);
        assert_eq!(metrics.connections(Door::Resp), 0);
        let _third = TcpStream::connect(address).await.unwrap();
        entrance.next(refuse).await;
    }

    #[tokio::test]
    async fn a_stopped_entrance_waits_for_its_guests_and_lets_nobody_else_in() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let [places] = Places::among(8);
        let entrance = Entrance::new(listener, places, Door::Http, Arc::new(Metrics::new()));
        let (stop, inside) = (CancellationToken::new(), Arc::new(Semaphore::new(0)));
        let (seen, leave) = (Arc::clone(&inside), CancellationToken::new());
        let until = leave.clone();
        let running = tokio::spawn(entrance.run(
            stop.clone(),
            |_: &TcpStream| (),
            move |guest| {
                seen.add_permits(1);
                let until = until.clone();
                async move {
                    until.cancelled().await;
                    drop(guest);
                }
            },
        ));
        let _guest = TcpStream::connect(address).await.unwrap();
        let _ = inside.acquire().await.unwrap();
        stop.cancel();
        tokio::task::yield_now().await;
        assert!(!running.is_finished());
        leave.cancel();
        running.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
