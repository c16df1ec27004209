//! The routing client, as applications use it: [`RateLimiter::check`] for one check, [`RateLimiter::check_batch`] for several. It asks the
//! owner of each client over one stream.

use std::time::Duration;

use drl_client::{CheckRequest, InvalidRequest, RateLimiter};

use super::{Door, Line, OpenError, told_of};
use crate::asks::Asks;
use crate::told::Told;

#[derive(Debug, Clone)]
pub(crate) struct StreamDoor {
    pub(crate) address: String,
    pub(crate) namespace: String,
    pub(crate) timeout: Duration,
}

/// A handle of a limiter that it shares with other lines.
pub(crate) struct StreamLine {
    limiter: RateLimiter,
    namespace: String,
}

impl Door for StreamDoor {
    type Line = StreamLine;

    async fn open(&self, lines: usize) -> Result<Vec<StreamLine>, OpenError> {
        let limiter = RateLimiter::connect([self.address.clone()]).await?.within(self.timeout);
        let line = || StreamLine { limiter: limiter.clone(), namespace: self.namespace.clone() };
        Ok((0..lines).map(|_| line()).collect())
    }
}

impl Line for StreamLine {
    async fn ask(&mut self, asks: &Asks, told: &mut Told) {
        let requests: Result<Vec<_>, _> = asks.iter().map(|id| request(&self.namespace, id)).collect();
        let requests = match requests {
            Ok(requests) => requests,
            Err(invalid) => return told_of::broken(told, asks.len(), &invalid),
        };
        let answers = match *requests {
            [request] => vec![self.limiter.check(request).await],
            _ => self.limiter.check_batch(&requests).await,
        };
        for answer in &answers {
            match answer {
                Ok(decision) => told_of::decision(told, decision),
                Err(error) => told_of::error(told, error),
            }
        }
    }
}

fn request<'a>(namespace: &'a str, client_id: &'a [u8]) -> Result<CheckRequest<'a>, InvalidRequest> {
    CheckRequest::new(client_id)?.namespace(namespace)
}
