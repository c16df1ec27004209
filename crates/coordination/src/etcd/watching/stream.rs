//! One stream of changes: opened behind a revision, read until it ends, with the reason of its end. Silence is an end too: the member
//! is asked for a sign of life now and then, and answers unless it or the way to it is dead. What the sign says is not used; old
//! members send it out of order.

use std::time::Duration;

use drl_core::caps::COORDINATION_MESSAGE_BYTES_MAX;
use etcd_client::proto::{PbEvent, PbWatchResponse};
use etcd_client::{WatchOptions, WatchRequestSender, WatchResponseStream};
use tokio::time::timeout;

use super::ended;
use crate::etcd::classify::{Kind, Trouble, classify};
use crate::etcd::{Shared, convert};
use crate::standing::Way;
use crate::{Change, Fault, Key, Prefix, Revision};

/// Signs of life that are asked for within the silence that is allowed.
const SIGNS: u32 = 3;

/// etcd's numbers for the kinds of events.
const PUT: i32 = 0;
const DELETE: i32 = 1;

/// Why a stream ended.
#[derive(Debug)]
pub(super) enum End {
    /// Changes may have been missed, or it is time: everything is to be listed.
    Relist,
    /// To be resumed where it was.
    Failed(Fault),
}

pub(super) struct Stream {
    requests: WatchRequestSender,
    responses: WatchResponseStream,
    /// The connection that it is on.
    number: u64,
    endpoint: String,
}

impl Stream {
    /// Opens a stream of everything under `prefix` behind `at`.
    pub(super) async fn open(shared: &Shared, prefix: &Prefix, at: Revision, within: Duration) -> Result<Self, End> {
        shared.trusted().map_err(End::Failed)?;
        let options = WatchOptions::new().with_prefix().with_progress_notify();
        let options = options.with_start_revision(convert::number(at.next()));
        let key = prefix.as_bytes();
        let answer = shared.call(within, |client| {
            let options = options.clone();
            async move {
                let mut watch = client.watch_client().max_decoding_message_size(COORDINATION_MESSAGE_BYTES_MAX);
                let stream = watch.watch(key, Some(options)).await?;
                let (requests, mut responses) = stream.split();
                // The stream is open; whether the watch is shows in the first response.
                let first = responses.message().await?;
                Ok((requests, responses, first))
            }
        });
        let (requests, responses, first) = answer.await.map_err(end_of)?;
        // The connection that the call succeeded on; should another task have replaced it just now, that one is given up later.
        let (number, endpoint) = (shared.link.number(), shared.link.endpoint());
        let first = first.ok_or_else(|| ended(&endpoint))?;
        let stream = Self { requests, responses, number, endpoint };
        stream.created(shared, &first.0, at)?;
        Ok(stream)
    }

    /// The first response says that the watch is there, and how far the member is. etcd answers "created" also to a watch of a
    /// compacted revision, and says "canceled" next.
    fn created(&self, shared: &Shared, response: &PbWatchResponse, at: Revision) -> Result<(), End> {
        if !response.created || response.canceled {
            return Err(self.canceled(shared, response));
        }
        let header = convert::header(response.header.as_ref()).map_err(End::Failed)?;
        shared.judge(Way::Member, &header).map_err(End::Failed)?;
        if header.revision < at {
            // It is behind, or back from a backup: the log, which the listing asks first, tells.
            shared.link.give_up(self.number);
            return Err(End::Relist);
        }
        Ok(())
    }

    /// The next events, none when the member only gave a sign of life. Cancelling the wait loses nothing.
    pub(super) async fn next(
        &mut self,
        shared: &Shared,
        silence_max: Duration,
    ) -> Result<Vec<(Revision, Change)>, End> {
        let mut left = SIGNS;
        loop {
            let response = match timeout(silence_max / SIGNS, self.responses.message()).await {
                Ok(Ok(Some(response))) => response.0,
                Ok(Ok(None)) => return Err(ended(&self.endpoint)),
                Ok(Err(error)) => return Err(self.broken(shared, &error)),
                Err(_) => {
                    left = left.saturating_sub(1);
                    let is_asked = timeout(silence_max / SIGNS, self.requests.request_progress()).await;
                    if left == 0 || !matches!(is_asked, Ok(Ok(()))) {
                        tracing::warn!(
                            endpoint = self.endpoint,
                            ?silence_max,
                            "etcd is silent; the connection is given up"
                        );
                        shared.link.give_up(self.number);
                        return Err(End::Relist);
                    }
                    continue;
                }
            };
            if response.canceled {
                return Err(self.canceled(shared, &response));
            }
            let header = convert::header(response.header.as_ref()).map_err(End::Failed)?;
            shared.judge(Way::Member, &header).map_err(End::Failed)?;
            return response.events.into_iter().map(event).collect::<Result<_, _>>().map_err(End::Failed);
        }
    }

    fn canceled(&self, shared: &Shared, response: &PbWatchResponse) -> End {
        if response.compact_revision > 0 {
            return End::Relist;
        }
        match response.cancel_reason.as_str() {
            "" => ended(&self.endpoint),
            reason if reason.contains("permission denied") => {
                let user = shared.link.asked_at(&self.endpoint).user.unwrap_or("this client").to_owned();
                End::Failed(Fault::NotPermitted { user })
            }
            reason => End::Failed(Fault::Refused { reason: reason.to_owned() }),
        }
    }

    fn broken(&self, shared: &Shared, error: &etcd_client::Error) -> End {
        let trouble = classify(error, shared.link.asked_at(&self.endpoint));
        if trouble.kind == Kind::Connection {
            shared.link.give_up(self.number);
        }
        end_of(trouble)
    }
}

fn end_of(trouble: Trouble) -> End {
    match trouble.kind {
        // What does not fit a message may fit the pages of a listing.
        Kind::Revision | Kind::TooLarge => End::Relist,
        _ => End::Failed(trouble.fault),
    }
}

fn event(found: PbEvent) -> Result<(Revision, Change), Fault> {
    let entry = found.kv.ok_or_else(|| convert::garbled("an event has no key"))?;
    match found.r#type {
        PUT => {
            let entry = convert::entry(entry)?;
            Ok((entry.changed, Change::Put(entry)))
        }
        DELETE => Ok((convert::revision(entry.mod_revision)?, Change::Deleted(Key::from(entry.key)))),
        _ => Err(convert::garbled("an event is neither put nor delete")),
    }
}
