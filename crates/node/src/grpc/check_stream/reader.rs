//! What takes the answers of a stream, and whether anybody does.
//!
//! A client that reads nothing fills its HTTP/2 window; from then on nobody polls the stream, and what it holds would be held for as long as
//! the connection lives. So each stream counts how often it is polled, and now and then somebody looks at all of them.
//!
//! Invariant: a stream that holds answers and was not polled for [`LOOKS`] looks is dropped with all that it holds. When its client
//! reads at last, it finds the end and the reason.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use drl_proto::v1;
use tokio_stream::Stream;
use tonic::Status;

/// With a look every 2.5 s these are 10 s: an answer waits for the journal for 5 s at most and for another owner for 2 s, so a stream that
/// is not polled for longer has a client that does not read.
const LOOKS: u32 = 4;

type Reply = Result<v1::CheckStreamResponse, Status>;

/// The stream of answers as it is made.
pub(super) type Source = Pin<Box<dyn Stream<Item = Reply> + Send>>;

/// What the client reads.
pub(in crate::grpc) struct Replies {
    reading: Arc<Reading>,
    readers: Arc<Readers>,
    id: u64,
}

/// The streams of a door.
#[derive(Default)]
pub(super) struct Readers {
    next: AtomicU64,
    all: Mutex<BTreeMap<u64, Watched>>,
}

struct Watched {
    reading: Arc<Reading>,
    /// How often it had been polled at the last look, and for how many looks that has been so.
    polls: u64,
    looks: u32,
}

struct Reading {
    source: Mutex<State>,
    polls: AtomicU64,
    /// Whether the last poll gave an answer, which is always followed by another poll.
    gave: AtomicBool,
    /// Messages whose answers wait.
    held: Arc<AtomicUsize>,
}

enum State {
    Open(Source),
    /// It was dropped, and the client has not been told.
    Unread,
    Over,
}

impl Replies {
    /// `held` is how many messages the source holds.
    pub(super) fn new(readers: &Arc<Readers>, source: Source, held: Arc<AtomicUsize>) -> Self {
        let reading = Arc::new(Reading {
            source: Mutex::new(State::Open(source)),
            polls: AtomicU64::new(0),
            gave: AtomicBool::new(false),
            held,
        });
        let id = readers.next.fetch_add(1, Ordering::Relaxed);
        let watched = Watched { reading: Arc::clone(&reading), polls: 0, looks: 0 };
        readers.all.lock().unwrap_or_else(PoisonError::into_inner).insert(id, watched);
        Self { reading, readers: Arc::clone(readers), id }
    }
}

impl Drop for Replies {
    fn drop(&mut self) {
        let watched = self.readers.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        drop(watched);
    }
}

impl Stream for Replies {
    type Item = Reply;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Reply>> {
        let reading = &*self.reading;
        let mut state = reading.source.lock().unwrap_or_else(PoisonError::into_inner);
        let polled = match &mut *state {
            State::Open(source) => source.as_mut().poll_next(context),
            State::Unread => Poll::Ready(Some(Err(Status::resource_exhausted(
                "the stream was ended because its answers were not read for 10 s; what was sent may have been decided",
            )))),
            State::Over => Poll::Ready(None),
        };
        if !matches!((&polled, &*state), (Poll::Pending | Poll::Ready(Some(Ok(_))), _)) {
            *state = State::Over;
        }
        reading.gave.store(polled.is_ready(), Ordering::Relaxed);
        reading.polls.fetch_add(1, Ordering::Relaxed);
        polled
    }
}

impl Readers {
    /// Looks at every stream, and drops what nobody reads. Returns how many streams that were.
    pub(super) fn end_unread(&self) -> usize {
        let mut unread = Vec::new();
        for watched in self.all.lock().unwrap_or_else(PoisonError::into_inner).values_mut() {
            let polls = watched.reading.polls.load(Ordering::Relaxed);
            if polls != watched.polls || !watched.reading.is_owing() {
                (watched.polls, watched.looks) = (polls, 0);
                continue;
            }
            watched.looks = watched.looks.saturating_add(1);
            if watched.looks == LOOKS {
                unread.push(Arc::clone(&watched.reading));
            }
        }
        // Dropping a stream takes a while and other locks, so it is done without this one.
        unread.iter().filter(|reading| reading.end()).count()
    }
}

impl Reading {
    fn is_owing(&self) -> bool {
        self.gave.load(Ordering::Relaxed) || self.held.load(Ordering::Relaxed) > 0
    }

    /// Drops what it holds; says whether there was anything. One that is being polled this moment is read.
    fn end(&self) -> bool {
        let Ok(mut state) = self.source.try_lock() else { return false };
        match &*state {
            State::Open(_) => {
                *state = State::Unread;
                self.held.store(0, Ordering::Relaxed);
                true
            }
            State::Unread | State::Over => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt, stream};

    use super::*;

    fn replies(readers: &Arc<Readers>, source: Source) -> (Replies, Arc<AtomicUsize>) {
        let held = Arc::<AtomicUsize>::default();
        (Replies::new(readers, source, Arc::clone(&held)), held)
    }

    fn look(readers: &Readers, times: u32) -> usize {
        (0..times).map(|_| readers.end_unread()).sum()
    }

    #[test]
    fn a_stream_that_holds_answers_and_is_not_polled_is_dropped_with_them() {
        let (readers, kept) = (Arc::<Readers>::default(), Arc::new(()));
        let inside = Arc::clone(&kept);
        let source = stream::pending().map(move |reply: Reply| {
            let _ = &inside;
            reply
        });
        let (mut replies, held) = replies(&readers, Box::pin(source));
        held.store(1, Ordering::Relaxed);
        assert!(replies.next().now_or_never().is_none());
        // The first look only sees that it was polled.
        assert_eq!(look(&readers, LOOKS), 0);
        assert_eq!(Arc::strong_count(&kept), 2);
        assert_eq!(look(&readers, 1), 1);
        assert_eq!(Arc::strong_count(&kept), 1);
        assert_eq!(look(&readers, 10), 0, "once");
        let told = replies.next().now_or_never().flatten().unwrap();
        assert_eq!(told.unwrap_err().code(), tonic::Code::ResourceExhausted);
        assert!(replies.next().now_or_never().unwrap().is_none());
    }

    #[test]
    fn a_stream_that_is_polled_or_owes_nothing_stays() {
        let readers = Arc::<Readers>::default();
        let (mut slow, held) = replies(&readers, Box::pin(stream::pending()));
        held.store(1, Ordering::Relaxed);
        let (_idle, _) = replies(&readers, Box::pin(stream::pending()));
        for _ in 0..3 {
            assert!(slow.next().now_or_never().is_none());
            assert_eq!(look(&readers, LOOKS), 0);
        }
    }

    #[test]
    fn an_answer_that_was_given_and_never_followed_up_is_owing() {
        let readers = Arc::<Readers>::default();
        let (mut replies, _) =
            replies(&readers, Box::pin(stream::repeat_with(|| Ok(v1::CheckStreamResponse::default()))));
        assert!(replies.next().now_or_never().flatten().is_some());
        assert_eq!(look(&readers, LOOKS + 1), 1);
    }

    #[test]
    fn a_stream_that_is_gone_is_not_watched() {
        let readers = Arc::<Readers>::default();
        drop(replies(&readers, Box::pin(stream::pending())));
        assert!(readers.all.lock().unwrap().is_empty());
    }
}
