//! Places for connections, shared by all doors: together they never hold more files than the process may have open beside its database.
//!
//! ```text
//!   all places  =  shared by whoever comes first  +  a few that each door keeps for itself
//! ```
//!
//! Invariant: however many idle clients one door has, another one still has the places that it keeps, so that a node that is full still
//! answers who asks for its health.

use std::sync::Arc;

use drl_core::caps::CONNECTIONS_MAX;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places that each door keeps: a load balancer, a scraper and a person with `drl` fit several times.
const KEPT: usize = 16;

/// The places of one door.
#[derive(Debug)]
pub(crate) struct Places {
    /// The cap of one door.
    door: Arc<Semaphore>,
    kept: Arc<Semaphore>,
    shared: Arc<Semaphore>,
}

/// One place; dropping it makes room for another connection.
#[derive(Debug)]
pub(crate) struct Permit {
    _door: OwnedSemaphorePermit,
    _files: OwnedSemaphorePermit,
}

impl Places {
    /// `connections` places for `DOORS` doors.
    pub(crate) fn among<const DOORS: usize>(connections: usize) -> [Self; DOORS] {
        let kept = KEPT.min(connections / DOORS.max(1));
        let shared = Arc::new(Semaphore::new(connections.saturating_sub(kept * DOORS)));
        std::array::from_fn(|_| Self {
            door: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            kept: Arc::new(Semaphore::new(kept)),
            shared: Arc::clone(&shared),
        })
    }

    /// A place, if there is one.
    pub(crate) fn take(&self) -> Option<Permit> {
        let door = Arc::clone(&self.door).try_acquire_owned().ok()?;
        let shared = Arc::clone(&self.shared).try_acquire_owned();
        let files = shared.or_else(|_| Arc::clone(&self.kept).try_acquire_owned()).ok()?;
        Some(Permit { _door: door, _files: files })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_doors_together_hold_no_more_than_there_is_and_each_keeps_some() {
        let [first, second, third] = Places::among::<3>(100);
        let taken: Vec<_> = std::iter::from_fn(|| first.take()).collect();
        assert_eq!(taken.len(), 100 - 2 * KEPT);
        let others = [&second, &third].map(|door| std::iter::from_fn(|| door.take()).collect::<Vec<_>>());
        assert!(others.iter().all(|taken| taken.len() == KEPT));
        drop(taken);
        assert!(second.take().is_some());
    }

    #[test]
    fn one_door_holds_no_more_than_its_cap() {
        let [door] = Places::among::<1>(CONNECTIONS_MAX + 10);
        assert_eq!(std::iter::from_fn(|| door.take()).collect::<Vec<_>>().len(), CONNECTIONS_MAX);
    }

    #[test]
    fn few_places_are_divided() {
        let doors = Places::among::<3>(7);
        let taken: Vec<_> =
            doors.iter().flat_map(|door| std::iter::from_fn(|| door.take()).collect::<Vec<_>>()).collect();
        assert_eq!(taken.len(), 7);
    }
}
