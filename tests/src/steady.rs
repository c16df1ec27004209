//! Load that goes on while things happen to a cluster, and what must be true of it afterwards: nobody got more than the limit, nobody
//! who had credit left was denied, and the owner's count adds up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use drl_client::{CheckRequest, RateLimiter};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::cluster::Since;
use crate::load::{Account, used};

/// One task for each client asks, again and again, until it is told to stop.
pub struct Steady {
    stop: Arc<AtomicBool>,
    tasks: Vec<(String, JoinHandle<Result<Account>>)>,
}

impl Steady {
    /// Asks for each client every so often, or as soon as the answer before is there.
    #[must_use]
    pub fn start(runtime: &Runtime, limiter: &RateLimiter, clients: &[String], every: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let task = |client: &String| {
            let asking = ask(limiter.clone(), client.clone(), every, Arc::clone(&stop));
            (client.clone(), runtime.spawn(asking))
        };
        let tasks = clients.iter().map(task).collect();
        Self { stop, tasks }
    }

    /// What came of it, by client.
    ///
    /// # Errors
    /// A check failed with something other than a decision.
    pub fn stop(self, runtime: &Runtime) -> Result<Accounts> {
        self.stop.store(true, Ordering::Relaxed);
        let account = |(client, task): (String, JoinHandle<Result<Account>>)| {
            let account = runtime.block_on(task)?.with_context(|| client.clone())?;
            Ok((client, account))
        };
        Ok(Accounts(self.tasks.into_iter().map(account).collect::<Result<_>>()?))
    }
}

async fn ask(limiter: RateLimiter, client: String, every: Duration, stop: Arc<AtomicBool>) -> Result<Account> {
    let mut account = Account::default();
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        let since = Since::now();
        let decision = limiter.check(CheckRequest::new(client.as_bytes())?).await?;
        account.note(&decision, since.elapsed());
    }
    Ok(account)
}

/// What came of some load, by client.
#[derive(Debug, Clone)]
pub struct Accounts(pub Vec<(String, Account)>);

impl Accounts {
    /// Nobody was denied, everybody was let through, and what their owners count as used is what was granted, plus at most what nobody
    /// could say. Every client has this limit, and did not use it up. So many owners died or stood still meanwhile: the check that each
    /// client had under way then may have been charged by the owner and, asked again, by the next one.
    ///
    /// # Errors
    /// It is not so; the error has the figures.
    pub fn add_up(&self, runtime: &Runtime, limiter: &RateLimiter, limit: u64, owners_lost: u64) -> Result<()> {
        for (client, account) in &self.0 {
            ensure!(account.granted > 0, "{client} was never let through: {account:?}");
            ensure!(account.denied == 0, "{client} was denied and had credit left: {account:?}");
            let used = runtime.block_on(used(limiter, client))?;
            account.adds_up_but_for(owners_lost, used, limit).with_context(|| client.clone())?;
        }
        Ok(())
    }

    /// The longest that anybody waited for an answer.
    #[must_use]
    pub fn slowest(&self) -> Duration {
        self.0.iter().map(|(_, account)| account.slowest).max().unwrap_or_default()
    }

    /// How many checks were let through, and of how many nobody could say anything.
    #[must_use]
    pub fn sums(&self) -> (u64, u64) {
        let sum = |of: fn(&Account) -> u64| self.0.iter().map(|(_, account)| of(account)).sum();
        (sum(|account| account.granted), sum(|account| account.unknown))
    }
}
