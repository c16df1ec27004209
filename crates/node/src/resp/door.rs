//! The RESP door: what its connections share, and the loop that lets them in.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use drl_limits::Durability;
use tokio_util::sync::CancellationToken;

use crate::entrance::{Entrance, Guest};
use crate::judge::Judge;
use crate::resp::connection;
use crate::resp::workspace::Pool;

/// What all connections use.
pub(crate) struct Shared {
    pub(crate) judge: Judge,
    /// Class of the counters of `CL.THROTTLE`.
    pub(crate) durability: Durability,
    pub(crate) pool: Pool,
    last_id: AtomicU64,
}

/// The door itself. It runs until it is told to stop and its connections have left.
pub(crate) struct RespDoor {
    entrance: Entrance,
    shared: Arc<Shared>,
}

impl RespDoor {
    pub(crate) fn new(entrance: Entrance, judge: Judge, durability: Durability) -> Self {
        let shared = Shared { judge, durability, pool: Pool::default(), last_id: AtomicU64::new(0) };
        Self { entrance, shared: Arc::new(shared) }
    }

    /// Serves until `stop`, then lets every connection finish what it has read. Dropping the future closes the rest.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let shared = self.shared;
        let refuse = |guest: &tokio::net::TcpStream| {
            // The buffer of a new socket is empty, so the line fits; if not, closing says it as well.
            let _ = guest.try_write(b"-ERR max number of clients reached\r\n");
        };
        self.entrance
            .run(stop.clone(), refuse, |guest: Guest| {
                let id = shared.last_id.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                connection::serve(guest, id, Arc::clone(&shared), stop.clone())
            })
            .await;
    }
}

impl Shared {
    /// The text of `INFO`, in the sections that people know from Redis.
    pub(crate) fn info(&self) -> String {
        let (stats, mut text) = (self.judge.host().stats(), String::new());
        let connections = self.judge.metrics().connections(crate::metrics::Door::Resp);
        let version = env!("CARGO_PKG_VERSION");
        // Writing to a String does not fail. The Redis version is the one whose commands these are.
        let _ = write!(
            text,
            "# Server\r\nredis_version:7.2.0\r\nredis_mode:standalone\r\ndrl_version:{version}\r\nuptime_in_seconds:{}\r\n\
             # Clients\r\nconnected_clients:{connections}\r\n\
             # Stats\r\ndecisions_allowed:{}\r\ndecisions_denied:{}\r\nchecks_refused:{}\r\n\
             # Persistence\r\njournal_bytes:{}\r\njournal_frames:{}\r\ncheckpoints:{}\r\n\
             # Keyspace\r\ncounters:{}\r\n",
            self.judge.metrics().uptime_s(),
            stats.admitted,
            stats.denied,
            stats.refused,
            stats.journal_bytes,
            stats.frames,
            stats.checkpoints,
            stats.counters,
        );
        text
    }
}
