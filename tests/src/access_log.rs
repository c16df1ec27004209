//! A made-up access log: combined format, a few heavy clients and many light ones, almost in order of time. The same seed gives
//! the same log.

use std::fmt::Write;

/// One request of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub client: String,
    /// Seconds since the log's first day began.
    pub second: u64,
}

/// A sequence of numbers that depends on its seed only (`SplitMix64`, Steele et al. 2014).
pub struct Numbers(pub u64);

impl Numbers {
    /// The next number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % bound
    }
}

/// `count` requests over about three days of `clients` clients; a request may stand a few lines late.
#[must_use]
pub fn requests(seed: u64, count: usize, clients: u64) -> Vec<Request> {
    let mut numbers = Numbers(seed);
    let mut second = 0;
    (0..count)
        .map(|_| {
            second += numbers.below(50);
            // The square of a uniform number favours small ones: client 0 is the busiest.
            let drawn = numbers.below(clients) * numbers.below(clients) / clients;
            let client = format!("10.{}.{}.{}", drawn >> 16, drawn >> 8 & 0xff, drawn & 0xff);
            Request { client, second: second.saturating_sub(numbers.below(5)) }
        })
        .collect()
}

/// The log as text, one line a request.
#[must_use]
pub fn combined(requests: &[Request]) -> String {
    let mut log = String::new();
    for Request { client, second } in requests {
        let (day, rest) = (1 + second / 86_400, second % 86_400);
        let clock = format!("{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60);
        // Writing to a string cannot fail.
        let _ = writeln!(
            log,
            r#"{client} - - [{day:02}/Mar/2024:{clock} +0000] "GET /index.html HTTP/1.1" 200 512 "-" "test/1.0""#
        );
    }
    log
}
