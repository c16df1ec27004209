//! The service `RateLimit`: checks, reset and refund.

use std::sync::Arc;

use drl_core::caps::BATCH_CHECKS_MAX;
use drl_core::{Cost, ShardTime};
use drl_proto::v1;
use drl_proto::v1::rate_limit_server::RateLimit;
use tonic::{Request, Response, Status, Streaming};

use super::check_stream::{Replies, Streams};
use super::status::{invalid, refused};
use super::{convert, refusals};
use crate::judge::Judge;

pub(super) struct CheckService {
    judge: Judge,
    streams: Arc<Streams>,
}

impl CheckService {
    pub(super) const fn new(judge: Judge, streams: Arc<Streams>) -> Self {
        Self { judge, streams }
    }
}

#[tonic::async_trait]
impl RateLimit for CheckService {
    async fn check(&self, request: Request<v1::CheckRequest>) -> Result<Response<v1::Decision>, Status> {
        let request = request.into_inner();
        let decision = self.judge.check(convert::ask(&request)?).await.map_err(|refusal| refused(&refusal))?;
        Ok(Response::new(drl_wire::decision(&decision)))
    }

    async fn check_batch(
        &self,
        request: Request<v1::CheckBatchRequest>,
    ) -> Result<Response<v1::CheckBatchResponse>, Status> {
        let checks = request.into_inner().checks;
        if checks.len() > BATCH_CHECKS_MAX {
            return Err(invalid(format!("{} checks are too many; send at most {BATCH_CHECKS_MAX}", checks.len())));
        }
        let asks: Result<Vec<_>, Status> = checks.iter().map(convert::ask).collect();
        let answers = self.judge.check_all(&asks?).await;
        // Whoever does not look at refusals must not take all of them for denials.
        if let ([(_, refusal), ..], None) = (answers.refused(), answers.iter().find(Result::is_ok)) {
            return Err(refused(refusal));
        }
        let decision = |answer: Result<_, _>| answer.map_or_else(|_| v1::Decision::default(), drl_wire::decision);
        let decisions = answers.iter().map(decision).collect();
        Ok(Response::new(v1::CheckBatchResponse { decisions, refusals: refusals::all(&answers) }))
    }

    type CheckStreamStream = Replies;

    async fn check_stream(
        &self,
        request: Request<Streaming<v1::CheckStreamRequest>>,
    ) -> Result<Response<Replies>, Status> {
        Ok(Response::new(self.streams.serve(request.into_inner())))
    }

    async fn reset(&self, request: Request<v1::ResetRequest>) -> Result<Response<v1::ResetResponse>, Status> {
        let request = request.into_inner();
        self.judge
            .reset(convert::key(&request.namespace, &request.client_id)?)
            .await
            .map_err(|refusal| refused(&refusal))?;
        Ok(Response::new(v1::ResetResponse {}))
    }

    async fn refund(&self, request: Request<v1::RefundRequest>) -> Result<Response<v1::RefundResponse>, Status> {
        let request = request.into_inner();
        let key = convert::key(&request.namespace, &request.client_id)?;
        let cost = Cost::new(request.cost).map_err(invalid)?;
        if cost.is_peek() {
            return Err(invalid("a refund of 0 is nothing; send 1 or more"));
        }
        self.judge
            .refund(key, cost, request.decided_at_nanos.map(ShardTime))
            .await
            .map_err(|refusal| refused(&refusal))?;
        Ok(Response::new(v1::RefundResponse {}))
    }
}
