//! Where a node's policies are: in its own store, or in etcd. The doors see no difference.

use std::sync::Arc;

use drl_configuration::{ConfigurationService, RateLimitConfiguration, Selector};
use drl_core::{LimitKey, Namespace};
use drl_policies::{ClusterPolicies, PolicyEditor, WrittenPolicy};

use super::{ChangeError, Page, StoredPolicies, StoredPolicy};
use crate::metrics;

#[derive(Clone)]
pub(crate) enum Policies {
    /// Of a node that stands alone.
    Stored(Arc<StoredPolicies>),
    /// Of a cluster: what is in force here, and the way to change it everywhere.
    Cluster { followed: Arc<ClusterPolicies>, editor: PolicyEditor },
}

impl Policies {
    /// What decisions are made by.
    pub(crate) fn service(&self) -> Arc<dyn ConfigurationService> {
        match self {
            Self::Stored(stored) => stored.clone(),
            Self::Cluster { followed, .. } => followed.clone(),
        }
    }

    pub(crate) fn get(&self, key: LimitKey<'_>) -> Option<RateLimitConfiguration> {
        match self {
            Self::Stored(stored) => stored.get(key),
            Self::Cluster { followed, .. } => followed.get(key),
        }
    }

    /// Whether the node knows the policies of its cluster; one that stands alone always does.
    pub(crate) fn is_loaded(&self) -> bool {
        match self {
            Self::Stored(_) => true,
            Self::Cluster { followed, .. } => followed.is_complete(),
        }
    }

    pub(crate) fn counted(&self) -> metrics::Policies {
        match self {
            Self::Stored(stored) => stored.counted(),
            Self::Cluster { followed, .. } => {
                let counted = followed.counted();
                metrics::Policies {
                    count: counted.policies,
                    broken: counted.broken,
                    missing: u64::from(!followed.is_complete()),
                    revision: counted.revision,
                }
            }
        }
    }

    /// Writes a policy; returns the revision of the change.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub(crate) async fn set(&self, namespace: &str, selector: Selector, json: String) -> Result<u64, ChangeError> {
        match self {
            Self::Stored(stored) => {
                let (stored, namespace) = (Arc::clone(stored), namespace.to_owned());
                beside(move || stored.set(Namespace::new(&namespace)?, selector, json.as_bytes())).await
            }
            Self::Cluster { editor, .. } => {
                Ok(editor.set(Namespace::new(namespace)?, &selector, json.as_bytes()).await?)
            }
        }
    }

    /// Removes a policy; returns the revision of the change.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub(crate) async fn delete(&self, namespace: &str, selector: Selector) -> Result<u64, ChangeError> {
        match self {
            Self::Stored(stored) => {
                let (stored, namespace) = (Arc::clone(stored), namespace.to_owned());
                beside(move || stored.delete(Namespace::new(&namespace)?, &selector)).await
            }
            Self::Cluster { editor, .. } => Ok(editor.delete(Namespace::new(namespace)?, &selector).await?),
        }
    }

    /// The policy under exactly this selector, whatever applies to whom.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub(crate) async fn stored(
        &self,
        namespace: Namespace<'_>,
        selector: &Selector,
    ) -> Result<Option<StoredPolicy>, ChangeError> {
        match self {
            Self::Stored(stored) => Ok(stored.stored(namespace, selector)),
            Self::Cluster { editor, .. } => Ok(editor.get(namespace, selector).await?.map(StoredPolicy::from)),
        }
    }

    /// Policies behind the key `after`, of one namespace or of all; `size` 0, or too large, is a full page.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub(crate) async fn list(
        &self,
        namespace: Option<Namespace<'_>>,
        after: Vec<u8>,
        size: usize,
    ) -> Result<Page, ChangeError> {
        match self {
            Self::Stored(stored) => {
                let (stored, namespace) = (Arc::clone(stored), namespace.map(|name| name.to_string()));
                beside(move || {
                    let namespace = namespace.as_deref().map(Namespace::new).transpose()?;
                    Ok(stored.list(namespace, &after, size))
                })
                .await
            }
            Self::Cluster { editor, .. } => {
                let page = editor.list(namespace, &after, size).await?;
                Ok(Page { policies: page.policies.into_iter().map(StoredPolicy::from).collect(), next: page.next })
            }
        }
    }
}

impl From<WrittenPolicy> for StoredPolicy {
    fn from(written: WrittenPolicy) -> Self {
        let WrittenPolicy { namespace, selector, json, revision, fault: _ } = written;
        Self { namespace, selector, json, revision }
    }
}

/// Runs what blocks on the disk beside the runtime.
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ChangeError> + Send + 'static,
) -> Result<T, ChangeError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|interrupted| ChangeError::Interrupted { reason: interrupted.to_string() })?
}
