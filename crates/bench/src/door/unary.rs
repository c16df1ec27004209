//! The unary calls of gRPC: `Check` for one check, `CheckBatch` for several.

use std::time::Duration;

use drl_core::caps::GRPC_MESSAGE_BYTES_MAX;
use drl_proto::v1;
use drl_proto::v1::rate_limit_client::RateLimitClient;
use tokio::time::timeout;
use tonic::Status;
use tonic::transport::Channel;

use super::{Door, Line, OpenError, channel, told_of};
use crate::asks::Asks;
use crate::told::Told;

#[derive(Debug, Clone)]
pub(crate) struct UnaryDoor {
    pub(crate) address: String,
    pub(crate) namespace: String,
    pub(crate) timeout: Duration,
}

/// Calls over a connection that it shares with other lines.
#[derive(Debug)]
pub(crate) struct UnaryLine {
    node: RateLimitClient<Channel>,
    namespace: String,
    timeout: Duration,
}

impl Door for UnaryDoor {
    type Line = UnaryLine;

    async fn open(&self, lines: usize) -> Result<Vec<UnaryLine>, OpenError> {
        let channel = channel::connect(&self.address, self.timeout).await?;
        let node = RateLimitClient::new(channel).max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX);
        let line = || UnaryLine { node: node.clone(), namespace: self.namespace.clone(), timeout: self.timeout };
        Ok((0..lines).map(|_| line()).collect())
    }
}

impl Line for UnaryLine {
    async fn ask(&mut self, asks: &Asks, told: &mut Told) {
        let (checks, within) = (asks.len(), self.timeout);
        let answers =
            async { if checks == 1 { self.check(asks, told).await } else { self.check_batch(asks, told).await } };
        match timeout(within, answers).await {
            Ok(Ok(())) => {}
            Ok(Err(status)) => told_of::status(told, &status, checks),
            Err(_) => told_of::timed_out(told, checks, within),
        }
    }
}

impl UnaryLine {
    async fn check(&mut self, asks: &Asks, told: &mut Told) -> Result<(), Status> {
        let Some(client_id) = asks.iter().next() else { return Ok(()) };
        let decision = self.node.check(request(&self.namespace, client_id)).await?;
        told_of::decision(told, &drl_wire::read_decision(decision.get_ref()));
        Ok(())
    }

    async fn check_batch(&mut self, asks: &Asks, told: &mut Told) -> Result<(), Status> {
        let checks = asks.iter().map(|client_id| request(&self.namespace, client_id)).collect();
        let answer = self.node.check_batch(v1::CheckBatchRequest { checks }).await?.into_inner();
        if answer.decisions.len() != asks.len() {
            let found = answer.decisions.len();
            return Err(Status::data_loss(format!("{found} decisions for {} checks", asks.len())));
        }
        for decision in &answer.decisions {
            // A refusal stands for the others.
            if decision.reason() != v1::Reason::Unspecified {
                told_of::decision(told, &drl_wire::read_decision(decision));
            }
        }
        for refusal in &answer.refusals {
            told_of::refusal(told, refusal);
        }
        Ok(())
    }
}

fn request(namespace: &str, client_id: &[u8]) -> v1::CheckRequest {
    let client_id = client_id.to_vec().into();
    v1::CheckRequest { namespace: namespace.to_owned(), client_id, cost: None, peek: false }
}
