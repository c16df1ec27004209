//! What the client adds to a check: `cargo run --release -p drl-client --example bench_adds -- 127.0.0.1:7700 [ROUNDS=5] [PAIRS=200] [ID=bench]`.
//!
//! Beside it runs the least that can be done: a `CheckStream` by hand, one message under way. Both ask the same node from the same task, in
//! turn (client, stream, stream, client), each over a connection of its own, so that whatever disturbs the machine disturbs both. A
//! round is so many pairs; of each round the difference of the two medians counts, and of all rounds the middle and the quartiles are
//! printed, in microseconds. Once with everything on one thread, once in a task of a runtime with two.

#![allow(clippy::disallowed_methods, reason = "a benchmark measures this machine's time")]

use std::time::{Duration, Instant};

use drl_client::{CheckRequest, RateLimiter};
use drl_proto::v1;
use drl_proto::v1::rate_limit_client::RateLimitClient;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Endpoint;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Clients that are asked for in turn.
const CLIENTS: usize = 1_000;

/// A stream by hand.
struct Raw {
    messages: mpsc::Sender<v1::CheckStreamRequest>,
    answers: Streaming<v1::CheckStreamResponse>,
    session: [u8; 16],
    number: u64,
}

impl Raw {
    async fn open(endpoint: &str) -> Result<Self, Failure> {
        let channel = Endpoint::from_shared(format!("http://{endpoint}"))?.tcp_nodelay(true).connect().await?;
        let (messages, waiting) = mpsc::channel(1);
        let answers = RateLimitClient::new(channel).check_stream(ReceiverStream::new(waiting)).await?.into_inner();
        Ok(Self { messages, answers, session: rand::random(), number: 0 })
    }

    /// What the client sends and reads: numbered, of a session, with every column of the answer.
    async fn check(&mut self, id: &str) -> Result<bool, Failure> {
        self.number += 1;
        let is_first = self.number == 1;
        let message = v1::CheckStreamRequest {
            number: self.number,
            namespace: "default".to_owned(),
            client_ids: id.as_bytes().to_vec().into(),
            id_lengths: vec![u32::try_from(id.len())?],
            detail: v1::Detail::Full.into(),
            epochs: vec![0],
            session: if is_first { self.session.to_vec().into() } else { Vec::new().into() },
            settled_below: self.number,
            ..v1::CheckStreamRequest::default()
        };
        self.messages.send(message).await?;
        let answer = self.answers.message().await?.ok_or("the node ended the stream")?;
        let decided = drl_wire::read_answers(answer, 1)?;
        let decision = decided.into_iter().next().ok_or("no answer")?.map_err(|refusal| refusal.message)?;
        Ok(decision.allowed)
    }
}

struct Round {
    raw: f64,
    client: f64,
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

/// The value below which this part of all lies.
fn quantile(mut values: Vec<f64>, part: usize, of: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get((values.len() - 1) * part / of).copied().unwrap_or_default()
}

async fn measure(endpoint: String, rounds: usize, pairs: usize, id: String) -> Result<Vec<Round>, Failure> {
    let limiter = RateLimiter::connect([&*endpoint]).await?.strict();
    let mut raw = Raw::open(&endpoint).await?;
    let ids: Vec<String> = (0..CLIENTS).map(|number| format!("{id}-{number}")).collect();
    let mut all = Vec::new();
    for _ in 0..=rounds {
        let (mut of_raw, mut of_client) = (Vec::with_capacity(pairs), Vec::with_capacity(pairs));
        for pair in 0..pairs {
            let id = &ids[pair % CLIENTS];
            for is_client in if pair % 2 == 0 { [true, false] } else { [false, true] } {
                let since = Instant::now();
                if is_client {
                    limiter.check(CheckRequest::new(id)?).await?;
                    of_client.push(micros(since.elapsed()));
                } else {
                    raw.check(id).await?;
                    of_raw.push(micros(since.elapsed()));
                }
            }
        }
        all.push(Round { raw: quantile(of_raw, 1, 2), client: quantile(of_client, 1, 2) });
    }
    // The first one warms everything up.
    all.remove(0);
    Ok(all)
}

fn report(name: &str, rounds: &[Round]) {
    let of = |figure: fn(&Round) -> f64, part| quantile(rounds.iter().map(figure).collect(), part, 4);
    let (raw, client) = (|round: &Round| round.raw, |round: &Round| round.client);
    let added = |round: &Round| round.client - round.raw;
    println!(
        "{name:<12} raw {:6.1}  client {:6.1}  adds {:5.1} ({:.1} to {:.1}; least {:.1}, most {:.1})",
        of(raw, 2),
        of(client, 2),
        of(added, 2),
        of(added, 1),
        of(added, 3),
        of(added, 0),
        of(added, 4)
    );
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().ok_or("give the HOST:PORT of a node")?;
    let rounds = arguments.next().map_or(Ok(5), |rounds| rounds.parse())?;
    let pairs = arguments.next().map_or(Ok(200), |pairs| pairs.parse())?;
    let id = arguments.next().unwrap_or_else(|| "bench".to_owned());
    let runtimes: [(&str, Runtime); 2] = [
        ("one thread", Builder::new_current_thread().enable_all().build()?),
        ("two threads", Builder::new_multi_thread().worker_threads(2).enable_all().build()?),
    ];
    println!("{rounds} rounds of {pairs} pairs, medians in us: middle (quartiles)");
    for (name, runtime) in runtimes {
        let task = runtime.spawn(measure(endpoint.clone(), rounds, pairs, id.clone()));
        report(name, &runtime.block_on(task)??);
    }
    Ok(())
}
