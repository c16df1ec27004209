//! A check, reset or refund that another node may have to carry out: what is asked, whom, and how often it was told to go elsewhere.
//! It owns what it says, because it outlives the request that brought it.

use std::sync::Arc;

use drl_core::{ClientId, Cost, Epoch, LimitKey, Namespace, ShardTime};
use drl_host::{Action, Ask, PolicyOf};
use drl_limits::Policy;
use drl_proto::v1;

use crate::forward::given;

/// What is to be done. Only its owner does it.
#[derive(Debug, Clone)]
pub(crate) struct Errand {
    /// Its place among the checks that it came with.
    pub(crate) index: usize,
    /// What is asked, and the epoch under which the asked node should be the owner.
    pub(crate) check: v1::ForwardedCheck,
    /// The policy that came with the command, as the message describes it.
    policy: Option<Arc<Policy>>,
    /// How often an owner named another one.
    pub(crate) redirects: u8,
}

/// What can be asked of an owner beside a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Reset,
    Refund {
        cost: Cost,
        /// In the time of the shard; absent: just now.
        decided_at: Option<ShardTime>,
    },
}

/// A message that says something impossible. Nodes of one version do not send such.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub(crate) struct Nonsense {
    pub(crate) problem: String,
}

impl Errand {
    /// A check for whoever owns its shard.
    pub(crate) fn check(index: usize, ask: &Ask<'_>) -> Self {
        let action = match ask.action {
            Action::Charge => v1::ForwardedAction::Charge,
            Action::Peek => v1::ForwardedAction::Peek,
        };
        let policy = match ask.policy {
            PolicyOf::Configured => None,
            PolicyOf::Given(policy) => Some(Arc::clone(policy)),
        };
        let mut errand = Self::new(index, ask.key, ask.cost, action, policy);
        errand.check.epoch = ask.epoch.0;
        errand
    }

    /// A reset or a refund.
    pub(crate) fn change(key: LimitKey<'_>, change: Change) -> Self {
        match change {
            Change::Reset => Self::new(0, key, Cost::PEEK, v1::ForwardedAction::Reset, None),
            Change::Refund { cost, decided_at } => {
                let mut errand = Self::new(0, key, cost, v1::ForwardedAction::Refund, None);
                errand.check.charged_at_nanos = decided_at.map(|at| at.0);
                errand
            }
        }
    }

    fn new(
        index: usize,
        key: LimitKey<'_>,
        cost: Cost,
        action: v1::ForwardedAction,
        policy: Option<Arc<Policy>>,
    ) -> Self {
        let check = v1::ForwardedCheck {
            namespace: key.namespace.as_str().to_owned(),
            client_id: key.client.as_bytes().to_vec().into(),
            cost: cost.units(),
            action: action.into(),
            epoch: 0,
            policy: policy.as_deref().and_then(given::describe),
            charged_at_nanos: None,
        };
        Self { index, check, policy, redirects: 0 }
    }

    /// The same question for this node; `None` for what is no check.
    pub(crate) fn ask(&self) -> Option<Ask<'_>> {
        let action = action(&self.check)?;
        let policy = self.policy.as_ref().map_or(PolicyOf::Configured, PolicyOf::Given);
        let cost = Cost::new(self.check.cost).ok()?;
        Some(Ask { key: key(&self.check).ok()?, cost, action, policy, epoch: Epoch(self.check.epoch) })
    }
}

/// Whose counter a message is about.
///
/// # Errors
/// [`Nonsense`] when there can be no such counter.
pub(crate) fn key(check: &v1::ForwardedCheck) -> Result<LimitKey<'_>, Nonsense> {
    let wrong = |problem: String| Nonsense { problem };
    let namespace = if check.namespace == Namespace::THROTTLE.as_str() {
        Namespace::THROTTLE
    } else {
        Namespace::new(&check.namespace).map_err(|error| wrong(error.to_string()))?
    };
    let client = ClientId::new(&check.client_id).map_err(|error| wrong(error.to_string()))?;
    Ok(LimitKey::new(namespace, client))
}

/// Whether a message charges or looks; `None` for what is no check.
pub(crate) fn action(check: &v1::ForwardedCheck) -> Option<Action> {
    match check.action() {
        v1::ForwardedAction::Charge => Some(Action::Charge),
        v1::ForwardedAction::Peek => Some(Action::Peek),
        v1::ForwardedAction::Unspecified | v1::ForwardedAction::Reset | v1::ForwardedAction::Refund => None,
    }
}

/// What a message changes; `None` for a check.
pub(crate) fn change(check: &v1::ForwardedCheck) -> Option<Change> {
    match check.action() {
        v1::ForwardedAction::Reset => Some(Change::Reset),
        v1::ForwardedAction::Refund => {
            let decided_at = check.charged_at_nanos.map(ShardTime);
            Cost::new(check.cost).ok().map(|cost| Change::Refund { cost, decided_at })
        }
        _ => None,
    }
}
