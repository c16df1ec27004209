//! The thread that says when the calls of an open loop are due. A timer of the runtime rounds up to a millisecond, which would be most of
//! the latency of a check; a thread that parks is late by the kernel's 50 us.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::turns::{Clock, Turns};

/// Waking up more often would take a core by itself; what becomes due meanwhile is released together.
const PARK_MIN: Duration = Duration::from_micros(50);

/// So that an end is noticed.
const PARK_MAX: Duration = Duration::from_millis(20);

/// Releases what is due until all is, or until the turns end. A closed loop needs none.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn start(turns: &Arc<Turns>, clock: Clock) -> std::io::Result<Option<JoinHandle<()>>> {
    if matches!(**turns, Turns::Closed(_)) {
        return Ok(None);
    }
    let turns = Arc::clone(turns);
    thread::Builder::new().name("pacer".to_owned()).spawn(move || pace(&turns, clock)).map(Some)
}

fn pace(turns: &Turns, clock: Clock) {
    let Turns::Open(open) = turns else { return };
    while let Some(due) = open.release(clock()) {
        let wait = Duration::from_nanos(due.0.saturating_sub(clock().0));
        thread::park_timeout(wait.clamp(PARK_MIN, PARK_MAX));
    }
}
