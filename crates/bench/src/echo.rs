//! A bare gRPC server that answers every unary check with yes and looks at nothing: what a call costs before a limiter does anything. The
//! floor to compare a node's unary door with, when both run on the same machine at the same time.

use std::net::SocketAddr;

use drl_core::caps::GRPC_MESSAGE_BYTES_MAX;
use drl_proto::v1;
use drl_proto::v1::rate_limit_server::{RateLimit, RateLimitServer};
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

/// The echo could not serve.
#[derive(Debug, thiserror::Error)]
pub enum EchoError {
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("the echo has ended: {0}")]
    Serve(#[from] tonic::transport::Error),
}

/// Serves on `address` until `stop`. `listening` is told where; port 0 takes a free one.
///
/// # Errors
/// [`EchoError`].
pub async fn echo(
    address: SocketAddr,
    listening: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
) -> Result<(), EchoError> {
    let failed = |source| EchoError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    listening(listener.local_addr().map_err(failed)?);
    // As a node's doors do.
    let connections = TcpIncoming::from(listener).with_nodelay(Some(true));
    let service = RateLimitServer::new(Echo).max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX);
    Ok(Server::builder().add_service(service).serve_with_incoming_shutdown(connections, stop).await?)
}

struct Echo;

fn no() -> Status {
    Status::unimplemented("the echo answers unary checks only")
}

#[tonic::async_trait]
impl RateLimit for Echo {
    async fn check(&self, request: Request<v1::CheckRequest>) -> Result<Response<v1::Decision>, Status> {
        let request = request.into_inner();
        // As many bytes as a node's decision has.
        Ok(Response::new(v1::Decision {
            allowed: !request.client_id.is_empty(),
            limit: 100,
            remaining: 99,
            retry_after_nanos: 0,
            reset_after_nanos: 59_000_000_000,
            policy_revision: 1,
            reason: v1::Reason::WithinLimit.into(),
            window_nanos: 60_000_000_000,
            on_unavailable: v1::OnUnavailable::Deny.into(),
            decided_at_nanos: 1_800_000_000_000_000_000,
        }))
    }

    async fn check_batch(&self, _: Request<v1::CheckBatchRequest>) -> Result<Response<v1::CheckBatchResponse>, Status> {
        Err(no())
    }

    type CheckStreamStream = tokio_stream::Empty<Result<v1::CheckStreamResponse, Status>>;

    async fn check_stream(
        &self,
        _: Request<Streaming<v1::CheckStreamRequest>>,
    ) -> Result<Response<Self::CheckStreamStream>, Status> {
        Err(no())
    }

    async fn reset(&self, _: Request<v1::ResetRequest>) -> Result<Response<v1::ResetResponse>, Status> {
        Err(no())
    }

    async fn refund(&self, _: Request<v1::RefundRequest>) -> Result<Response<v1::RefundResponse>, Status> {
        Err(no())
    }
}
