//! Checks through the routing client, counted: what owners granted, what nobody could say, how long each took. Chance comes from a
//! seed, so that a run that failed can be had again.

use std::time::Duration;

use anyhow::{Result, ensure};
use drl_client::{CheckRequest, Decision, RateLimiter, Reason};

use crate::cluster::{SOON, Since};

/// What was said about one client.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Admissions by the owner: reason `within-limit`.
    pub granted: u64,
    /// Denials by the owner.
    pub denied: u64,
    /// Answers that nobody decided: each may have been charged once.
    pub unknown: u64,
    pub slowest: Duration,
}

impl Account {
    /// Notes a decision and how long it took.
    pub fn note(&mut self, decision: &Decision, took: Duration) {
        self.slowest = self.slowest.max(took);
        match decision.reason {
            Reason::WithinLimit => self.granted += 1,
            Reason::Unavailable | Reason::LocalEstimate => self.unknown += 1,
            _ => self.denied += 1,
        }
    }

    /// Adds another account of the same client.
    pub fn add(&mut self, other: &Self) {
        self.granted += other.granted;
        self.denied += other.denied;
        self.unknown += other.unknown;
        self.slowest = self.slowest.max(other.slowest);
    }

    /// Whether what the owner counts as used is what was granted, plus at most what nobody could say.
    ///
    /// # Errors
    /// It is not; the error has the figures.
    pub fn adds_up(&self, used: u64, limit: u64) -> Result<()> {
        self.adds_up_but_for(0, used, limit)
    }

    /// As [`Account::adds_up`], after so many checks that may have been asked again of a new owner: each may count twice.
    ///
    /// # Errors
    /// It does not; the error has the figures.
    pub fn adds_up_but_for(&self, twice: u64, used: u64, limit: u64) -> Result<()> {
        ensure!(self.granted <= limit, "over the limit of {limit}: {self:?}");
        let possible = self.granted..=self.granted + self.unknown + twice;
        ensure!(possible.contains(&used), "{used} used of {limit}, which does not add up: {self:?}");
        Ok(())
    }
}

/// What a client has used of a limit.
///
/// # Errors
/// Its owner does not say within [`SOON`].
pub async fn used(limiter: &RateLimiter, client: &str) -> Result<u64> {
    let peeked = limiter.within(SOON).strict().peek(CheckRequest::new(client.as_bytes())?).await?;
    Ok(peeked.limit - peeked.remaining)
}

/// Waits until the owner of each client goes by this limit.
///
/// # Errors
/// Not within [`SOON`].
pub async fn in_force(limiter: &RateLimiter, clients: &[String], limit: u64) -> Result<()> {
    let limiter = limiter.within(SOON).strict();
    let since = Since::now();
    for client in clients {
        let request = CheckRequest::new(client.as_bytes())?;
        while limiter.peek(request).await?.limit != limit {
            ensure!(since.elapsed() < SOON, "the limit of {client} is not in force");
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

/// Numbers that look like chance (`SplitMix64`, Steele et al. 2014), the same ones for the same seed.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    #[must_use]
    pub const fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// Below `end`, which is not zero.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}
