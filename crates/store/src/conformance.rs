//! What every [`Store`] must do, as claims that are run against each implementation. A claim returns what it found broken
//! instead of panicking, so that this may live beside the trait.
//!
//! A new implementation gives a [`Subject`] and runs [`CLAIMS`], each on a new, empty one.

mod checkpoints;
mod doubts;
mod journal;
mod pages;
mod records;

use std::collections::BTreeMap;

use drl_core::{CommitNo, ShardId};

use crate::{Corrupt, Crash, Damage, PageId, RecoverError, Recovered, Recovery, Store, WriteError};

/// An implementation under test.
pub trait Subject {
    /// The store of the present process.
    fn store(&self) -> &dyn Store;

    /// Ends the process, lets damage happen and starts the next one, which has not recovered yet.
    ///
    /// # Errors
    /// When the store cannot be opened again.
    fn restart(&mut self, crash: Crash, damage: &[Damage]) -> Result<(), Broken>;
}

/// What an implementation did not keep.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Broken {
    pub what: String,
}

/// A claim, with its name.
pub struct Claim {
    pub name: &'static str,
    pub run: fn(&mut dyn Subject) -> Result<(), Broken>,
}

/// Every claim.
pub const CLAIMS: &[&[Claim]] = &[journal::CLAIMS, pages::CLAIMS, checkpoints::CLAIMS, records::CLAIMS, doubts::CLAIMS];

macro_rules! claims {
    ($($name:ident),+ $(,)?) => {
        pub(super) const CLAIMS: &[super::Claim] = &[$(super::Claim { name: stringify!($name), run: $name }),+];
    };
}

macro_rules! ensure_eq {
    ($found:expr, $expected:expr) => {{
        let (found, expected) = (&$found, &$expected);
        if found != expected {
            return Err(super::broken(format!(
                "line {}: {} is {found:?}, expected {expected:?}",
                line!(),
                stringify!($found)
            )));
        }
    }};
}

use claims;
use ensure_eq;

/// Everything that a recovery handed over.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    pages: BTreeMap<PageId, Vec<u8>>,
    frames: Vec<(u64, Vec<u8>)>,
    /// Refuse this frame as making no sense.
    refused: Option<CommitNo>,
}

impl Recovery for Seen {
    fn page(&mut self, page: PageId, payload: &[u8]) -> Result<(), Corrupt> {
        self.pages.insert(page, payload.to_vec());
        Ok(())
    }

    fn frame(&mut self, commit: CommitNo, payload: &[u8]) -> Result<(), Corrupt> {
        if self.refused == Some(commit) {
            return Err(Corrupt { reason: "it makes no sense".to_owned() });
        }
        self.frames.push((commit.0, payload.to_vec()));
        Ok(())
    }
}

impl Seen {
    fn commits(&self) -> Vec<u64> {
        self.frames.iter().map(|(commit, _)| *commit).collect()
    }
}

fn recover(subject: &dyn Subject) -> Result<(Recovered, Seen), Broken> {
    let mut seen = Seen::default();
    let recovered = subject.store().recover(&mut seen)?;
    Ok((recovered, seen))
}

/// Appends frames `first` to `last`, each with its number as payload.
fn append(subject: &dyn Subject, first: u64, last: u64, sync: crate::CommitSync) -> Result<(), Broken> {
    for commit in first..=last {
        subject.store().append(CommitNo(commit), &frame(commit), sync)?;
    }
    Ok(())
}

fn frame(commit: u64) -> Vec<u8> {
    format!("frame {commit}").into_bytes()
}

const fn page(shard: u16, bucket: u8) -> PageId {
    PageId { shard: ShardId::new(shard), bucket }
}

fn broken(what: String) -> Broken {
    Broken { what }
}

impl From<WriteError> for Broken {
    fn from(error: WriteError) -> Self {
        broken(error.to_string())
    }
}

impl From<RecoverError> for Broken {
    fn from(error: RecoverError) -> Self {
        broken(error.to_string())
    }
}
