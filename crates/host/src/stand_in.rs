//! A stand-in for the committer: a task of the front doors that writes a small frame itself. A caller who is alone then waits for no
//! other thread; the two hops, to the committer and back, take longer than the write.
//!
//! Only on a node that stands alone: a slow write holds a door up, and a member whose doors are held up is deaf to the others.
//!
//! The rule is [`is_quick`]. The stand-in waits its turn before it looks, so that everything that has arrived at the door by then is
//! decided and shares the frame: group commit goes on, with whoever is there as the group.
//!
//! Invariant: one writes at a time and seals what it writes ([`Committer`] under the lock says who), so frames are in order. A stand-in
//! that never comes, because its runtime ended or the host closes, is not waited for, and one that is held up for 50 ms at most.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use drl_store::CommitSync;

use crate::committer;
use crate::inner::{Committer, Inner, Phase, State};

/// The largest frame that a door writes: one check of each of a hundred connections. More is worth a thread of its own.
const ROWS_MAX: usize = 128;

/// A journal whose last write took longer is left to the committer, which also finds out when it is quick again: a slow disk must not
/// keep a door from denials and from other nodes.
const QUICK: Duration = Duration::from_micros(100);

/// Whether a stand-in sees to the open frame. Asks one to come when the committer waits.
pub(crate) fn comes(inner: &Arc<Inner>, state: &mut State) -> bool {
    let Some(doors) = inner.options.doors.as_ref().filter(|_| is_quick(inner, state)) else { return false };
    if state.committer == Committer::Idle {
        state.committer = Committer::Expected;
        let duty = Duty { inner: Arc::clone(inner), is_done: false };
        doors.spawn(async move {
            tokio::task::yield_now().await;
            duty.perform();
        });
    }
    true
}

/// A stand-in that is still expected is not waited for any longer: doors may be held up.
pub(crate) fn has_had_time(inner: &Inner) {
    if inner.lock().is_ok_and(|state| state.committer == Committer::Expected) {
        inner.work.notify_one();
    }
}

/// Whether writing the open frame keeps a door for no longer than a few answers do: it is small, needs no fsync, and the journal was
/// not slow just now.
fn is_quick(inner: &Inner, state: &State) -> bool {
    let last_write = Duration::from_nanos(inner.counts.commit_nanos.load(Ordering::Relaxed));
    state.ledger.open_rows() <= ROWS_MAX
        && last_write <= QUICK
        && committer::sync(inner, state.ledger.open_is_backed()) == CommitSync::Later
}

/// Looking at the open frame. Dropped undone, with its runtime, it leaves that to the committer.
struct Duty {
    inner: Arc<Inner>,
    is_done: bool,
}

impl Duty {
    fn perform(mut self) {
        self.is_done = true;
        write(&self.inner);
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        if !self.is_done {
            // Without the lock, which is held by who asks for a stand-in. The bell is heard: while one is expected the committer waits.
            self.inner.work.notify_one();
        }
    }
}

fn write(inner: &Arc<Inner>) {
    let Ok(mut state) = inner.lock() else { return };
    if state.committer != Committer::Expected {
        return;
    }
    // It may have grown.
    if !is_quick(inner, &state) {
        return inner.work.notify_one();
    }
    let mut frame = std::mem::take(&mut state.sheet);
    let Some(sealed) = committer::seal(inner, &mut state, &mut frame) else {
        state.committer = Committer::Idle;
        return;
    };
    state.committer = Committer::StoodIn;
    drop(state);
    let _pen = Pen(inner);
    inner.progress.take();
    if let Err(failed) = committer::commit(inner, &sealed, &frame) {
        return inner.stop(&failed.to_string());
    }
    if let Ok(mut state) = inner.lock() {
        state.sheet = frame;
        committer::answer(inner, &mut state, sealed.commit);
    }
}

/// The right to write. However its holder ends, the committer has it back.
struct Pen<'a>(&'a Inner);

impl Drop for Pen<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop("a thread panicked while it wrote the journal; please report this with the log");
        }
        if let Ok(mut state) = self.0.lock() {
            state.committer = Committer::Idle;
            if !state.ledger.is_clean() || state.phase == Phase::Closing {
                self.0.work.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests;
