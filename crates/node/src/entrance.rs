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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn who_comes_beyond_the_cap_is_told_and_a_place_that_is_free_again_is_given_away() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Arc::new(Metrics::new());
        let entrance = Entrance::new(listener, 1, Door::Resp, Arc::clone(&metrics));
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
        let entrance = Entrance::new(listener, 8, Door::Http, Arc::new(Metrics::new()));
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
