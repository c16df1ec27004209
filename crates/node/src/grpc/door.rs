//! Connections of gRPC, with bounds for everything that a client can make large or slow: messages, headers, streams, resets, silence.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use drl_core::caps::{GRPC_MESSAGE_BYTES_MAX, GRPC_STREAMS_MAX, HTTP_HEAD_BYTES_MAX};
use drl_host::Host;
use drl_proto::v1::admin_server::AdminServer;
use drl_proto::v1::limits_server::LimitsServer;
use drl_proto::v1::peer_server::PeerServer;
use drl_proto::v1::placement_service_server::PlacementServiceServer;
use drl_proto::v1::rate_limit_server::RateLimitServer;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::Router;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};

use crate::entrance::Entrance;
use crate::grpc::admin::AdminService;
use crate::grpc::check::CheckService;
use crate::grpc::check_stream::Streams;
use crate::grpc::limits::LimitsService;
use crate::grpc::peer::PeerService;
use crate::grpc::placing::PlacingService;
use crate::grpc::replication::Letterbox;
use crate::grpc::stream::GrpcStream;
use crate::judge::Judge;
use crate::policies::Policies;
use crate::surroundings::Surroundings;

/// Longest call. It leaves room for the wait for the journal, which ends first and says more.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A silent connection is asked after this long whether anybody is there, and closed when no answer comes in time.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));

/// Streams that a client may open and reset before they are accepted; more is an attack (CVE-2023-44487).
const PENDING_RESETS_MAX: usize = 20;

/// Connections that were accepted and that tonic has not taken yet.
const ARRIVALS_MAX: usize = 16;

pub(crate) struct GrpcDoor {
    entrance: Entrance,
    router: Router,
    host: Host,
    health: HealthReporter,
    streams: Arc<Streams>,
    /// Ends what would go on for as long as a peer or a watcher lives.
    closing: CancellationToken,
}

impl GrpcDoor {
    /// `letterbox`: where the letters of other nodes go; `None` when there are none.
    pub(crate) fn new(
        entrance: Entrance,
        judge: Judge,
        policies: Policies,
        surroundings: Surroundings,
        letterbox: Option<Arc<Letterbox>>,
    ) -> Self {
        let (host, closing) = (judge.host().clone(), CancellationToken::new());
        let (health, health_service) = tonic_health::server::health_reporter();
        let peers = judge.forwarder().map(|_| {
            PeerServer::new(PeerService::new(judge.clone(), letterbox, closing.clone()))
                .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
                .max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX)
        });
        let placing = PlacementServiceServer::new(PlacingService::new(surroundings.clone(), closing.clone()))
            .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX);
        let admin = AdminServer::new(AdminService::new(judge.clone(), surroundings, policies.clone()))
            .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX);
        let streams = Arc::new(Streams::new(judge.clone(), closing.clone()));
        let checks = RateLimitServer::new(CheckService::new(judge, Arc::clone(&streams)))
            .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX);
        // A page of a thousand long policies is larger than what anybody may send.
        let limits = LimitsServer::new(LimitsService::new(policies)).max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX);
        let router = server()
            .add_service(checks)
            .add_service(limits)
            .add_service(placing)
            .add_service(admin)
            .add_service(health_service)
            .add_optional_service(peers);
        let router = match reflection() {
            Ok(reflection) => router.add_service(reflection),
            Err(error) => {
                tracing::warn!(%error, "gRPC reflection is off: the description of the services cannot be read");
                router
            }
        };
        Self { entrance, router, host, health, streams, closing }
    }

    /// Serves until `stop`, then lets every call that has begun end. Dropping the future closes the rest.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Self { entrance, router, host, health, streams, closing } = self;
        let (arrived, arrivals) = mpsc::channel::<io::Result<GrpcStream>>(ARRIVALS_MAX);
        let accept = async {
            loop {
                let guest = tokio::select! {
                    () = stop.cancelled() => break,
                    guest = entrance.next(|_| ()) => guest,
                };
                if arrived.send(Ok(GrpcStream::from(guest))).await.is_err() {
                    break;
                }
            }
            drop((entrance, arrived));
            closing.cancel();
        };
        let serve = router.serve_with_incoming_shutdown(ReceiverStream::new(arrivals), stop.clone().cancelled_owned());
        let both = async { tokio::join!(accept, serve).1 };
        tokio::select! {
            served = both => if let Err(error) = served {
                tracing::warn!(%error, "gRPC door closed with an error");
            },
            never = report_health(host, health) => match never {},
            never = streams.look_after() => match never {},
        }
    }
}

/// The bounds of every connection.
fn server() -> Server {
    let header_bytes = u32::try_from(HTTP_HEAD_BYTES_MAX).unwrap_or(u32::MAX);
    Server::builder()
        .timeout(CALL_TIMEOUT)
        .max_concurrent_streams(GRPC_STREAMS_MAX)
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        .http2_max_header_list_size(header_bytes)
        .http2_keepalive_interval(Some(KEEPALIVE.0))
        .http2_keepalive_timeout(Some(KEEPALIVE.1))
}

fn reflection() -> Result<ServerReflectionServer<impl ServerReflection>, tonic_reflection::server::Error> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(drl_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
}

/// `grpc.health.v1`: serving until the host has stopped.
async fn report_health(host: Host, health: HealthReporter) -> Infallible {
    health.set_serving::<RateLimitServer<CheckService>>().await;
    let _ = host.stopped().await;
    health.set_not_serving::<RateLimitServer<CheckService>>().await;
    health.set_service_status("", ServingStatus::NotServing).await;
    std::future::pending().await
}
