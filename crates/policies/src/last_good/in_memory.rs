//! Records in memory: for tests, and for clusters inside one process. It outlives whoever uses it, and fails on demand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{LastGood, LastGoodError, LastGoodRecord};

#[derive(Debug, Default)]
pub struct InMemoryLastGood {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    failures: VecDeque<String>,
    saves: u64,
}

impl InMemoryLastGood {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next call fail. Several wait for their turn.
    pub fn fail_next(&self, reason: &str) {
        self.state().failures.push_back(reason.to_owned());
    }

    /// How many saves there were that did not fail.
    #[must_use]
    pub fn saves(&self) -> u64 {
        self.state().saves
    }

    /// A panic of another thread leaves the records whole: every change of them is made by code that does not panic midway.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fail(&mut self) -> Result<(), LastGoodError> {
        self.failures.pop_front().map_or(Ok(()), |reason| Err(LastGoodError { reason }))
    }
}

impl LastGood for InMemoryLastGood {
    fn load(&self) -> Result<Vec<LastGoodRecord>, LastGoodError> {
        let mut state = self.state();
        state.fail()?;
        Ok(state.records.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn save(&self, changes: &[(Vec<u8>, Option<Vec<u8>>)]) -> Result<(), LastGoodError> {
        let mut state = self.state();
        state.fail()?;
        for (key, value) in changes {
            match value {
                Some(value) => state.records.insert(key.clone(), value.clone()),
                None => state.records.remove(key),
            };
        }
        state.saves = state.saves.saturating_add(1);
        Ok(())
    }
}
