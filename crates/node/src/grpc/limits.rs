//! The service `Limits`: policies are set, read, listed and removed. A node keeps them itself, or changes them in etcd.

use drl_configuration::Selector;
use drl_policies::EditError;
use drl_proto::v1;
use drl_proto::v1::limits_server::Limits;
use drl_proto::v1::selector::{Default as SelectorDefault, Selector as Kind};
use tonic::{Request, Response, Status};

use super::convert::namespace;
use super::status::invalid;
use crate::policies::{ChangeError, Policies, StoredPolicy};

pub(super) struct LimitsService {
    policies: Policies,
}

impl LimitsService {
    pub(super) const fn new(policies: Policies) -> Self {
        Self { policies }
    }
}

#[tonic::async_trait]
impl Limits for LimitsService {
    async fn set(&self, request: Request<v1::SetLimitsRequest>) -> Result<Response<v1::SetLimitsResponse>, Status> {
        let request = request.into_inner();
        let (namespace, selector) = (namespace(&request.namespace)?, selector(request.selector)?);
        let set = self.policies.set(namespace.as_str(), selector, request.policy_json).await;
        Ok(Response::new(v1::SetLimitsResponse { revision: set.map_err(|error| status(&error))? }))
    }

    async fn get(&self, request: Request<v1::GetLimitsRequest>) -> Result<Response<v1::GetLimitsResponse>, Status> {
        let request = request.into_inner();
        let (namespace, selector) = (namespace(&request.namespace)?, selector(request.selector)?);
        let found = self.policies.stored(namespace, &selector).await.map_err(|error| status(&error))?;
        let Some(found) = found else {
            return Err(status(&ChangeError::NotFound {
                namespace: namespace.to_string(),
                selector: selector.to_string(),
            }));
        };
        Ok(Response::new(v1::GetLimitsResponse { policy: Some(message(found)) }))
    }

    async fn list(&self, request: Request<v1::ListLimitsRequest>) -> Result<Response<v1::ListLimitsResponse>, Status> {
        let request = request.into_inner();
        let only = if request.namespace.is_empty() { None } else { Some(namespace(&request.namespace)?) };
        let after = read_token(&request.page_token)?;
        let size = usize::try_from(request.page_size).unwrap_or(0);
        let page = self.policies.list(only, after, size).await.map_err(|error| status(&error))?;
        let next_page_token = page.next.as_deref().map(write_token).unwrap_or_default();
        let policies = page.policies.into_iter().map(message).collect();
        Ok(Response::new(v1::ListLimitsResponse { policies, next_page_token }))
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteLimitsRequest>,
    ) -> Result<Response<v1::DeleteLimitsResponse>, Status> {
        let request = request.into_inner();
        let (namespace, selector) = (namespace(&request.namespace)?, selector(request.selector)?);
        let deleted = self.policies.delete(namespace.as_str(), selector).await;
        Ok(Response::new(v1::DeleteLimitsResponse { revision: deleted.map_err(|error| status(&error))? }))
    }
}

fn selector(message: Option<v1::Selector>) -> Result<Selector, Status> {
    let selector = match message.and_then(|message| message.selector) {
        Some(Kind::Client(client)) => Selector::Client(client.to_vec()),
        Some(Kind::Prefix(prefix)) => Selector::Prefix(prefix.to_vec()),
        Some(Kind::Default(_)) => Selector::Default,
        None => return Err(invalid("no selector: say which client, prefix, or the default")),
    };
    selector.check().map_err(invalid)?;
    Ok(selector)
}

fn message(policy: StoredPolicy) -> v1::StoredPolicy {
    let kind = match policy.selector {
        Selector::Client(client) => Kind::Client(client.into()),
        Selector::Prefix(prefix) => Kind::Prefix(prefix.into()),
        Selector::Default => Kind::Default(SelectorDefault {}),
    };
    let selector = Some(v1::Selector { selector: Some(kind) });
    v1::StoredPolicy { namespace: policy.namespace, selector, policy_json: policy.json, revision: policy.revision }
}

fn status(error: &ChangeError) -> Status {
    let message = error.to_string();
    match error {
        ChangeError::Document(_)
        | ChangeError::Selector(_)
        | ChangeError::Namespace(_)
        | ChangeError::Edit(EditError::Document(_) | EditError::Selector(_)) => Status::invalid_argument(message),
        ChangeError::TooManyPolicies | ChangeError::TooManyNamespaces => Status::failed_precondition(message),
        ChangeError::NotFound { .. } | ChangeError::Edit(EditError::NotFound { .. }) => Status::not_found(message),
        ChangeError::Edit(EditError::Overtaken { .. } | EditError::Contended { .. }) => Status::aborted(message),
        ChangeError::Write(_)
        | ChangeError::Interrupted { .. }
        | ChangeError::Edit(EditError::Unread(_) | EditError::NotChanged(_) | EditError::Unsettled { .. }) => {
            Status::unavailable(message)
        }
    }
}

/// A page token is the last key in hexadecimal: callers may only pass it on.
fn write_token(key: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    key.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

fn read_token(token: &str) -> Result<Vec<u8>, Status> {
    let digits = token.as_bytes();
    let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let key: Option<Vec<u8>> = digits.chunks(2).map(|pair| if pair.len() == 2 { byte(pair) } else { None }).collect();
    key.ok_or_else(|| invalid("the page token is not from a list; leave it empty to begin"))
}
