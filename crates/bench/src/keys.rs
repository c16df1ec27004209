//! Which client each check is of: a distribution over clients 1 to N, drawn from a seed. The same seed and the same worker give the
//! same clients in the same order on every machine.

mod numbers;

use std::str::FromStr;

use drl_core::caps::BENCH_CLIENTS_MAX;
use rand_distr::{Distribution as _, Zipf};

use numbers::Numbers;

/// The exponent of `zipf` when none is said: traffic of caches and APIs is usually found near it.
const ZIPF_EXPONENT: f64 = 0.99;

/// Beyond this exponent nearly every check is of client 1, which is `hot`.
const ZIPF_EXPONENT_MAX: f64 = 10.0;

/// How checks are spread over the clients.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Keys {
    /// Each client as often as any other.
    #[default]
    Uniform,
    /// Client k as often as 1 / k^exponent says.
    Zipf { exponent: f64 },
    /// Client 1 only.
    Hot,
}

/// A distribution that is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("keys {sent:?} are not known; use uniform, hot, zipf, or zipf:S with an exponent of 0 to {ZIPF_EXPONENT_MAX}")]
pub struct InvalidKeys {
    pub sent: String,
}

/// A number of clients that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sent} clients; use 1 to {BENCH_CLIENTS_MAX}")]
pub struct InvalidClients {
    pub sent: u64,
}

impl FromStr for Keys {
    type Err = InvalidKeys;

    fn from_str(sent: &str) -> Result<Self, InvalidKeys> {
        let invalid = || InvalidKeys { sent: sent.chars().take(64).collect() };
        match sent.split_once(':') {
            None if sent == "uniform" => Ok(Self::Uniform),
            None if sent == "hot" => Ok(Self::Hot),
            None if sent == "zipf" => Ok(Self::Zipf { exponent: ZIPF_EXPONENT }),
            Some(("zipf", digits)) => match digits.parse() {
                Ok(exponent) if (0.0..=ZIPF_EXPONENT_MAX).contains(&exponent) => Ok(Self::Zipf { exponent }),
                _ => Err(invalid()),
            },
            _ => Err(invalid()),
        }
    }
}

impl std::fmt::Display for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Zipf { exponent } => write!(f, "zipf:{exponent}"),
            Self::Hot => f.write_str("hot"),
        }
    }
}

/// What one worker draws its clients from.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    numbers: Numbers,
    drawn: Drawn,
}

#[derive(Debug, Clone)]
enum Drawn {
    Uniform { clients: u64 },
    Zipf(Zipf<f64>),
    Hot,
}

impl Clients {
    /// Those of worker `worker`, 0 and on.
    ///
    /// # Errors
    /// [`InvalidClients`].
    pub(crate) fn new(keys: Keys, clients: u64, seed: u64, worker: u64) -> Result<Self, InvalidClients> {
        let invalid = InvalidClients { sent: clients };
        if !(1..=BENCH_CLIENTS_MAX).contains(&clients) {
            return Err(invalid);
        }
        let drawn = match keys {
            Keys::Uniform => Drawn::Uniform { clients },
            #[expect(clippy::cast_precision_loss, reason = "below 2^53, where f64 is exact")]
            Keys::Zipf { exponent } => Drawn::Zipf(Zipf::new(clients as f64, exponent).map_err(|_| invalid)?),
            Keys::Hot => Drawn::Hot,
        };
        Ok(Self { numbers: Numbers::new(seed, worker), drawn })
    }

    /// The next client, 1 to N.
    pub(crate) fn next(&mut self) -> u64 {
        match &self.drawn {
            Drawn::Uniform { clients } => 1 + self.numbers.below(*clients),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank, 1 to N")]
            Drawn::Zipf(zipf) => zipf.sample(&mut self.numbers) as u64,
            Drawn::Hot => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u32 = 200_000;

    /// How often each of `clients` came.
    fn drawn(keys: Keys, clients: u32) -> Vec<u32> {
        let mut source = Clients::new(keys, u64::from(clients), 7, 0).unwrap();
        let mut counts = vec![0; clients as usize + 1];
        for _ in 0..DRAWS {
            counts[usize::try_from(source.next()).unwrap()] += 1;
        }
        assert_eq!(counts.remove(0), 0, "clients are numbered from 1");
        counts
    }

    #[test]
    fn uniform_keys_come_equally_often() {
        let counts = drawn(Keys::Uniform, 100);
        // 2,000 each; six standard deviations are 267.
        assert!(counts.iter().all(|count| (1_733..=2_267).contains(count)), "{counts:?}");
    }

    #[test]
    fn zipf_keys_fall_off_as_their_exponent_says() {
        for exponent in [0.5, 0.99, 1.5] {
            let counts = drawn(Keys::Zipf { exponent }, 1_000);
            for rank in [2, 10] {
                let found = f64::from(counts[0]) / f64::from(counts[rank - 1]);
                let expected = f64::from(u32::try_from(rank).unwrap()).powf(exponent);
                assert!((found / expected - 1.0).abs() < 0.2, "{exponent} {rank}: {found} is not {expected}");
            }
            assert!(counts[999] < counts[0] / 10, "{exponent}");
        }
        let flat = drawn(Keys::Zipf { exponent: 0.0 }, 100);
        assert!(flat.iter().all(|count| (1_733..=2_267).contains(count)), "{flat:?}");
    }

    #[test]
    fn the_hot_key_is_one_client() {
        assert_eq!(drawn(Keys::Hot, 100)[0], DRAWS);
    }

    #[test]
    fn the_last_of_a_million_clients_can_come_and_no_other_beyond_it() {
        for keys in [Keys::Uniform, Keys::Zipf { exponent: 0.5 }] {
            let mut source = Clients::new(keys, 1_000_000, 1, 0).unwrap();
            let last = (0..DRAWS).map(|_| source.next()).max().unwrap();
            assert!((990_000..=1_000_000).contains(&last), "{keys}: {last}");
        }
    }

    #[test]
    fn a_seed_and_a_worker_say_which_clients_come() {
        let first = |seed, worker| {
            let mut source = Clients::new(Keys::default(), 1_000_000, seed, worker).unwrap();
            [source.next(), source.next(), source.next()]
        };
        assert_eq!(first(1, 0), first(1, 0));
        assert_ne!(first(1, 0), first(2, 0));
        assert_ne!(first(1, 0), first(1, 1));
        // Frozen: figures of different days are about the same clients.
        assert_eq!(first(1, 0), [749_749, 372_394, 438_284]);
    }

    #[test]
    fn keys_are_what_they_are_called_and_nothing_else() {
        for name in ["uniform", "hot", "zipf:0.99", "zipf:1.5", "zipf:0"] {
            assert_eq!(name.parse::<Keys>().unwrap().to_string(), name);
        }
        assert_eq!("zipf".parse::<Keys>().unwrap().to_string(), "zipf:0.99");
        for bad in ["", "Zipf", "zipf:", "zipf:-1", "zipf:11", "zipf:NaN", "hot:2"] {
            assert_eq!(bad.parse::<Keys>(), Err(InvalidKeys { sent: bad.to_owned() }));
        }
        for bad in [0, BENCH_CLIENTS_MAX + 1] {
            assert_eq!(Clients::new(Keys::Hot, bad, 1, 0).unwrap_err(), InvalidClients { sent: bad });
        }
    }
}
