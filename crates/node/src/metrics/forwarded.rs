//! What can come of asking a peer, as a label.

use crate::forward::outcome::{PeerRefusal, Told, Undelivered};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forwarded {
    /// The owner decided, or did what was asked.
    Decided,
    /// The peer is not the owner, or not now.
    Elsewhere,
    /// The peer decided nothing, for another reason.
    Declined,
    /// Nothing was sent: there is no connection.
    Unreachable,
    /// Nothing was sent: too much is under way.
    Crowded,
    /// It was sent, and no answer came.
    Unanswered,
}

impl Forwarded {
    pub(crate) const ALL: [Self; 6] =
        [Self::Decided, Self::Elsewhere, Self::Declined, Self::Unreachable, Self::Crowded, Self::Unanswered];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Elsewhere => "elsewhere",
            Self::Declined => "declined",
            Self::Unreachable => "unreachable",
            Self::Crowded => "crowded",
            Self::Unanswered => "unanswered",
        }
    }
}

impl From<&Undelivered> for Forwarded {
    fn from(undelivered: &Undelivered) -> Self {
        match undelivered {
            Undelivered::Unreachable { .. } => Self::Unreachable,
            Undelivered::Crowded { .. } => Self::Crowded,
            Undelivered::Unanswered { .. } => Self::Unanswered,
        }
    }
}

impl From<&Result<Told, PeerRefusal>> for Forwarded {
    fn from(answer: &Result<Told, PeerRefusal>) -> Self {
        match answer {
            Ok(_) => Self::Decided,
            Err(PeerRefusal::NotHere(_)) => Self::Elsewhere,
            Err(PeerRefusal::Declined(_)) => Self::Declined,
        }
    }
}
