//! The load: every client asks twenty times a second, and what it saw is written down with the moments at which it asked and heard.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow};
use drl_client::{CheckRequest, RateLimiter, Reason};
use drl_tests::cluster::{Since, let_pass};
use drl_tests::resp::{Connection, Reply};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle as Task;
use tokio::time::{MissedTickBehavior, interval};

use crate::clients::{Client, Door};

/// Between two checks of a client.
const PACE: Duration = Duration::from_millis(50);

/// How long a client waits for an answer. Longer than a take-over.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// A check, and what came of it. Times are nanoseconds since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    pub sent: u64,
    pub received: u64,
    pub said: Said,
    /// The shard time of the decision, where the door tells it.
    pub at: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Granted,
    Denied,
    /// Denied, because the state of the shard was lost.
    StateLost,
    /// Nobody could say.
    Nothing,
}

/// Where the RESP doors of the nodes are; a node that does not run has none.
pub(crate) type Doors = Arc<Mutex<Vec<Option<SocketAddr>>>>;

/// A load that runs.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<(Client, Task<Vec<Asked>>)>,
    threads: Vec<(Client, JoinHandle<Vec<Asked>>)>,
}

impl Load {
    /// Begins; times count from `origin`.
    #[must_use]
    pub(crate) fn start(
        runtime: &Runtime,
        limiter: &RateLimiter,
        doors: &Doors,
        clients: Vec<Client>,
        origin: Since,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (mut tasks, mut threads) = (Vec::new(), Vec::new());
        for (number, client) in clients.into_iter().enumerate() {
            let (id, stop) = (client.id.clone(), Arc::clone(&stop));
            match client.door {
                Door::Rust => {
                    let task = runtime.spawn(ask_limiter(limiter.clone(), id, origin, stop));
                    tasks.push((client, task));
                }
                Door::Resp => {
                    let doors = Arc::clone(doors);
                    let thread = std::thread::spawn(move || ask_node(&doors, number, &id, origin, &stop));
                    threads.push((client, thread));
                }
            }
        }
        Self { stop, tasks, threads }
    }

    /// What everybody saw, in the order in which each asked.
    ///
    /// # Errors
    /// A task or thread panicked.
    pub(crate) fn stop(self, runtime: &Runtime) -> Result<Vec<(Client, Vec<Asked>)>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut histories = Vec::new();
        for (client, task) in self.tasks {
            histories.push((client, runtime.block_on(task)?));
        }
        for (client, thread) in self.threads {
            let history = thread.join().map_err(|_| anyhow!("the thread of {} panicked", client.id))?;
            histories.push((client, history));
        }
        Ok(histories)
    }
}

fn nanos(origin: Since) -> u64 {
    u64::try_from(origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

async fn ask_limiter(limiter: RateLimiter, client: String, origin: Since, stop: Arc<AtomicBool>) -> Vec<Asked> {
    let mut history = Vec::new();
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let limiter = limiter.within(PATIENCE).strict();
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        let Ok(request) = CheckRequest::new(client.as_bytes()) else { continue };
        let sent = nanos(origin);
        let decision = limiter.check(request).await;
        let received = nanos(origin);
        let (said, at) = match decision {
            Ok(decision) => match decision.reason {
                Reason::WithinLimit => (Said::Granted, Some(decision.decided_at.0)),
                Reason::OverLimit => (Said::Denied, Some(decision.decided_at.0)),
                Reason::StateLost => (Said::StateLost, Some(decision.decided_at.0)),
                _ => (Said::Nothing, None),
            },
            Err(_) => (Said::Nothing, None),
        };
        history.push(Asked { sent, received, said, at });
    }
    history
}

fn ask_node(doors: &Doors, number: usize, client: &str, origin: Since, stop: &AtomicBool) -> Vec<Asked> {
    let (mut history, mut connection, mut next) = (Vec::new(), None, number);
    while !stop.load(Ordering::Relaxed) {
        let_pass(PACE);
        let opened = connection.take().or_else(|| {
            next += 1;
            let doors = doors.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let door = doors.get(next % doors.len().max(1)).copied().flatten()?;
            Connection::open_within(door, PATIENCE).ok()
        });
        let Some(mut open) = opened else { continue };
        let sent = nanos(origin);
        let reply = open.ask(&["DRL.ALLOW", client]);
        let received = nanos(origin);
        let said = match reply {
            Ok(Reply::Integer(1)) => Said::Granted,
            Ok(Reply::Integer(_)) => Said::Denied,
            _ => Said::Nothing,
        };
        history.push(Asked { sent, received, said, at: None });
        // After an error the next node is asked.
        connection = (said != Said::Nothing).then_some(open);
    }
    history
}
