//! Connections of HTTP/1.1, each with a deadline for the head of a request and a bound for its size.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use drl_core::caps::HTTP_HEAD_BYTES_MAX;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::entrance::{Entrance, Guest};
use crate::http::routes::{Shared, routes};

/// How long a client may take to send the head of a request, and to stay idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct HttpDoor {
    entrance: Entrance,
    router: Router,
}

impl HttpDoor {
    pub(crate) fn new(entrance: Entrance, shared: Shared) -> Self {
        Self { entrance, router: routes(shared) }
    }

    /// Serves until `stop`, then lets every request that has begun end. Dropping the future closes the rest.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let refuse = |guest: &TcpStream| {
            let _ =
                guest.try_write(b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        };
        let router = self.router;
        self.entrance.run(stop.clone(), refuse, |guest| serve(guest, router.clone(), stop.clone())).await;
    }
}

async fn serve(guest: Guest, router: Router, stop: CancellationToken) {
    let (stream, _place) = guest.into_parts();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HTTP_HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "HTTP connection ended");
    }
}
