//! The way of a request: who is it, may it pass, then the service.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Either, Full};
use tower_service::Service;

use crate::cost::CostOf;
use crate::gate::{Asked, Gate, add_missing};
use crate::grpc;
use crate::identify::Identify;

/// The service's body, or that of a refusal.
pub type ResponseBody<B> = Either<B, Full<Bytes>>;

/// A service behind a limiter. Made by [`crate::RateLimitLayer`].
#[derive(Clone)]
pub struct RateLimit<S, I, C> {
    pub(crate) inner: S,
    pub(crate) gate: Arc<Gate>,
    pub(crate) identify: Arc<I>,
    pub(crate) cost: Arc<C>,
}

impl<S, I, C, ReqBody, ResBody> Service<Request<ReqBody>> for RateLimit<S, I, C>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    I: Identify<ReqBody>,
    C: CostOf<ReqBody>,
    ReqBody: Send + 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    /// Boxed: a check borrows the client's id, which lives as long as the future. It is one small allocation beside those of the check.
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // Only this very service has been found ready; the clone that takes its place has not. Whatever readiness holds (a permit, say)
        // is given back when a denied request drops it.
        let next = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, next);
        let gate = Arc::clone(&self.gate);
        let client = self.identify.client(&request).map(std::borrow::Cow::into_owned);
        let asked = Asked { client, units: self.cost.units(&request) };
        Box::pin(async move {
            let fields = match gate.admit(asked).await {
                Ok(fields) => fields,
                Err(refusal) => {
                    let refused = refusal.into_response(grpc::content_type(request.headers()));
                    return Ok(refused.map(|body| Either::Right(Full::new(body))));
                }
            };
            let mut response = ready.call(request).await?;
            add_missing(response.headers_mut(), fields);
            Ok(response.map(Either::Left))
        })
    }
}
