//! Room for the answers that all client sessions keep together. When there is none left, sessions that keep more than the one that needs
//! some forget theirs, the largest first.
//!
//! So whoever never settles harms itself: a message of its that comes again is not answered as it was but refused as forgotten, and is
//! not decided again either. A session that settles what it has read keeps little and is left alone.
//!
//! Invariant: answers of no more checks than the room has places are kept. Nobody waits for room.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, MutexGuard, OwnedSemaphorePermit, Semaphore};

use super::window::{Verdict, Window};

/// A place for each check whose answer is kept.
pub(super) struct Room(Arc<Semaphore>);

/// A session with answers `A`.
pub(super) struct Keeper<A> {
    window: Mutex<Window<Kept<A>>>,
    /// Checks whose answers it keeps, for whoever looks for the largest one.
    checks: AtomicUsize,
}

struct Kept<A> {
    answer: A,
    _room: OwnedSemaphorePermit,
}

/// A session of which nobody else can change anything meanwhile.
pub(super) struct Turn<'a, A> {
    window: MutexGuard<'a, Window<Kept<A>>>,
    checks: &'a AtomicUsize,
}

impl Room {
    /// For the answers to so many checks.
    pub(super) fn new(checks: usize) -> Self {
        Self(Arc::new(Semaphore::new(checks)))
    }

    /// Room for the answers to `checks` more of a session that keeps those to `own` now. `None`: nobody keeps more than that one.
    pub(super) fn reserve<A>(
        &self,
        checks: usize,
        own: usize,
        all: impl FnOnce() -> Vec<Arc<Keeper<A>>>,
    ) -> Option<OwnedSemaphorePermit> {
        let places = u32::try_from(checks).ok()?;
        let take = || Arc::clone(&self.0).try_acquire_many_owned(places).ok();
        if let Some(room) = take() {
            return Some(room);
        }
        let mut larger: Vec<_> = all().into_iter().map(|keeper| (keeper.checks(), keeper)).collect();
        larger.retain(|(checks, _)| *checks > own);
        larger.sort_unstable_by_key(|(checks, _)| std::cmp::Reverse(*checks));
        larger.into_iter().find_map(|(checks, keeper)| {
            let has_forgotten = keeper.forget();
            tracing::debug!(checks, has_forgotten, "a client session that settles little has to forget its answers");
            take()
        })
    }
}

impl<A> Keeper<A> {
    /// A session of which nothing is known but that everything below this number is settled.
    pub(super) fn new(settled_below: u64) -> Self {
        Self { window: Mutex::new(Window::new(settled_below)), checks: AtomicUsize::new(0) }
    }

    /// Waits for whoever has the turn now.
    pub(super) async fn turn(&self) -> Turn<'_, A> {
        Turn { window: self.window.lock().await, checks: &self.checks }
    }

    fn checks(&self) -> usize {
        self.checks.load(Ordering::Relaxed)
    }

    /// Forgets every answer, unless somebody has the turn. Returns whether it did.
    fn forget(&self) -> bool {
        let Ok(window) = self.window.try_lock() else { return false };
        Turn { window, checks: &self.checks }.window.forget();
        true
    }
}

impl<A> Turn<'_, A> {
    /// As [`Window::look`].
    pub(super) fn look(&mut self, number: u64, settled_below: u64, checks: usize) -> Verdict<'_, A> {
        match self.window.look(number, settled_below, checks) {
            Verdict::Again(kept) => Verdict::Again(&kept.answer),
            Verdict::Decide => Verdict::Decide,
            Verdict::Forgotten => Verdict::Forgotten,
            Verdict::TooFar => Verdict::TooFar,
            Verdict::Full => Verdict::Full,
        }
    }

    /// As [`Window::remember`], in this room.
    pub(super) fn remember(&mut self, number: u64, checks: usize, answer: A, room: OwnedSemaphorePermit) {
        self.window.remember(number, checks, Kept { answer, _room: room });
    }

    /// As [`Window::oldest`].
    pub(super) fn oldest(&self) -> u64 {
        self.window.oldest()
    }

    /// Checks whose answers are kept.
    pub(super) fn checks(&self) -> usize {
        self.window.checks()
    }
}

impl<A> Drop for Turn<'_, A> {
    fn drop(&mut self) {
        self.checks.store(self.window.checks(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use drl_core::caps::{BATCH_CHECKS_MAX, CLIENT_SESSION_CHECKS_MAX, CLIENT_SESSIONS_CHECKS_MAX};

    use super::*;

    struct Node {
        room: Room,
        sessions: Vec<Arc<Keeper<u64>>>,
    }

    impl Node {
        fn new(room: usize, sessions: usize) -> Self {
            Self { room: Room::new(room), sessions: (0..sessions).map(|_| Arc::new(Keeper::new(1))).collect() }
        }

        /// A session sends a message of so many checks; whether it is decided, `None` when there is no room.
        async fn send(&self, session: usize, number: u64, settled_below: u64, checks: usize) -> Option<bool> {
            let mut turn = self.sessions[session].turn().await;
            match turn.look(number, settled_below, checks) {
                Verdict::Decide => {
                    let room = self.room.reserve(checks, turn.checks(), || self.sessions.clone())?;
                    turn.remember(number, checks, number, room);
                    Some(true)
                }
                Verdict::Again(answer) => {
                    assert_eq!(*answer, number);
                    Some(false)
                }
                Verdict::Forgotten => Some(false),
                Verdict::Full | Verdict::TooFar => None,
            }
        }
    }

    #[tokio::test]
    async fn sessions_that_settle_nothing_fill_the_room_and_the_others_do_not_notice() {
        let greedy = CLIENT_SESSIONS_CHECKS_MAX / CLIENT_SESSION_CHECKS_MAX;
        let node = Node::new(CLIENT_SESSIONS_CHECKS_MAX, greedy + 2);
        let messages = (CLIENT_SESSION_CHECKS_MAX / BATCH_CHECKS_MAX) as u64;
        for session in 0..greedy {
            for number in 1..=messages {
                assert_eq!(node.send(session, number, 1, BATCH_CHECKS_MAX).await, Some(true));
            }
        }
        for number in 1..1_000 {
            for honest in [greedy, greedy + 1] {
                assert_eq!(node.send(honest, number, number, BATCH_CHECKS_MAX).await, Some(true), "{number}");
                assert_eq!(node.send(honest, number, number, BATCH_CHECKS_MAX).await, Some(false), "it is remembered");
            }
        }
        let forgot = futures_util::future::join_all(node.sessions.iter().map(|session| session.turn())).await;
        assert_eq!(forgot.iter().filter(|turn| turn.checks() == 0).count(), 1, "one made room for all");
    }

    #[tokio::test]
    async fn the_largest_gives_way_and_what_it_forgot_is_not_decided_again() {
        let node = Node::new(10, 3);
        for (session, number, checks) in [(0, 1, 3), (0, 2, 3), (1, 1, 4)] {
            assert_eq!(node.send(session, number, 1, checks).await, Some(true));
        }
        assert_eq!(node.send(2, 1, 1, 1).await, Some(true));
        assert_eq!(node.send(0, 2, 1, 3).await, Some(false));
        let mut first = node.sessions[0].turn().await;
        assert_eq!(first.look(2, 1, 3), Verdict::Forgotten);
        assert_eq!(node.sessions[1].turn().await.look(1, 1, 4), Verdict::Again(&1));
    }

    #[tokio::test]
    async fn whoever_keeps_the_most_takes_room_from_nobody() {
        let node = Node::new(10, 2);
        assert_eq!(node.send(0, 1, 1, 6).await, Some(true));
        assert_eq!(node.send(1, 1, 1, 4).await, Some(true));
        assert_eq!(node.send(0, 2, 1, 1).await, None);
        assert_eq!(node.send(0, 2, 2, 1).await, Some(true), "it has settled");
        assert_eq!(node.send(1, 1, 1, 4).await, Some(false));
    }
}
