//! Beats, and when a peer is suspected.
//!
//! Rule (protocol, section 5): beats every 100 ms. A follower is quiet when it neither acknowledges nor beats for 400 ms: its owner
//! drops it. An owner is silent after 700 ms, or at once when its connection was reset and is refused: its follower takes over. The
//! owner is the faster one, so it wins ties. A late timer of one's own (the process was starved) restarts the count. Timers only
//! decide when to suspect; a wrong suspicion costs a moment of availability and nothing else.
//!
//! Whoever is silent is told nothing but a beat a second. It may be this node that does not hear; then what it says would keep others from
//! suspecting it, as long as it lasts, although nothing that it owns can be answered. So a link that carries nothing one way is as one that
//! carries nothing at all; and when it does again, either side hears so within a second. Letters are sent again, so none is missed.

use drl_core::Nanos;
use drl_core::caps::{BEAT_MILLIS, KNOCK_MILLIS, QUIET_MILLIS, SILENT_MILLIS};

/// When a lifetime was heard last, and what its clock showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// By this node's `CLOCK_BOOTTIME`.
    pub at: Nanos,
    /// By the peer's.
    pub boottime: Nanos,
}

/// How long a lifetime has said nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Silence {
    #[default]
    None,
    /// A follower of this node would be dropped.
    Quiet,
    /// An owner would be taken over from.
    Silent,
}

/// One lifetime, as it is heard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ear {
    heard: Heard,
    /// The connection was reset and is refused.
    refused: bool,
    told: Silence,
    /// When it was sent a beat last.
    beat: Nanos,
}

impl Ear {
    pub(crate) const fn new(now: Nanos) -> Self {
        Self { heard: Heard { at: now, boottime: Nanos::ZERO }, refused: false, told: Silence::None, beat: now }
    }

    /// Whether it is to be sent a beat; then that counts as sent.
    pub(crate) fn beats(&mut self, now: Nanos) -> bool {
        let is_due = !self.is_silent(now) || now.0.saturating_sub(self.beat.0) >= Nanos::from_millis(KNOCK_MILLIS).0;
        if is_due {
            self.beat = now;
        }
        is_due
    }

    pub(crate) const fn heard(&self) -> Heard {
        self.heard
    }

    /// Anything came. A beat also says what time it is there.
    pub(crate) fn hear(&mut self, now: Nanos, boottime: Option<Nanos>) {
        self.refused = false;
        self.heard.at = self.heard.at.max(now);
        if let Some(boottime) = boottime {
            self.heard = Heard { at: now, boottime: boottime.max(self.heard.boottime) };
        }
    }

    pub(crate) const fn refuse(&mut self) {
        self.refused = true;
    }

    /// Begins to count anew: this process was not running.
    pub(crate) const fn forgive(&mut self, now: Nanos) {
        self.heard.at = now;
    }

    fn silence(&self, now: Nanos) -> Silence {
        let span = now.0.saturating_sub(self.heard.at.0);
        if self.refused || span >= Nanos::from_millis(SILENT_MILLIS).0 {
            Silence::Silent
        } else if span >= Nanos::from_millis(QUIET_MILLIS).0 {
            Silence::Quiet
        } else {
            Silence::None
        }
    }

    /// Somebody new wants to know.
    pub(crate) const fn tell_again(&mut self) {
        self.told = Silence::None;
    }

    pub(crate) fn is_silent(&self, now: Nanos) -> bool {
        self.silence(now) == Silence::Silent
    }

    /// The silence, if it is another one than was told.
    pub(crate) fn news(&mut self, now: Nanos) -> Option<Silence> {
        let silence = self.silence(now);
        (std::mem::replace(&mut self.told, silence) != silence).then_some(silence)
    }
}

/// Whether a timer of this process came so late that silence proves nothing.
pub(crate) fn was_starved(before: Nanos, now: Nanos) -> bool {
    before != Nanos::ZERO && now.0.saturating_sub(before.0) > Nanos::from_millis(3 * BEAT_MILLIS).0
}
