//! The embedded limiter as a service uses it: from many threads, over restarts, with limits that change.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use drl_embedded::{
    CheckError, CheckRequest, File, InMemory, InvalidRequest, Namespace, OpenError, Options, PolicyDocument,
    RateLimiter, Reason, Retry, Selector, UnknownClient,
};

fn limits(json: &str) -> InMemory {
    let limits = InMemory::new();
    let policy = PolicyDocument::parse(json.as_bytes()).unwrap();
    limits.set(Namespace::DEFAULT, Selector::Default, policy).unwrap();
    limits
}

fn ten_an_hour() -> InMemory {
    limits(r#"{"limits":[{"requests":10,"window":"1h"}]}"#)
}

fn open(dir: &Path, limits: InMemory) -> RateLimiter {
    drl_embedded::open(dir, Arc::new(limits), &Options::default()).unwrap()
}

fn request(client: &str) -> CheckRequest<'_> {
    CheckRequest::new(client.as_bytes()).unwrap()
}

fn assert_shareable<T: Send + Sync + Clone + 'static>(_: &T) {}

#[test]
fn many_threads_and_clones_get_exactly_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let limiter = open(dir.path(), limits(r#"{"limits":[{"requests":500,"window":"1h"}]}"#));
    assert_shareable(&limiter);
    let allowed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let limiter = limiter.clone().blocking();
                scope.spawn(move || (0..100).filter(|_| limiter.allow_request("alice")).count())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(allowed, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_get_exactly_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let limiter = open(dir.path(), ten_an_hour());
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let limiter = limiter.clone();
            tokio::spawn(async move { limiter.allow_request("alice").await })
        })
        .collect();
    let mut allowed = 0;
    for task in tasks {
        allowed += usize::from(task.await.unwrap());
    }
    assert_eq!(allowed, 10);
}

#[test]
fn counts_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    for expected in [6, 4, 0] {
        let limiter = open(dir.path(), ten_an_hour()).blocking();
        assert_eq!((0..6).filter(|_| limiter.allow_request("alice")).count(), expected);
    }
}

#[test]
fn a_check_tells_how_things_stand() {
    let dir = tempfile::tempdir().unwrap();
    let limiter = open(dir.path(), ten_an_hour()).blocking();
    let decision = limiter.check(request("alice").cost(4).unwrap()).unwrap();
    assert_eq!((decision.allowed, decision.limit, decision.remaining, decision.policy_revision), (true, 10, 6, 1));
    let peeked = limiter.peek(request("alice").cost(7).unwrap()).unwrap();
    assert_eq!((peeked.allowed, peeked.remaining), (false, 6), "a peek charges nothing");
    let never = limiter.check(request("alice").cost(11).unwrap()).unwrap();
    assert_eq!((never.allowed, never.retry, never.reason), (false, Retry::Never, Reason::CostAboveLimit));
    limiter.refund(request("alice").cost(4).unwrap(), None).unwrap();
    assert_eq!(limiter.peek(request("alice")).unwrap().remaining, 10);
    let batch = [request("alice").cost(10).unwrap(), request("alice"), request("bob")];
    let allowed: Vec<bool> =
        limiter.check_batch(&batch).into_iter().map(|decision| decision.unwrap().allowed).collect();
    assert_eq!(allowed, [true, false, true]);
    limiter.reset(request("alice")).unwrap();
    assert_eq!(limiter.peek(request("alice")).unwrap().remaining, 10);
}

#[test]
fn what_cannot_be_asked_is_an_error_and_never_an_admission() {
    assert!(matches!(CheckRequest::new(b""), Err(InvalidRequest::ClientId(_))));
    assert!(matches!(CheckRequest::new(&[b'x'; 257]), Err(InvalidRequest::ClientId(_))));
    assert!(matches!(request("alice").cost(-1), Err(InvalidRequest::Cost(_))));
    assert!(matches!(request("alice").namespace("a/b"), Err(InvalidRequest::Namespace(_))));
    let dir = tempfile::tempdir().unwrap();
    let limiter = open(dir.path(), ten_an_hour()).blocking();
    assert!(!limiter.allow_request(""));
    let too_many = vec![request("alice"); 1_025];
    let answers = limiter.check_batch(&too_many);
    let too_long = CheckError::Invalid(InvalidRequest::BatchTooLong { count: 1_025 });
    assert!(answers.len() == 1_025 && answers.iter().all(|answer| answer.as_ref() == Err(&too_long)));
}

#[test]
fn a_client_without_a_policy_gets_the_chosen_rule() {
    for (unknown_client, allowed) in [(UnknownClient::Deny, false), (UnknownClient::Allow, true)] {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { unknown_client, ..Options::default() };
        let limiter = drl_embedded::open(dir.path(), Arc::new(InMemory::new()), &options).unwrap();
        let decision = limiter.blocking().check(request("stranger")).unwrap();
        assert_eq!((decision.allowed, decision.reason), (allowed, Reason::UnknownClient));
    }
}

#[test]
fn limits_change_while_it_runs_and_consumption_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let configuration = ten_an_hour();
    let limiter =
        drl_embedded::open(dir.path(), Arc::new(configuration.clone()), &Options::default()).unwrap().blocking();
    assert_eq!((0..12).filter(|_| limiter.allow_request("alice")).count(), 10);
    let more = PolicyDocument::parse(br#"{"limits":[{"requests":13,"window":"1h"}]}"#).unwrap();
    configuration.set(Namespace::DEFAULT, Selector::Default, more).unwrap();
    assert_eq!((0..12).filter(|_| limiter.allow_request("alice")).count(), 3);
}

#[test]
fn limits_come_from_a_file_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("limits.json");
    let text = r#"{"namespaces":{"default":{"clients":{"alice":{"limits":[{"requests":2,"window":"1h"}]}}}}}"#;
    std::fs::write(&file, text).unwrap();
    let configuration = File::open(&file, std::time::Duration::from_secs(1)).unwrap();
    let limiter = drl_embedded::open(&dir.path().join("counters"), Arc::new(configuration), &Options::default())
        .unwrap()
        .blocking();
    assert_eq!((0..5).filter(|_| limiter.allow_request("alice")).count(), 2);
    assert!(!limiter.allow_request("bob"), "not in the file");
}

#[test]
fn a_directory_is_open_once_and_by_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let limiter = open(dir.path(), ten_an_hour());
    let again = drl_embedded::open(dir.path(), Arc::new(ten_an_hour()), &Options::default());
    assert!(matches!(again.err().unwrap(), OpenError::Store(drl_store::OpenError::AlreadyInUse { .. })));
    drop(limiter);
    let other = Options { name: "another-service".to_owned(), ..Options::default() };
    let other = drl_embedded::open(dir.path(), Arc::new(ten_an_hour()), &other);
    assert!(matches!(other.err().unwrap(), OpenError::Store(drl_store::OpenError::OtherNode { .. })));
    assert!(drl_embedded::open(dir.path(), Arc::new(ten_an_hour()), &Options::default()).is_ok(), "dropping it let go");
}
