//! The load of a run over its own cluster: clients with credit throughout, and a few that use theirs up and must stay denied whoever
//! owns them.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use drl_bench::{Audit, CLIENT_PREFIX, Phase, Steady, SteadyOptions};
use drl_core::Nanos;
use drl_host::clock;
use drl_limits::Window;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::cluster::{OwnCluster, SOON};

/// No run uses it up.
const PLENTY: u64 = 1_000_000_000;

/// Clients that use up their limit, and what it is.
const FEW_CLIENTS: usize = 24;
const FEW: u64 = 10;

/// Longest wait for an owner's count.
const AUDIT_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    /// Clients that are asked for in turn, and never use up their limit; 24 more have a limit of 10
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    clients: u64,
    /// Longest wait of a check, retries included
    #[arg(long, value_name = "SPAN", default_value = "1s")]
    deadline: Window,
}

/// A load that is under way.
pub(super) struct Load {
    steady: Steady,
    clients: Vec<String>,
}

impl LoadArgs {
    pub(super) const fn clients(&self) -> u64 {
        self.clients
    }

    pub(super) const fn deadline(&self) -> Nanos {
        self.deadline.nanos()
    }

    /// Writes the limits and begins.
    ///
    /// # Errors
    /// etcd or the nodes do not answer.
    pub(super) async fn start(&self, cluster: &OwnCluster, rate: u64, phases: usize) -> anyhow::Result<Load> {
        // The few first: whoever has the policy of all has theirs as well.
        cluster.limit(&format!("{CLIENT_PREFIX}few-"), FEW).await?;
        cluster.limit(CLIENT_PREFIX, PLENTY).await?;
        let all = (0..self.clients).map(|client| format!("{CLIENT_PREFIX}{client}"));
        let few = (0..FEW_CLIENTS).map(|client| format!("{CLIENT_PREFIX}few-{client}"));
        let clients: Vec<String> = all.chain(few).collect();
        drl_bench::in_force(cluster.endpoints(), &clients, SOON, clock::monotonic).await?;
        let options = SteadyOptions {
            endpoints: cluster.endpoints(),
            clients: clients.clone(),
            rate,
            deadline: self.deadline().into(),
            threads: threads(),
            phases,
        };
        Ok(Load { steady: Steady::start(options, clock::monotonic).await?, clients })
    }
}

impl Load {
    pub(super) const fn steady(&self) -> &Steady {
        &self.steady
    }

    pub(super) fn clients(&self) -> &[String] {
        &self.clients
    }

    /// Ends it, and compares what clients were told with what owners count.
    ///
    /// # Errors
    /// The cluster does not come to rest.
    pub(super) async fn end(mut self, cluster: &mut OwnCluster) -> anyhow::Result<(Vec<Phase>, Audit)> {
        self.steady.stop().await;
        cluster.settle().await.context("after the load")?;
        Ok((self.steady.phases()?, self.steady.audit(AUDIT_WITHIN).await))
    }
}

/// Half of the cores; the others are the nodes'.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

/// # Errors
/// When the system gives no threads.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(threads()).enable_all().build().context("cannot start the runtime")
}

/// Lets time pass under load.
pub(super) async fn pass(span: Duration) {
    let _ = timeout(span, std::future::pending::<()>()).await;
}

/// From `since` until now.
pub(super) fn span_since(since: Nanos) -> Nanos {
    Nanos(clock::monotonic().0.saturating_sub(since.0))
}
