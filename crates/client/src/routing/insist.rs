//! Asks again until there is a decision or no time. It runs as a task of the limiter's runtime, where timers are, and ends with the call
//! that waits for it.

use std::sync::Arc;
use std::time::Duration;

use drl_core::{ClientId, Cost, LimitKey, Namespace};
use drl_limits::Decision;

use super::round::{Left, Owed, When, Why};
use super::{Deadline, World};
use crate::chance::Pause;
use crate::clock;
use crate::error::CheckError;
use crate::task::Task;

/// Pauses between tries: a shard that moves is back within some of them.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(20));

/// A check on its own: the call's bytes may be gone while a task still asks.
struct Kept {
    index: usize,
    namespace: String,
    client: Vec<u8>,
    cost: Cost,
    redirects: u8,
    when: When,
    why: Why,
}

/// Asks for what is left of a call until its deadline.
pub(super) async fn insist(
    world: &Arc<World>,
    left: Vec<Left<'_>>,
    deadline: Deadline,
    answers: &mut [Result<Decision, CheckError>],
) {
    let kept: Vec<Kept> = left.iter().map(Kept::new).collect();
    let places: Vec<usize> = kept.iter().map(|kept| kept.index).collect();
    // Without a runtime the answers stay as they were, closed.
    let task = Task::spawn(&world.runtime, ask_again(Arc::clone(world), kept, deadline));
    let Some(told) = task.done().await else { return };
    for (place, told) in places.into_iter().zip(told) {
        if let Some(answer) = answers.get_mut(place) {
            *answer = told;
        }
    }
}

async fn ask_again(world: Arc<World>, kept: Vec<Kept>, deadline: Deadline) -> Vec<Result<Decision, CheckError>> {
    let mut answers = vec![Err(CheckError::Closed); kept.len()];
    let mut left: Vec<Left<'_>> = (0..).zip(&kept).filter_map(|(place, kept)| kept.left(place)).collect();
    let mut pause = Pause::new(PAUSES.0, PAUSES.1);
    while !left.is_empty() {
        left.retain(|left| match given_up(&left.why, deadline) {
            Some(error) => {
                answers[left.owed.index] = Err(error);
                false
            }
            None => true,
        });
        if left.iter().any(|left| left.when == When::Later) {
            clock::pass(pause.next().min(deadline.left())).await;
        }
        if deadline.is_over() {
            for left in &left {
                answers[left.owed.index] = Err(left.why.timed_out(deadline.within));
            }
            break;
        }
        let owed = left.iter().map(|left| left.owed).collect();
        left = world.round(owed, deadline, &mut answers).await;
    }
    answers
}

/// An owner that has been silent for as long as a caller would wait is not waited for once more.
fn given_up(why: &Why, deadline: Deadline) -> Option<CheckError> {
    let is_silent = why.silent_for.is_some_and(|span| span >= deadline.within);
    is_silent.then(|| CheckError::Unavailable { reason: why.reason.to_string() })
}

impl Kept {
    fn new(left: &Left<'_>) -> Self {
        let Left { owed, when, why } = left;
        Self {
            index: owed.index,
            namespace: owed.key.namespace.as_str().to_owned(),
            client: owed.key.client.as_bytes().to_vec(),
            cost: owed.cost,
            redirects: owed.redirects,
            when: *when,
            why: why.clone(),
        }
    }

    /// The same check, at `place`. What was valid is valid.
    fn left(&self, place: usize) -> Option<Left<'_>> {
        let key = LimitKey::new(Namespace::new(&self.namespace).ok()?, ClientId::new(&self.client).ok()?);
        let owed = Owed { redirects: self.redirects, ..Owed::new(place, key, self.cost) };
        Some(Left { owed, when: self.when, why: self.why.clone() })
    }
}
