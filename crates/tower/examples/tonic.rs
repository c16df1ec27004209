//! A gRPC service (the standard health service, because it is at hand) that lets each caller send two requests a minute:
//! `cargo run --release -p drl-tower --example tonic`. It asks itself three times and prints what it is told, as HTTP would say it; any
//! other answer than 200, 200, 429 is an error.

use std::sync::Arc;

use anyhow::ensure;
use drl_embedded::{InMemory, Namespace, Options, PolicyDocument, Selector};
use drl_tower::{Header, RateLimitLayer};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let limits = InMemory::new();
    let policy = PolicyDocument::parse(br#"{"limits":[{"requests":2,"window":"1m"}]}"#)?;
    limits.set(Namespace::DEFAULT, Selector::Default, policy)?;
    let directory = tempfile::tempdir()?;
    let limiter = drl_embedded::open(directory.path(), Arc::new(limits), &Options::default())?;

    let (_reporter, health) = tonic_health::server::health_reporter();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = tonic::transport::Server::builder()
        .layer(RateLimitLayer::new(limiter, Header::named("x-api-key")))
        .add_service(health)
        .serve_with_incoming(TcpListenerStream::new(listener));
    let server = tokio::spawn(service);

    let mut client = HealthClient::new(Channel::from_shared(format!("http://{address}"))?.connect().await?);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let mut request = Request::new(HealthCheckRequest::default());
        request.metadata_mut().insert("x-api-key", "alice".parse()?);
        statuses.push(match client.check(request).await {
            Ok(_) => "200",
            Err(status) if status.code() == Code::ResourceExhausted => {
                eprintln!("{}: {:?}", status.message(), status.metadata());
                "429"
            }
            Err(status) => return Err(status.into()),
        });
    }
    server.abort();
    println!("{}", statuses.join(" "));
    ensure!(statuses == ["200", "200", "429"], "expected 200 200 429");
    Ok(())
}
