//! Which client sessions there are, and when each is forgotten: some time after its last stream, or sooner to make room.
//!
//! Invariant: a session with a stream is never forgotten. Whoever comes when all places are taken by such ones is turned away; a client
//! whose session was forgotten would have its messages decided again.

use std::collections::{BTreeMap, BTreeSet};

use drl_core::Nanos;
use drl_core::caps::CLIENT_SESSION_IDLE_SECS_MAX;

/// What a client drew for itself and this node.
pub(super) type SessionId = [u8; 16];

/// Sessions `S` by id; at most as many as there are places.
#[derive(Debug)]
pub(super) struct Roll<S> {
    sessions: BTreeMap<SessionId, Entry<S>>,
    /// Those without a stream, and since when.
    idle: BTreeSet<(Nanos, SessionId)>,
    places: usize,
}

#[derive(Debug)]
struct Entry<S> {
    session: S,
    streams: usize,
    idle_since: Nanos,
}

/// All places are taken by sessions that have a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoPlace;

impl<S: Clone> Roll<S> {
    pub(super) const fn new(places: usize) -> Self {
        Self { sessions: BTreeMap::new(), idle: BTreeSet::new(), places }
    }

    /// A stream of a session begins; a session that is not known is made.
    ///
    /// # Errors
    /// [`NoPlace`].
    pub(super) fn begin(&mut self, id: SessionId, now: Nanos, make: impl FnOnce() -> S) -> Result<S, NoPlace> {
        self.forget_old(now);
        if let Some(entry) = self.sessions.get_mut(&id) {
            if entry.streams == 0 {
                self.idle.remove(&(entry.idle_since, id));
            }
            entry.streams += 1;
            return Ok(entry.session.clone());
        }
        if self.sessions.len() >= self.places {
            let (_, oldest) = self.idle.pop_first().ok_or(NoPlace)?;
            self.sessions.remove(&oldest);
        }
        let session = make();
        self.sessions.insert(id, Entry { session: session.clone(), streams: 1, idle_since: now });
        Ok(session)
    }

    /// A stream of a session has ended.
    pub(super) fn end(&mut self, id: SessionId, now: Nanos) {
        let Some(entry) = self.sessions.get_mut(&id) else { return };
        entry.streams = entry.streams.saturating_sub(1);
        if entry.streams == 0 {
            entry.idle_since = now;
            self.idle.insert((now, id));
        }
    }

    /// All that are known.
    pub(super) fn sessions(&self) -> impl Iterator<Item = &S> {
        self.sessions.values().map(|entry| &entry.session)
    }

    /// Forgets the sessions whose last stream ended long ago.
    pub(super) fn forget_old(&mut self, now: Nanos) {
        let kept_for = Nanos::from_secs(CLIENT_SESSION_IDLE_SECS_MAX);
        while let Some((since, id)) = self.idle.first().copied() {
            if now.0.saturating_sub(since.0) < kept_for.0 {
                return;
            }
            self.idle.pop_first();
            self.sessions.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AGE: Nanos = Nanos::from_secs(CLIENT_SESSION_IDLE_SECS_MAX);

    fn id(number: u8) -> SessionId {
        [number; 16]
    }

    /// Every session that ever was, with its streams and the end of the last one.
    #[derive(Debug, Clone, Copy)]
    struct Known {
        id: u8,
        made: usize,
        streams: usize,
        idle_since: Nanos,
    }

    proptest! {
        #[test]
        fn a_session_is_forgotten_neither_early_nor_late(
            steps in prop::collection::vec((0_u8..6, any::<bool>(), 0_u64..20), 0..200),
        ) {
            const PLACES: usize = 3;
            let (mut roll, mut model, mut now) = (Roll::new(PLACES), Vec::<Known>::new(), Nanos::ZERO);
            for (made, (number, begins, seconds)) in steps.into_iter().enumerate() {
                now = Nanos(now.0 + Nanos::from_secs(seconds).0);
                model.retain(|known| known.streams > 0 || now.0 - known.idle_since.0 < AGE.0);
                if !begins {
                    if let Some(known) = model.iter_mut().find(|known| known.id == number && known.streams > 0) {
                        known.streams -= 1;
                        known.idle_since = now;
                        roll.end(id(number), now);
                    }
                    continue;
                }
                let begun = roll.begin(id(number), now, || made);
                if let Some(known) = model.iter_mut().find(|known| known.id == number) {
                    known.streams += 1;
                    prop_assert_eq!(begun, Ok(known.made), "it is the same session");
                    continue;
                }
                if model.len() == PLACES {
                    let idle = model.iter().filter(|known| known.streams == 0);
                    let Some(oldest) = idle.min_by_key(|known| (known.idle_since, known.id)).map(|known| known.id) else {
                        prop_assert_eq!(begun, Err(NoPlace));
                        continue;
                    };
                    model.retain(|known| known.id != oldest);
                }
                model.push(Known { id: number, made, streams: 1, idle_since: now });
                prop_assert_eq!(begun, Ok(made), "it is another session");
                prop_assert_eq!(roll.sessions.len(), model.len());
            }
        }
    }

    #[test]
    fn a_session_outlives_its_last_stream_by_exactly_its_age() {
        let mut roll = Roll::new(2);
        assert_eq!(roll.begin(id(1), Nanos(5), || 'a'), Ok('a'));
        roll.end(id(1), Nanos(5));
        roll.forget_old(Nanos(5 + AGE.0 - 1));
        assert_eq!(roll.begin(id(1), Nanos(5 + AGE.0 - 1), || 'b'), Ok('a'));
        roll.forget_old(Nanos::MAX);
        assert_eq!(roll.begin(id(1), Nanos::MAX, || 'b'), Ok('a'), "it has a stream");
    }
}
