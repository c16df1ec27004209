//! Why a policy was not changed, and why policies could not be loaded.

use drl_configuration::{InvalidPolicyDocument, InvalidSelector};
use drl_core::InvalidNamespace;
use drl_core::caps::{NAMESPACES_MAX, POLICIES_MAX};
use drl_policies::EditError;
use drl_store::{RecoverError, WriteError};

/// The policies of the data directory could not be read at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot load the policies: {0}")]
pub struct LoadError(#[from] RecoverError);

/// A change that was not made; what was in force is in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error("{0}")]
    Document(#[from] InvalidPolicyDocument),
    #[error(transparent)]
    Selector(#[from] InvalidSelector),
    #[error("there are {POLICIES_MAX} policies already; delete some, or let a prefix or the default cover them")]
    TooManyPolicies,
    #[error("there are {NAMESPACES_MAX} namespaces already; use one of them")]
    TooManyNamespaces,
    #[error("there is no policy for {selector} in namespace {namespace}")]
    NotFound { namespace: String, selector: String },
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Namespace(#[from] InvalidNamespace),
    /// Of a cluster's policy.
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error("the change was interrupted: {reason}; look at the policy and set it again if it is not what it should be")]
    Interrupted { reason: String },
}
