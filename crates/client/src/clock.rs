//! The one clock that a client reads, for deadlines and pauses. No decision goes by it: owners have their own time.

use tokio::time::Instant;

/// The machine's monotonic time.
pub(crate) fn now() -> Instant {
    Instant::now()
}
