//! Limits kept by Redis with a replica, as fast as `drl bench` asks: `redis_wait 127.0.0.1:6379 SHA CONNECTIONS SECONDS REPLICAS`.
//!
//! Every connection has one call under way: `EVALSHA` of the GCRA script for a random one of 100,000 clients, and behind it in the same
//! packet `WAIT REPLICAS`, so that an answer is there when the replicas have it, as an answer of class `replicated` is. With 0 replicas there
//! is no `WAIT`. Prints calls a second and p50, p99 and the slowest in microseconds.

#![allow(clippy::disallowed_methods, reason = "a benchmark measures this machine's time")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// As many as `tests/bench/replicated` gives drl.
const CLIENTS: u32 = 100_000;

/// Never reached: burst, requests and window in seconds of the script.
const LIMIT: &[&str] = &["1000000", "1000000", "60", "1"];

/// What the measured time begins after.
const WARM_UP: Duration = Duration::from_secs(1);

struct Connection {
    writer: TcpStream,
    reader: BufReader<TcpStream>,
    line: String,
}

impl Connection {
    fn open(address: &str) -> Result<Self, Failure> {
        let writer = TcpStream::connect(address)?;
        writer.set_nodelay(true)?;
        let reader = BufReader::new(writer.try_clone()?);
        Ok(Self { writer, reader, line: String::new() })
    }

    fn line(&mut self) -> Result<&str, Failure> {
        self.line.clear();
        self.reader.read_line(&mut self.line)?;
        Ok(self.line.trim_end())
    }

    /// One decision that so many replicas have.
    fn decide(&mut self, sha: &str, client: &str, replicas: u32) -> Result<(), Failure> {
        let mut words = vec!["EVALSHA", sha, "1", client];
        words.extend(LIMIT);
        let mut request = command(&words);
        if replicas > 0 {
            request += &command(&["WAIT", &replicas.to_string(), "1000"]);
        }
        self.writer.write_all(request.as_bytes())?;
        // An array of three numbers.
        let head = self.line()?;
        if head != "*3" {
            return Err(format!("not a decision: {head}").into());
        }
        for _ in 0..3 {
            self.line()?;
        }
        if replicas > 0 {
            let acked: u32 = self.line()?.trim_start_matches(':').parse()?;
            if acked < replicas {
                return Err(format!("{acked} replicas of {replicas} have it").into());
            }
        }
        Ok(())
    }
}

fn command(words: &[&str]) -> String {
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command.extend([&format!("${}\r\n", word.len()), *word, "\r\n"]);
    }
    command
}

fn caller(address: &str, sha: &str, replicas: u32, seed: u64, span: Duration) -> Result<Histogram<u64>, Failure> {
    let mut connection = Connection::open(address)?;
    let mut chance = SmallRng::seed_from_u64(seed);
    let mut latencies = Histogram::new(3)?;
    let start = Instant::now();
    while start.elapsed() < WARM_UP + span {
        let client = format!("bench-{}", chance.random_range(0..CLIENTS));
        let began = Instant::now();
        connection.decide(sha, &client, replicas)?;
        if start.elapsed() > WARM_UP {
            latencies.record(u64::try_from(began.elapsed().as_nanos())?)?;
        }
    }
    Ok(latencies)
}

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().collect();
    let [_, address, sha, connections, seconds, replicas] = words.as_slice() else {
        return Err("redis_wait HOST:PORT SHA CONNECTIONS SECONDS REPLICAS".into());
    };
    let (connections, span): (u64, _) = (connections.parse()?, Duration::from_secs(seconds.parse()?));
    let replicas = replicas.parse()?;
    let mut all = Histogram::<u64>::new(3)?;
    std::thread::scope(|scope| {
        let callers: Vec<_> =
            (0..connections).map(|seed| scope.spawn(move || caller(address, sha, replicas, seed, span))).collect();
        for caller in callers {
            all.add(caller.join().map_err(|_| "a caller panicked")??)?;
        }
        Ok::<_, Failure>(())
    })?;
    let micros = |quantile| Duration::from_nanos(all.value_at_quantile(quantile)).as_micros();
    let rate = u128::from(all.len()) * 1_000 / span.as_millis().max(1);
    println!("{rate} {} {} {}", micros(0.5), micros(0.99), Duration::from_nanos(all.max()).as_micros());
    Ok(())
}
