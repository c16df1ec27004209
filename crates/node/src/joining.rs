//! Becoming a member of a cluster: its settings are read (or created), its policies followed, and a membership prepared that begins
//! once the host is recovered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use drl_coordination::{ClusterName, Coordination, Keys};
use drl_core::{Nanos, NodeId, ShardId};
use drl_engine::ownership::Copies;
use drl_host::{Cluster, Host, Ownership, UnknownClient, clock};
use drl_membership::{
    ClusterSettings, Departure, MemberOptions, Membership, Move, NodeAddresses, Placement, SettingsError, Wishes,
};
use drl_policies::{ClusterPolicies, ClusterPoliciesOptions, PolicyEditor, Saving};
use drl_store::Store;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::cluster::{BrokenPolicy, Member, Refused, Session, Standing, Wait};
use crate::error::StartError;
use crate::listen::Addresses;
use crate::policies::{Policies, StoreLastGood};

/// For each call to the coordination service. It answers in milliseconds; one that takes seconds is about to be replaced by another member.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// How often a start asks again when the coordination service does not answer.
const ASK_AGAIN_EVERY: Duration = Duration::from_secs(1);

/// How a node joins a cluster.
#[derive(Clone)]
pub struct JoinOptions {
    pub coordination: Arc<dyn Coordination>,
    pub cluster: ClusterName,
    /// What was asked for; it takes part in creating a cluster, and must agree with one that exists.
    pub wishes: Wishes,
    /// Where others reach the gRPC door; `None`: where it listens.
    pub advertise: Option<String>,
}

/// A membership that has not begun.
pub(crate) struct Joining {
    pub(crate) cluster: Cluster,
    pub(crate) settings: ClusterSettings,
    pub(crate) member: Arc<dyn Member>,
    pub(crate) policies: Policies,
    followed: Arc<ClusterPolicies>,
    last_good: Arc<StoreLastGood>,
}

struct ClusterMember {
    node: NodeId,
    membership: Membership,
    /// The process was told to end: nobody can take that back.
    is_ending: AtomicBool,
    policies: Arc<ClusterPolicies>,
    advertise: Option<String>,
}

/// Waits for the settings, then follows the policies.
///
/// # Errors
/// [`StartError`]: what waiting does not cure.
pub(crate) async fn prepare(join: JoinOptions, node: NodeId, store: Arc<dyn Store>) -> Result<Joining, StartError> {
    let JoinOptions { coordination, cluster, wishes, advertise } = join;
    let keys = Keys::new(&cluster);
    let settings = settings(&*coordination, &keys, wishes).await?;
    let last_good = Arc::new(StoreLastGood::new(store));
    let options = ClusterPoliciesOptions { saving: Saving::WhenAllowed, ..ClusterPoliciesOptions::default() };
    let followed = ClusterPolicies::start(Arc::clone(&coordination), keys.clone(), last_good.clone(), options).await?;
    let editor = PolicyEditor::new(Arc::clone(&coordination), keys.clone(), CALL_TIMEOUT);
    let me = node.clone();
    let options = MemberOptions {
        node,
        shards: settings.shards,
        authority: settings.authority,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        copies: Copies::Two,
        within: CALL_TIMEOUT,
    };
    let membership = Membership::new(coordination, keys, options)?;
    let member = Arc::new(ClusterMember {
        node: me,
        membership,
        is_ending: AtomicBool::new(false),
        policies: Arc::clone(&followed),
        advertise,
    });
    Ok(Joining {
        cluster: Cluster { name: cluster.to_string(), identity: settings.identity },
        settings,
        member,
        policies: Policies::Cluster { followed: Arc::clone(&followed), editor },
        followed,
        last_good,
    })
}

/// The settings, as soon as somebody has them.
async fn settings(coordination: &dyn Coordination, keys: &Keys, wishes: Wishes) -> Result<ClusterSettings, StartError> {
    let mut ticks = interval(ASK_AGAIN_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut said = String::new();
    loop {
        ticks.tick().await;
        match ClusterSettings::obtain(coordination, keys, wishes, CALL_TIMEOUT).await {
            Ok(settings) => return Ok(settings),
            Err(error) if error.is_retryable() => {
                let reason = error.to_string();
                if reason != said {
                    tracing::warn!(reason, "waiting for etcd; this node starts as soon as it answers");
                    said = reason;
                }
            }
            Err(error) => return Err(StartError::Settings(error)),
        }
    }
}

impl Joining {
    /// What the settings say about clients that no policy covers.
    pub(crate) const fn unknown_client(&self) -> UnknownClient {
        match self.settings.unknown_client {
            drl_membership::UnknownClient::Deny => UnknownClient::Deny,
            drl_membership::UnknownClient::Allow => UnknownClient::Allow,
        }
    }

    /// The host is recovered: the store takes writes from now on.
    pub(crate) fn recovered(&self, host: &Host) {
        self.last_good.stops(host.stopper());
        self.followed.allow_saving();
    }
}

impl Member for ClusterMember {
    fn placement(&self) -> watch::Receiver<Arc<Placement>> {
        self.membership.placement()
    }

    fn join(&self, _: &Host, ownership: Ownership, addresses: Addresses) {
        let addresses = NodeAddresses {
            grpc: self.advertise.clone().unwrap_or_else(|| addresses.grpc.to_string()),
            http: Some(addresses.http.to_string()),
            resp: addresses.resp.map(|resp| resp.to_string()),
        };
        self.membership.join(ownership, addresses, self.policies.seen());
        self.catch_up();
    }

    fn standing(&self) -> Standing {
        let standing = self.membership.standing().borrow().clone();
        let left = Nanos(standing.deadline.0.saturating_sub(clock::monotonic().0));
        let answers = left != Nanos::ZERO;
        let count = |shards: usize| u32::try_from(shards).unwrap_or(u32::MAX);
        let broken = self.policies.broken().into_iter();
        let keys = standing.broken_keys.iter().map(|(key, reason)| format!("{key}: {reason}"));
        let followed = self.policies.trouble().map(|fault| fault.to_string());
        Standing {
            session: if answers { Session::Held } else { Session::Lost },
            authority_left: left,
            shards_owned: count(standing.owned),
            shards_answering: if answers { count(standing.answering) } else { 0 },
            shards_in_sync: count(standing.in_sync),
            shards_followed: count(standing.followed),
            shards_learning: count(standing.learning),
            broken: broken
                .map(|broken| BrokenPolicy {
                    key: broken.key,
                    reason: broken.reason,
                    since_revision: broken.since_revision,
                })
                .collect(),
            troubles: standing.trouble.into_iter().chain(followed).chain(keys).collect(),
        }
    }

    fn start_draining(&self) -> Wait<'_, Result<(), Refused>> {
        Box::pin(async {
            self.membership.start_draining().await;
            Ok(())
        })
    }

    fn stop_draining(&self) -> Wait<'_, Result<(), Refused>> {
        Box::pin(async {
            if self.is_ending.load(Ordering::SeqCst) {
                return Err(Refused { reason: "the node is stopping, and takes nothing any more".to_owned() });
            }
            self.membership.stop_draining().await;
            Ok(())
        })
    }

    fn moves(&self, shard: ShardId) -> Vec<Move> {
        self.membership.moves(shard)
    }

    fn drain(&self, within: Duration) -> Wait<'_, Departure> {
        self.is_ending.store(true, Ordering::SeqCst);
        Box::pin(async move {
            let drained = self.membership.drain(within).await;
            // Policies are in etcd; what is not on this disk yet costs a restart without etcd their newest state.
            let _ = timeout(within, self.policies.until_saved()).await;
            drained.unwrap_or_else(|| self.undrained())
        })
    }

    fn leave(&self, within: Duration) -> Wait<'_, ()> {
        Box::pin(self.membership.leave(within))
    }

    fn stopped(&self) -> Wait<'_, String> {
        Box::pin(async { self.membership.stopped().await.to_string() })
    }
}

impl ClusterMember {
    /// An owner whose copies are here may decide by policies that this node has not heard of yet. Should it take over, it must not wait
    /// for them: so it looks for them at once.
    fn catch_up(&self) {
        let (mut stamped, policies) = (self.membership.stamped(), Arc::downgrade(&self.policies));
        // It ends with the membership, or with the policies.
        tokio::spawn(async move {
            while stamped.changed().await.is_ok() {
                let Some(policies) = policies.upgrade() else { return };
                policies.look_again(*stamped.borrow_and_update());
            }
        });
    }

    /// What the placement says when draining did not end.
    fn undrained(&self) -> Departure {
        let placement = Arc::clone(&self.membership.placement().borrow());
        Departure { named: placement.naming(&self.node), others: placement.staying_beside(&self.node) }
    }
}

impl std::fmt::Debug for JoinOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JoinOptions")
            .field("cluster", &self.cluster)
            .field("wishes", &self.wishes)
            .field("advertise", &self.advertise)
            .finish_non_exhaustive()
    }
}

impl From<SettingsError> for StartError {
    fn from(error: SettingsError) -> Self {
        Self::Settings(error)
    }
}
