//! What happens to letters between nodes, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use drl_engine::replication::Rejections;

use crate::metrics::text::{Kind, Text};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// A letter waits for its connection.
    Given,
    /// A letter was dropped: too much waits for its connection.
    Full,
    /// A letter was dropped: there are too many connections.
    TooManyLinks,
    /// A letter of a peer was taken in.
    Taken,
    /// A stream to a peer was opened.
    Opened,
    /// An open one ended.
    Lost,
    /// Nobody listens there.
    Refused,
    /// A peer could not be reached for another reason, or did not want the stream.
    Failed,
    /// The stream of a peer was refused: it speaks another version.
    OtherVersion,
    /// It was meant for another node or cluster.
    OtherName,
    /// What came made no sense.
    Malformed,
    /// There are too many streams, or too much of frames that are not complete.
    Crowded,
}

impl Event {
    const ALL: [Self; 12] = [
        Self::Given,
        Self::Full,
        Self::TooManyLinks,
        Self::Taken,
        Self::Opened,
        Self::Lost,
        Self::Refused,
        Self::Failed,
        Self::OtherVersion,
        Self::OtherName,
        Self::Malformed,
        Self::Crowded,
    ];
}

/// How often each of it happened.
#[derive(Debug, Default)]
pub(crate) struct Replicated([AtomicU64; Event::ALL.len()]);

impl Replicated {
    pub(crate) fn note(&self, event: Event) {
        self.0[event as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self, of: Event) -> u64 {
        self.0[of as usize].load(Ordering::Relaxed)
    }

    pub(super) fn write(&self, text: &mut Text, rejections: &Rejections) {
        for (name, help, label, events) in [
            (
                "drl_replication_letters_total",
                "Letters to other nodes that were put in their queues, and letters from them that were taken in.",
                "direction",
                &[("out", Event::Given), ("in", Event::Taken)][..],
            ),
            (
                "drl_replication_dropped_total",
                "Letters to other nodes that found no room; they are said again.",
                "reason",
                &[("full", Event::Full), ("links", Event::TooManyLinks)],
            ),
            (
                "drl_replication_streams_total",
                "Streams of letters to other nodes, and tries to open one.",
                "outcome",
                &[
                    ("opened", Event::Opened),
                    ("lost", Event::Lost),
                    ("refused", Event::Refused),
                    ("failed", Event::Failed),
                ],
            ),
            (
                "drl_replication_streams_turned_away_total",
                "Streams of letters from other nodes that were refused or ended.",
                "reason",
                &[
                    ("version", Event::OtherVersion),
                    ("name", Event::OtherName),
                    ("malformed", Event::Malformed),
                    ("crowded", Event::Crowded),
                ],
            ),
        ] {
            let mut family = text.family(name, Kind::Counter, help);
            for (of, event) in events {
                family.labelled(label, of, self.count(*event));
            }
        }
        let mut family = text.family(
            "drl_replication_rejected_total",
            Kind::Counter,
            "Letters of other nodes that came and were not taken, and sections of their frames.",
        );
        for (reason, count) in [
            ("lifetime", rejections.other_lifetime),
            ("stranger", rejections.strangers),
            ("format", rejections.other_formats),
            ("malformed", rejections.malformed),
            ("flooded", rejections.flooded),
            ("section", rejections.sections),
        ] {
            family.labelled("reason", reason, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_its_own_place() {
        assert!(Event::ALL.iter().enumerate().all(|(index, event)| *event as usize == index));
    }
}
