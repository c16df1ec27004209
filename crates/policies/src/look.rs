//! How far the store is although no policy changes: asked when somebody has seen a later revision of it than this node.
//!
//! A watch that brings nothing does not say whether nothing has changed or something is on its way. So the node writes a key of its own,
//! the milestone, which is in the range of the same watch. A watch hands over the changes of its range in the order of their revisions
//! and leaves none out, also across a lost connection; so whoever has got the milestone of revision R has got every policy up to R, and
//! the nodes beside this one get it too. Invariant: only what the watch brings raises [`crate::ClusterPolicies::seen`]; the answer to
//! the write does not, for the watch may be behind it.
//!
//! What was not taken instead: a progress request answers ahead of changes that are on their way (etcd issue 15220, mended in 3.4.25 and
//! 3.5.8; Debian 12 has 3.4.23). A range for the highest revision of a change reads every policy on the server, which also cannot do
//! without a count, since a deletion leaves no revision behind. A listing moves every policy. The milestone costs one entry of the log.

use std::sync::Arc;
use std::time::Duration;

use drl_coordination::{Coordination, Key, Op, Txn, TxnError};
use tokio::sync::watch;
use tokio::time::timeout;

/// A change that others have seen is here by itself within this time, as a rule; then nothing is written.
const PATIENCE: Duration = Duration::from_millis(100);

/// Between two looks. With etcd away it is this long too, so that a node which takes over answers soon after etcd is back.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest pause while the store itself is not where it is said to be; it doubles up to this. Such a revision is no count of this
/// store, and nothing but waiting brings it about.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// For one write.
const WITHIN: Duration = Duration::from_secs(5);

pub(crate) struct Looker {
    pub(crate) coordination: Arc<dyn Coordination>,
    pub(crate) milestone: Key,
    /// The highest revision that anybody is known to have seen.
    pub(crate) wanted: watch::Receiver<u64>,
    /// See [`crate::ClusterPolicies::seen`].
    pub(crate) seen: watch::Receiver<u64>,
}

/// Looks whenever more is wanted than is seen, one look after the other. Ends when the store must not be believed any more.
pub(crate) async fn run(mut looker: Looker) {
    let mut pause = PAUSE;
    let mut is_failing = false;
    while let Some(wanted) = looker.next_wanted().await {
        match looker.look().await {
            Ok(revision) => {
                is_failing = false;
                pause = if revision < wanted { pause.saturating_mul(2).min(PAUSE_MAX) } else { PAUSE };
            }
            Err(error) => {
                // Said once for each outage, not at each try.
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(%error, wanted, retry_in = ?PAUSE, "whether policies have changed cannot be asked");
                }
                pause = PAUSE;
                if error.into_fault().is_distrust() {
                    return;
                }
            }
        }
        let _ = timeout(pause, std::future::pending::<()>()).await;
    }
}

impl Looker {
    /// What is wanted and does not come by itself. `None`: nobody can want anything any more.
    async fn next_wanted(&mut self) -> Option<u64> {
        let Self { wanted, seen, .. } = self;
        loop {
            let now = *wanted.wait_for(|wanted| *wanted > *seen.borrow()).await.ok()?;
            match timeout(PATIENCE, seen.wait_for(|seen| *seen >= now)).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return None,
                Err(_) => return Some(now),
            }
        }
    }

    /// Sets a milestone; the revision that it has.
    async fn look(&self) -> Result<u64, TxnError> {
        let put = Op::Put { key: self.milestone.clone(), value: Vec::new(), lease: None };
        let outcome = self.coordination.transact(Txn { then: vec![put], ..Txn::default() }, WITHIN).await;
        outcome.map(|outcome| outcome.revision().0)
    }
}
