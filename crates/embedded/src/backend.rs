//! The client's backend over a host in this process.

use drl_client::{Answer, Backend, CheckError, CheckRequest, Cost, Decision, ShardTime};
use drl_core::LimitKey;
use drl_host::{Action, Ask, Host, PolicyOf, Refused, Stopped};

pub(crate) struct Embedded {
    host: Host,
}

impl Embedded {
    pub(crate) const fn new(host: Host) -> Self {
        Self { host }
    }
}

impl Backend for Embedded {
    fn check<'a>(&'a self, checks: &'a [CheckRequest<'a>]) -> Answer<'a, Vec<Decision>> {
        Box::pin(async move {
            let asks: Vec<Ask<'_>> = checks.iter().map(|check| ask(check, Action::Charge)).collect();
            let mut decisions = Vec::with_capacity(asks.len());
            let ticket = self.host.decide(&asks, &mut decisions).map_err(refused)?;
            self.host.committed(ticket).await.map_err(|error| stopped(&error))?;
            Ok(decisions)
        })
    }

    fn peek<'a>(&'a self, check: CheckRequest<'a>) -> Answer<'a, Decision> {
        Box::pin(async move { self.host.check(ask(&check, Action::Peek)).await.map_err(failed) })
    }

    fn refund<'a>(&'a self, key: LimitKey<'a>, cost: Cost, decided_at: Option<ShardTime>) -> Answer<'a, ()> {
        Box::pin(async move { self.host.refund(key, cost, decided_at).await.map_err(failed) })
    }

    fn reset<'a>(&'a self, key: LimitKey<'a>) -> Answer<'a, ()> {
        Box::pin(async move { self.host.reset(key).await.map_err(failed) })
    }
}

fn ask<'a>(check: &CheckRequest<'a>, action: Action) -> Ask<'a> {
    Ask { key: check.key(), cost: check.units(), action, policy: PolicyOf::Configured }
}

fn failed(error: drl_host::CheckError) -> CheckError {
    match error {
        drl_host::CheckError::Refused(error) => refused(error),
        drl_host::CheckError::Stopped(error) => stopped(&error),
    }
}

fn refused(error: Refused) -> CheckError {
    match error {
        Refused::Stopped(error) => stopped(&error),
        Refused::Busy | Refused::BatchTooLong { .. } => CheckError::Busy { reason: error.to_string() },
    }
}

fn stopped(error: &Stopped) -> CheckError {
    CheckError::Unavailable { reason: error.to_string() }
}
