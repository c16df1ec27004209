//! From an error of etcd, of gRPC or of the connection to what it means: why, whether the call may have happened all the same, and
//! whether the connection is worth keeping. The messages are etcd's own (api/v3rpc/rpctypes/error.go), the same from 3.4 to 3.7.

use std::error::Error as _;

use tonic::{Code, Status};

use crate::Fault;

/// What an error means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) fault: Fault,
    pub(super) effect: Effect,
    pub(super) kind: Kind,
}

/// Whether the call may have happened all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    Possible,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Another member may do better, or this one over a new connection. Without effect it may be tried at once.
    Connection,
    /// The lease is gone.
    LeaseGone,
    /// The revision is not there: compacted, or not yet known to this member.
    Revision,
    /// The answer is larger than may be read.
    TooLarge,
    /// Nothing but to say so.
    Final,
}

/// Who was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) endpoint: &'a str,
    pub(super) user: Option<&'a str>,
}

pub(super) fn classify(error: &etcd_client::Error, asked: Asked<'_>) -> Trouble {
    match error {
        etcd_client::Error::GRpcStatus(status) => of_status(status, asked),
        etcd_client::Error::LeaseKeepAliveError(reason) => {
            Trouble { fault: Fault::Refused { reason: reason.clone() }, effect: Effect::None, kind: Kind::LeaseGone }
        }
        // The stream ended before it said anything.
        etcd_client::Error::WatchError(reason) => broken(asked, reason.clone()),
        other => refused(&chain(other)),
    }
}

fn of_status(status: &Status, asked: Asked<'_>) -> Trouble {
    if is_unconnected(status) {
        let fault = Fault::Unreachable { endpoint: asked.endpoint.to_owned(), reason: reason(status) };
        return Trouble { fault, effect: Effect::None, kind: Kind::Connection };
    }
    by_message(status, asked).unwrap_or_else(|| by_code(status, asked))
}

/// Errors that etcd itself names.
fn by_message(status: &Status, asked: Asked<'_>) -> Option<Trouble> {
    let endpoint = || asked.endpoint.to_owned();
    let user = || asked.user.unwrap_or("this client").to_owned();
    let without_effect = |fault, kind| Trouble { fault, effect: Effect::None, kind };
    let message = status.message();
    let says = |text: &str| message.contains(text);
    Some(match status.code() {
        // The request that fills the quota is applied and refused at once (quotaApplierV3).
        Code::ResourceExhausted if says("database space exceeded") => {
            Trouble { fault: Fault::NoSpace, effect: Effect::Possible, kind: Kind::Final }
        }
        Code::ResourceExhausted if says("too many requests") => refused(message),
        Code::Unavailable if message == "etcdserver: no leader" => {
            without_effect(Fault::NoLeader { endpoint: endpoint() }, Kind::Connection)
        }
        Code::InvalidArgument if says("user name is empty") => {
            without_effect(Fault::PasswordRequired { endpoint: endpoint() }, Kind::Connection)
        }
        Code::InvalidArgument if says("authentication failed") => {
            without_effect(Fault::WrongPassword { user: user() }, Kind::Final)
        }
        // A token that the members do not know any more; the next connection asks for a new one.
        Code::InvalidArgument if says("revision of auth store is old") => {
            without_effect(Fault::Refused { reason: message.to_owned() }, Kind::Connection)
        }
        Code::Unauthenticated => without_effect(Fault::Refused { reason: message.to_owned() }, Kind::Connection),
        Code::PermissionDenied => without_effect(Fault::NotPermitted { user: user() }, Kind::Final),
        Code::NotFound if says("lease not found") => {
            without_effect(Fault::Refused { reason: message.to_owned() }, Kind::LeaseGone)
        }
        Code::OutOfRange if says("revision") => {
            without_effect(Fault::Refused { reason: message.to_owned() }, Kind::Revision)
        }
        _ => return None,
    })
}

fn by_code(status: &Status, asked: Asked<'_>) -> Trouble {
    match status.code() {
        Code::InvalidArgument | Code::FailedPrecondition => refused(status.message()),
        Code::Unimplemented => {
            let fault = Fault::NotEtcd { endpoint: asked.endpoint.to_owned(), reason: reason(status) };
            Trouble { fault, effect: Effect::None, kind: Kind::Final }
        }
        // The client gives up on a message that is too large after the server has done the call.
        Code::OutOfRange => {
            let fault = Fault::Garbled { reason: reason(status) };
            Trouble { fault, effect: Effect::Possible, kind: Kind::TooLarge }
        }
        // "request timed out", "server stopped", a connection that broke, and whatever is not known here.
        _ => broken(asked, reason(status)),
    }
}

/// Whether the call never left, because there was no connection to send it on.
fn is_unconnected(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

fn broken(asked: Asked<'_>, reason: String) -> Trouble {
    let fault = Fault::Unreachable { endpoint: asked.endpoint.to_owned(), reason };
    Trouble { fault, effect: Effect::Possible, kind: Kind::Connection }
}

fn refused(reason: &str) -> Trouble {
    Trouble { fault: Fault::Refused { reason: reason.to_owned() }, effect: Effect::None, kind: Kind::Final }
}

/// The message, and the innermost cause when it says more: "Connection refused" tells more than "transport error".
fn reason(status: &Status) -> String {
    let message = status.message();
    match status.source().map(innermost) {
        _ if message.is_empty() => format!("{:?}", status.code()),
        Some(cause) if !message.contains(&cause) => format!("{message}: {cause}"),
        _ => message.to_owned(),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let (message, cause) = (error.to_string(), innermost(error));
    if message.contains(&cause) { message } else { format!("{message}: {cause}") }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked<'static> = Asked { endpoint: "http://etcd:2379", user: Some("drl") };

    fn trouble(code: Code, message: &str) -> Trouble {
        classify(&etcd_client::Error::GRpcStatus(Status::new(code, message)), ASKED)
    }

    #[test]
    fn what_etcd_refuses_before_it_is_proposed_surely_did_not_happen() {
        for (code, message) in [
            (Code::Unavailable, "etcdserver: no leader"),
            (Code::InvalidArgument, "etcdserver: user name is empty"),
            (Code::InvalidArgument, "etcdserver: request is too large"),
            (Code::InvalidArgument, "etcdserver: duplicate key given in txn request"),
            (Code::InvalidArgument, "etcdserver: revision of auth store is old"),
            (Code::Unauthenticated, "etcdserver: invalid auth token"),
            (Code::PermissionDenied, "etcdserver: permission denied"),
            (Code::NotFound, "etcdserver: requested lease not found"),
            (Code::ResourceExhausted, "etcdserver: too many requests"),
            (Code::FailedPrecondition, "etcdserver: authentication is not enabled"),
            (Code::Unimplemented, "unknown service etcdserverpb.KV"),
        ] {
            assert_eq!(trouble(code, message).effect, Effect::None, "{message}");
        }
    }

    #[test]
    fn what_etcd_may_have_proposed_may_have_happened() {
        for (code, message) in [
            (Code::Unavailable, "etcdserver: request timed out"),
            (Code::Unavailable, "etcdserver: request timed out, possibly due to previous leader failure"),
            (Code::Unavailable, "etcdserver: leader changed"),
            (Code::Unavailable, "etcdserver: server stopped"),
            (Code::Unavailable, "transport is closing"),
            (Code::Cancelled, "operation was canceled"),
            (Code::DeadlineExceeded, "deadline"),
            (Code::Internal, "h2 protocol error"),
            (Code::Unknown, "transport error"),
            (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded"),
        ] {
            assert_eq!(trouble(code, message).effect, Effect::Possible, "{message}");
        }
    }

    #[test]
    fn faults_for_an_operator_are_told_apart() {
        let fault = |code, message| trouble(code, message).fault;
        let endpoint = || "http://etcd:2379".to_owned();
        assert_eq!(fault(Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded"), Fault::NoSpace);
        assert_eq!(
            fault(Code::InvalidArgument, "etcdserver: user name is empty"),
            Fault::PasswordRequired { endpoint: endpoint() }
        );
        assert_eq!(
            fault(Code::InvalidArgument, "etcdserver: authentication failed, invalid user ID or password"),
            Fault::WrongPassword { user: "drl".to_owned() }
        );
        assert_eq!(
            fault(Code::PermissionDenied, "etcdserver: permission denied"),
            Fault::NotPermitted { user: "drl".to_owned() }
        );
        assert_eq!(fault(Code::Unavailable, "etcdserver: no leader"), Fault::NoLeader { endpoint: endpoint() });
    }

    #[test]
    fn a_revision_that_is_not_there_and_a_message_that_is_too_large_are_told_apart() {
        for message in ["required revision has been compacted", "required revision is a future revision"] {
            assert_eq!(trouble(Code::OutOfRange, &format!("etcdserver: mvcc: {message}")).kind, Kind::Revision);
        }
        let message = "Error, decoded message length too large: found 20000000 bytes, the limit is: 16777216 bytes";
        assert_eq!(trouble(Code::OutOfRange, message).kind, Kind::TooLarge);
    }
}
