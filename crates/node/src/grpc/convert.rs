//! Messages as nouns.

use drl_core::{ClientId, Cost, Epoch, LimitKey, Namespace};
use drl_host::{Action, Ask, PolicyOf};
use drl_proto::v1;
use tonic::Status;

use super::status::invalid;

/// The empty name is the default namespace.
pub(super) fn namespace(name: &str) -> Result<Namespace<'_>, Status> {
    if name.is_empty() { Ok(Namespace::DEFAULT) } else { Namespace::new(name).map_err(invalid) }
}

pub(super) fn key<'a>(name: &'a str, client: &'a [u8]) -> Result<LimitKey<'a>, Status> {
    Ok(LimitKey::new(namespace(name)?, ClientId::new(client).map_err(invalid)?))
}

pub(super) fn ask(check: &v1::CheckRequest) -> Result<Ask<'_>, Status> {
    let key = key(&check.namespace, &check.client_id)?;
    let cost = check.cost.map_or(Ok(Cost::ONE), Cost::new).map_err(invalid)?;
    let action = if check.peek { Action::Peek } else { Action::Charge };
    Ok(Ask { key, cost, action, policy: PolicyOf::Configured, epoch: Epoch(0) })
}
