//! Numbered checks: a message that is sent again under the same client session and number is answered as it was, never decided again.
//!
//! ```text
//!   stream --> Attendance --> the session's Window --> not heard of: decide, remember the answer to come
//!                                                 `--> heard of: the same answer, also while it waits for the journal
//! ```
//!
//! * `window.rs` is the rule for numbers, `roll.rs` the one for sessions, `room.rs` the one for what they keep; none waits for anything
//!
//! Invariants: an answer is complete however many streams wait for it, and also when the stream that brought the message has died. What all
//! sessions keep together is bounded, and whoever keeps the most gives way.

mod roll;
mod room;
mod window;

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use drl_core::Nanos;
use drl_core::caps::{CLIENT_SESSION_NUMBERS_MAX, CLIENT_SESSIONS_CHECKS_MAX, CLIENT_SESSIONS_MAX};
use drl_host::clock;
use drl_proto::v1;
use futures_util::FutureExt;
use futures_util::future::Shared;
use tonic::Status;

use super::check_stream::routing;
use super::columns;
use super::status::invalid;
use crate::judge::Judge;
use crate::judge::answers::Answers;
use roll::{Roll, SessionId};
use room::Room;
use window::Verdict;

/// The answers to a message, once they may leave. Whoever waits drives it; dropping one loses nothing for the others.
pub(super) type Settled = Shared<Pin<Box<dyn Future<Output = Arc<Answers>> + Send>>>;

/// The client sessions of a node.
pub(super) struct Sessions {
    roll: Mutex<Roll<Arc<Session>>>,
    room: Room,
}

type Session = room::Keeper<Settled>;

/// A stream's part in its session, which lives on for a while after its last stream.
pub(super) struct Attendance {
    sessions: Arc<Sessions>,
    id: SessionId,
    session: Arc<Session>,
}

impl Sessions {
    pub(super) fn new() -> Self {
        Self { roll: Mutex::new(Roll::new(CLIENT_SESSIONS_MAX)), room: Room::new(CLIENT_SESSIONS_CHECKS_MAX) }
    }

    /// A stream begins whose first message is this one.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when its session is none, `RESOURCE_EXHAUSTED` when there is no place for another one.
    pub(super) fn attend(self: &Arc<Self>, first: &v1::CheckStreamRequest) -> Result<Attendance, Status> {
        let id = SessionId::try_from(&*first.session)
            .map_err(|_| invalid(format!("a session has 16 bytes, this one {}", first.session.len())))?;
        let session = || Arc::new(Session::new(first.settled_below));
        let begun = self.roll.lock().unwrap_or_else(PoisonError::into_inner).begin(id, clock::monotonic(), session);
        let session = begun.map_err(|roll::NoPlace| {
            Status::resource_exhausted(format!("the node has {CLIENT_SESSIONS_MAX} sessions; try again later"))
        })?;
        Ok(Attendance { sessions: Arc::clone(self), id, session })
    }

    /// Forgets sessions whose last stream ended long ago.
    pub(super) fn forget_old(&self, now: Nanos) {
        self.roll.lock().unwrap_or_else(PoisonError::into_inner).forget_old(now);
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        let mut roll = self.sessions.roll.lock().unwrap_or_else(PoisonError::into_inner);
        roll.end(self.id, clock::monotonic());
    }
}

impl Attendance {
    /// Whether a later message of the stream belongs to the session; only the first one has to name it.
    pub(super) fn includes(&self, message: &v1::CheckStreamRequest) -> bool {
        message.session.is_empty() || *message.session == self.id
    }

    /// Decides a message, or finds what was decided when it came before.
    ///
    /// # Errors
    /// Nothing was decided now: `ABORTED` when it may have been earlier and nobody remembers, `INVALID_ARGUMENT` when its number or its
    /// checks are wrong, `RESOURCE_EXHAUSTED` when too many answers are kept.
    pub(super) async fn decide(&self, judge: &Arc<Judge>, message: &v1::CheckStreamRequest) -> Result<Settled, Status> {
        // A message without checks is remembered too.
        let (number, checks) = (message.number, message.id_lengths.len().max(1));
        // Held while a message is decided, which waits only when the open frame is full: who asks for the same number meanwhile waits
        // for this decision instead of making another.
        let mut window = self.session.turn().await;
        match window.look(number, message.settled_below, checks) {
            Verdict::Decide => {}
            Verdict::Again(settled) => return Ok(settled.clone()),
            Verdict::Full => return Err(full()),
            Verdict::Forgotten => {
                let oldest = window.oldest();
                return Err(Status::aborted(format!(
                    "{number} is below {oldest}, where the session begins; it may have been decided"
                )));
            }
            Verdict::TooFar => {
                let oldest = window.oldest();
                return Err(invalid(format!(
                    "{number} is {CLIENT_SESSION_NUMBERS_MAX} or more above {oldest}, the oldest number that is not settled"
                )));
            }
        }
        let asks = columns::asks(message)?;
        let others = || self.sessions.roll.lock().unwrap_or_else(PoisonError::into_inner).sessions().cloned().collect();
        let room = self.sessions.room.reserve(checks, window.checks(), others).ok_or_else(full)?;
        let mut answers = Answers::default();
        // From here to `remember` nothing is waited for once it is decided: whoever drops this future has decided nothing.
        let pending = judge.decide(&asks, routing(message), &mut answers).await;
        let judge = Arc::clone(judge);
        let settled = async move {
            judge.settle(pending, &mut answers).await;
            Arc::new(answers)
        };
        let settled = settled.boxed().shared();
        window.remember(number, checks, settled.clone(), room);
        Ok(settled)
    }
}

fn full() -> Status {
    Status::resource_exhausted("too many answers are kept; settle those that were read, and send this again")
}
