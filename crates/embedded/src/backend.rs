//! The client's backend over a host in this process.

use drl_client::{Answer, Backend, CheckError, CheckRequest, Cost, Decision, ShardTime, Terms};
use drl_core::{Epoch, LimitKey};
use drl_host::{Action, Ask, Host, NotReleased, PolicyOf, Refused};

pub(crate) struct Embedded {
    host: Host,
}

impl Embedded {
    pub(crate) const fn new(host: Host) -> Self {
        Self { host }
    }
}

impl Backend for Embedded {
    fn check<'a>(&'a self, checks: &'a [CheckRequest<'a>], _: Terms) -> Answer<'a, Vec<Result<Decision, CheckError>>> {
        Box::pin(async move {
            let asks: Vec<Ask<'_>> = checks.iter().map(|check| ask(check, Action::Charge)).collect();
            let mut answers = Vec::with_capacity(asks.len());
            let ticket = match self.host.decide(&asks, &mut answers) {
                Ok(ticket) => ticket,
                Err(error) => return vec![Err(refused(error)); checks.len()],
            };
            if let Err(error) = self.host.committed(ticket).await {
                return vec![Err(not_released(&error)); checks.len()];
            }
            answers.into_iter().map(|answer| answer.map_err(|error| failed(error.into()))).collect()
        })
    }

    fn peek<'a>(&'a self, check: CheckRequest<'a>, _: Terms) -> Answer<'a, Result<Decision, CheckError>> {
        Box::pin(async move { self.host.check(ask(&check, Action::Peek)).await.map_err(failed) })
    }

    fn refund<'a>(
        &'a self,
        key: LimitKey<'a>,
        cost: Cost,
        decided_at: Option<ShardTime>,
        _: Terms,
    ) -> Answer<'a, Result<(), CheckError>> {
        Box::pin(async move { self.host.refund(key, cost, decided_at, Epoch(0)).await.map_err(failed) })
    }

    fn reset<'a>(&'a self, key: LimitKey<'a>, _: Terms) -> Answer<'a, Result<(), CheckError>> {
        Box::pin(async move { self.host.reset(key, Epoch(0)).await.map_err(failed) })
    }
}

fn ask<'a>(check: &CheckRequest<'a>, action: Action) -> Ask<'a> {
    Ask { key: check.key(), cost: check.units(), action, policy: PolicyOf::Configured, epoch: Epoch(0) }
}

fn failed(error: drl_host::CheckError) -> CheckError {
    match error {
        drl_host::CheckError::Refused(error) => refused(error),
        drl_host::CheckError::NotReleased(error) => not_released(&error),
        // A host that stands alone answers for every shard.
        drl_host::CheckError::NotHere(error) => CheckError::Unavailable { reason: error.to_string() },
    }
}

fn refused(error: Refused) -> CheckError {
    match error {
        Refused::Stopped(error) => CheckError::Unavailable { reason: error.to_string() },
        Refused::Busy | Refused::BatchTooLong { .. } => CheckError::Busy { reason: error.to_string() },
    }
}

fn not_released(error: &NotReleased) -> CheckError {
    CheckError::Unavailable { reason: error.to_string() }
}
