//! Whatever has the policies, behind one set of calls: a node, or etcd itself. No error leaves this file without saying what to do.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use drl_coordination::{Coordination, Etcd, Fault, Keys, TxnError};
use drl_core::Namespace;
use drl_limits::Window;
use drl_policies::{EditError, PolicyEditor, PolicyPage, WrittenPolicy};
use drl_proto::v1::{DeleteLimitsRequest, GetLimitsRequest, ListLimitsRequest, SetLimitsRequest, StoredPolicy};

use crate::connection::Connection;
use crate::selector::{self, Place};

/// One of the two ways.
pub(crate) enum PolicyStore<'a> {
    Node(Connection<'a>),
    Etcd(EtcdPolicies),
}

/// The policies of a cluster in etcd.
pub(crate) struct EtcdPolicies {
    pub(crate) editor: PolicyEditor,
    pub(crate) coordination: Arc<Etcd>,
    pub(crate) keys: Keys,
    pub(crate) urls: String,
    pub(crate) timeout: Window,
}

/// A policy as it is kept.
pub(crate) struct Kept {
    pub(crate) namespace: String,
    /// `None`: of a kind that this version does not know.
    pub(crate) selector: Option<drl_configuration::Selector>,
    pub(crate) json: String,
    pub(crate) revision: u64,
    /// Why it is not in force; `None` when nothing is known to be wrong.
    pub(crate) fault: Option<String>,
}

/// Some of the policies.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) policies: Vec<Kept>,
    /// What is wrong among them, a sentence each.
    pub(crate) complaints: Vec<String>,
    /// Where the next page begins; empty when this was the last.
    pub(crate) next: Vec<u8>,
}

impl PolicyStore<'_> {
    /// # Errors
    /// When nobody answers, or the policy is refused.
    pub(crate) async fn set(&self, place: &Place, policy_json: String) -> anyhow::Result<u64> {
        match self {
            Self::Node(node) => {
                let (namespace, selector) = (place.namespace.clone(), Some(selector::to_proto(&place.selector)));
                let request = SetLimitsRequest { namespace, selector, policy_json };
                Ok(node.answer(node.limits().set(request).await)?.revision)
            }
            Self::Etcd(etcd) => {
                let set = etcd.editor.set(namespace(place)?, &place.selector, policy_json.as_bytes()).await;
                set.map_err(|error| etcd.refusal(error))
            }
        }
    }

    /// What is kept under exactly this selector.
    ///
    /// # Errors
    /// When there is none, or nobody answers.
    pub(crate) async fn get(&self, place: &Place) -> anyhow::Result<Kept> {
        match self {
            Self::Node(node) => {
                let (namespace, selector) = (place.namespace.clone(), Some(selector::to_proto(&place.selector)));
                let answer = node.answer(node.limits().get(GetLimitsRequest { namespace, selector }).await)?;
                Ok(Kept::from(answer.policy.unwrap_or_default()))
            }
            Self::Etcd(etcd) => {
                let found = etcd.editor.get(namespace(place)?, &place.selector).await;
                let found = found.map_err(|error| etcd.refusal(error))?;
                let Place { namespace, selector } = place;
                found
                    .map(Kept::from)
                    .with_context(|| format!("there is no policy for {selector} in namespace {namespace}"))
            }
        }
    }

    /// Removes a policy, and returns a revision in which it is gone.
    ///
    /// # Errors
    /// As [`PolicyStore::get`].
    pub(crate) async fn delete(&self, place: &Place) -> anyhow::Result<u64> {
        match self {
            Self::Node(node) => {
                let (namespace, selector) = (place.namespace.clone(), Some(selector::to_proto(&place.selector)));
                Ok(node.answer(node.limits().delete(DeleteLimitsRequest { namespace, selector }).await)?.revision)
            }
            Self::Etcd(etcd) => {
                let deleted = etcd.editor.delete(namespace(place)?, &place.selector).await;
                deleted.map_err(|error| etcd.refusal(error))
            }
        }
    }

    /// The policies of one namespace, or of all, from `after` on, which is empty at first and then [`Page::next`].
    ///
    /// # Errors
    /// When nobody answers.
    pub(crate) async fn list(&self, only: Option<&str>, after: Vec<u8>) -> anyhow::Result<Page> {
        match self {
            Self::Node(node) => {
                // A node's tokens are text, and only what it sent comes back.
                let page_token = String::from_utf8(after).context("a page token is text")?;
                let namespace = only.unwrap_or_default().to_owned();
                let request = ListLimitsRequest { namespace, page_size: 0, page_token };
                let page = node.answer(node.limits().list(request).await)?;
                let policies = page.policies.into_iter().map(Kept::from).collect();
                Ok(Page { policies, next: page.next_page_token.into_bytes(), ..Page::default() })
            }
            Self::Etcd(etcd) => {
                let only = only.map(Namespace::new).transpose()?;
                let page = etcd.editor.list(only, &after, 0).await.map_err(|error| etcd.refusal(error))?;
                Ok(Page::from(page))
            }
        }
    }

    /// A hint for who mistyped `--cluster`: no node has started in this cluster yet. A guess, so no trouble of it is told.
    pub(crate) async fn is_untouched(&self) -> bool {
        let Self::Etcd(etcd) = self else { return false };
        let settings = etcd.coordination.read(vec![etcd.keys.settings()], etcd.timeout.nanos().into()).await;
        settings.is_ok_and(|reply| matches!(reply.read[..], [None]))
    }
}

impl EtcdPolicies {
    fn refusal(&self, error: EditError) -> anyhow::Error {
        match error {
            EditError::Unread(Fault::NoAnswer { .. })
            | EditError::NotChanged(TxnError::Unavailable(Fault::NoAnswer { .. })) => anyhow!(
                "etcd at {} did not answer within {}; check --etcd or give a longer --timeout",
                self.urls,
                self.timeout
            ),
            other => other.into(),
        }
    }
}

/// The name was checked when it was read.
fn namespace(place: &Place) -> anyhow::Result<Namespace<'_>> {
    Ok(Namespace::new(&place.namespace)?)
}

impl From<StoredPolicy> for Kept {
    fn from(stored: StoredPolicy) -> Self {
        let StoredPolicy { namespace, selector, policy_json: json, revision } = stored;
        Self { namespace, selector: selector.and_then(selector::from_proto), json, revision, fault: None }
    }
}

impl From<WrittenPolicy> for Kept {
    fn from(written: WrittenPolicy) -> Self {
        let WrittenPolicy { namespace, selector, json, revision, fault } = written;
        Self { namespace, selector: Some(selector), json, revision, fault }
    }
}

impl From<PolicyPage> for Page {
    fn from(page: PolicyPage) -> Self {
        // The reason names the key.
        let complaints = page.strays.into_iter().map(|stray| stray.reason).collect();
        Self {
            policies: page.policies.into_iter().map(Kept::from).collect(),
            complaints,
            next: page.next.unwrap_or_default(),
        }
    }
}
