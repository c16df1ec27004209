//! Peek, refund and reset: one request to the owner, which every node passes on if it is not. They are rare, so they go beside the stream.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use drl_core::{Cost, LimitKey, ShardTime};
use drl_limits::Decision;
use drl_proto::v1;
use tokio::time::timeout;
use tonic::{Code, Status};

use super::{Deadline, Purpose, World};
use crate::chance::Pause;
use crate::clock;
use crate::connection::Connection;
use crate::endpoint;
use crate::error::CheckError;
use crate::placement::Owner;
use crate::request::CheckRequest;
use crate::task::Task;

const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// Whether a request that may have been carried out may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Harmless,
    /// Only after an answer that says that nothing was done.
    Harmful,
}

/// What came of asking once.
enum Asked<T> {
    Done(T),
    Refused(Status),
    /// There is no connection.
    Unsent(Arc<str>),
}

pub(super) async fn peek(
    world: &Arc<World>,
    check: CheckRequest<'_>,
    deadline: Deadline,
) -> Result<Decision, CheckError> {
    let request = v1::CheckRequest {
        namespace: check.key().namespace.as_str().to_owned(),
        client_id: check.key().client.as_bytes().to_vec().into(),
        cost: Some(check.units().units()),
        peek: true,
    };
    let decision = run(world, check.key(), deadline, Repeat::Harmless, move |connection| {
        let request = request.clone();
        async move { endpoint::checks(connection).check(request).await.map(tonic::Response::into_inner) }
    });
    Ok(drl_wire::read_decision(&decision.await?))
}

pub(super) async fn refund(
    world: &Arc<World>,
    key: LimitKey<'_>,
    cost: Cost,
    decided_at: Option<ShardTime>,
    deadline: Deadline,
) -> Result<(), CheckError> {
    let request = v1::RefundRequest {
        namespace: key.namespace.as_str().to_owned(),
        client_id: key.client.as_bytes().to_vec().into(),
        cost: cost.units(),
        decided_at_nanos: decided_at.map(|at| at.0),
    };
    let done = run(world, key, deadline, Repeat::Harmful, move |connection| {
        let request = request.clone();
        async move { endpoint::checks(connection).refund(request).await.map(tonic::Response::into_inner) }
    });
    done.await.map(|_| ())
}

pub(super) async fn reset(world: &Arc<World>, key: LimitKey<'_>, deadline: Deadline) -> Result<(), CheckError> {
    let request = v1::ResetRequest {
        namespace: key.namespace.as_str().to_owned(),
        client_id: key.client.as_bytes().to_vec().into(),
    };
    let done = run(world, key, deadline, Repeat::Harmless, move |connection| {
        let request = request.clone();
        async move { endpoint::checks(connection).reset(request).await.map(tonic::Response::into_inner) }
    });
    done.await.map(|_| ())
}

/// Makes a request until it is answered or no time is left, in the limiter's runtime.
async fn run<T, F>(
    world: &Arc<World>,
    key: LimitKey<'_>,
    deadline: Deadline,
    repeat: Repeat,
    request: impl Fn(Connection) -> F + Send + Sync + 'static,
) -> Result<T, CheckError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Status>> + Send,
{
    let shard = world.placement.borrow().route(key).shard;
    let of_world = Arc::clone(world);
    let asked = async move {
        let mut pause = Pause::new(PAUSES.0, PAUSES.1);
        let mut reason: Arc<str> = "there was no time to ask anybody".into();
        while !deadline.is_over() {
            let owner = of_world.placement.borrow().owner(shard);
            reason = match owner {
                None => "nobody owns the client's shard now".into(),
                Some(owner) => match timeout(deadline.left(), of_world.ask(&owner, &request)).await {
                    Ok(Asked::Done(done)) => return Ok(done),
                    Ok(Asked::Refused(status)) => {
                        let said = format!("node {}: {}", owner.node, endpoint::sentence(&status)).into();
                        match final_error(&status, repeat, &said) {
                            Some(error) => return Err(error),
                            None => said,
                        }
                    }
                    Ok(Asked::Unsent(why)) => format!("node {}: {why}", owner.node).into(),
                    Err(_) => format!("no answer from node {}", owner.node).into(),
                },
            };
            clock::pass(pause.next().min(deadline.left())).await;
        }
        Err(CheckError::TimedOut { within: deadline.within, reason: reason.to_string() })
    };
    Task::spawn(&world.runtime, asked).done().await.unwrap_or(Err(CheckError::Closed))
}

impl World {
    async fn ask<T, F>(&self, owner: &Owner, request: impl Fn(Connection) -> F + Sync) -> Asked<T>
    where
        F: Future<Output = Result<T, Status>> + Send,
    {
        match self.line(owner, Purpose::Owner).connection().await {
            Ok(connection) => request(connection).await.map_or_else(Asked::Refused, Asked::Done),
            Err(reason) => Asked::Unsent(reason),
        }
    }
}

/// The end of it, unless asking again may help and does no harm.
fn final_error(status: &Status, repeat: Repeat, said: &Arc<str>) -> Option<CheckError> {
    let reason = || said.to_string();
    match status.code() {
        Code::InvalidArgument | Code::Unimplemented | Code::NotFound => Some(CheckError::Rejected { reason: reason() }),
        // Nothing was done.
        Code::ResourceExhausted => None,
        _ if repeat == Repeat::Harmless => None,
        _ => Some(CheckError::Unavailable { reason: reason() }),
    }
}
