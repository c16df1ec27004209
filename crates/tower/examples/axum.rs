//! A web service that lets each API key send two requests a minute: `cargo run --release -p drl-tower --example axum`. It asks itself
//! three times and prints what it is told; any other answer than 200, 200, 429 is an error.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::routing::get;
use drl_embedded::{ConfigurationService as _, InMemory, Namespace, Options, PolicyDocument, Selector};
use drl_tower::{Header, RateLimitLayer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let limits = InMemory::new();
    let policy = PolicyDocument::parse(br#"{"limits":[{"requests":2,"window":"1m"}]}"#)?;
    limits.set(Namespace::DEFAULT, Selector::Default, policy)?;
    let directory = tempfile::tempdir()?;
    let limiter = drl_embedded::open(directory.path(), Arc::new(limits.clone()), &Options::default())?;

    let layer = RateLimitLayer::new(limiter, Header::named("x-api-key"))
        .policies(move |key| limits.get(key).map(|found| found.policy));
    let app = Router::new().route("/", get(|| async { "hello\n" })).layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    let mut statuses = Vec::new();
    for _ in 0..3 {
        let answer = ask(address).await?;
        eprintln!("{answer}");
        statuses.push(answer.split(' ').nth(1).context("no status")?.to_owned());
    }
    server.abort();
    println!("{}", statuses.join(" "));
    ensure!(statuses == ["200", "200", "429"], "expected 200 200 429");
    Ok(())
}

async fn ask(address: SocketAddr) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: example\r\nX-Api-Key: alice\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
