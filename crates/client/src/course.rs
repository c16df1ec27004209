//! What to do about a check that was not decided. Functions of what was heard, nothing else.
//!
//! Rule (protocol, suspicion, failover, handoff): an owner that names another one under a newer epoch than is known is believed and the
//! other asked at once; one that names an older epoch knows less than this client does, so the placement is fetched from somebody
//! else; everything that passes by itself is asked again a little later. Within one epoch a retry is not charged twice: it carries the
//! number of the first try. A retry with a new number, after `UNCERTAIN` or with a new owner, may be.

use drl_core::Epoch;
use drl_proto::v1;

/// What to do next about one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Learn of the owner that was named, and ask there at once.
    Follow,
    /// Ask again after a pause.
    Later,
    /// Ask somebody else for the placement, and again after a pause.
    Refetch,
    /// It will never be decided.
    GiveUp,
}

/// After an owner, asked as of epoch `known`, refused.
pub(crate) fn after_refusal(refusal: &v1::Refusal, known: Epoch) -> Next {
    match refusal.kind() {
        v1::RefusalKind::NotOwner if Epoch(refusal.epoch) > known => Next::Follow,
        v1::RefusalKind::NotOwner | v1::RefusalKind::Stopped => Next::Refetch,
        v1::RefusalKind::Moving
        | v1::RefusalKind::Unavailable
        | v1::RefusalKind::Behind
        | v1::RefusalKind::Busy
        | v1::RefusalKind::Uncertain => Next::Later,
        v1::RefusalKind::Invalid | v1::RefusalKind::Unspecified => Next::GiveUp,
    }
}

/// After a whole message was refused.
pub(crate) fn after_error(error: &v1::StreamError) -> Next {
    match tonic::Code::from_i32(error.code) {
        tonic::Code::InvalidArgument | tonic::Code::Unimplemented => Next::GiveUp,
        _ => Next::Later,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: v1::RefusalKind, epoch: u64) -> v1::Refusal {
        v1::Refusal { kind: kind.into(), epoch, ..v1::Refusal::default() }
    }

    #[test]
    fn only_a_newer_owner_is_followed() {
        let after = |epoch| after_refusal(&refused(v1::RefusalKind::NotOwner, epoch), Epoch(5));
        assert_eq!([after(4), after(5), after(6)], [Next::Refetch, Next::Refetch, Next::Follow]);
    }

    #[test]
    fn what_passes_is_asked_again_and_what_is_wrong_is_not() {
        use v1::RefusalKind::{Behind, Busy, Invalid, Moving, Unavailable, Uncertain, Unspecified};
        for kind in [Moving, Unavailable, Behind, Busy, Uncertain] {
            assert_eq!(after_refusal(&refused(kind, 9), Epoch(5)), Next::Later, "{kind:?}");
        }
        for kind in [Invalid, Unspecified] {
            assert_eq!(after_refusal(&refused(kind, 9), Epoch(5)), Next::GiveUp, "{kind:?}");
        }
        let error = |code: tonic::Code| v1::StreamError { code: code.into(), message: String::new() };
        assert_eq!(after_error(&error(tonic::Code::InvalidArgument)), Next::GiveUp);
        assert_eq!(after_error(&error(tonic::Code::ResourceExhausted)), Next::Later);
    }
}
