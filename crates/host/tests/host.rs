//! A host over the in-memory journal: what it answers, when answers leave, and what is left after a crash.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use drl_configuration::{ConfigurationService, Matched, RateLimitConfiguration};
use drl_core::{ClientId, Cost, Epoch, LimitKey, Namespace, ShardCount};
use drl_host::{
    Action, Ask, CheckError, Host, HostOptions, JournalSync, NotReleased, OpenError, PolicyOf, Refused, UnknownClient,
};
use drl_limits::{Algorithm, Decision, Limit, Mode, OnUnavailable, Policy, PolicySpec, Reason, Retry};
use drl_store::{Crash, Damage, MemoryStore, Store};
use tokio::sync::watch;

/// A configuration with one policy for everybody, or none.
struct ForAll {
    policy: Mutex<Option<Arc<Policy>>>,
    revision: watch::Sender<u64>,
}

impl ForAll {
    fn new(policy: Option<Policy>) -> Arc<Self> {
        Arc::new(Self { policy: Mutex::new(policy.map(Arc::new)), revision: watch::Sender::new(1) })
    }

    fn change(&self, policy: Policy) {
        *self.policy.lock().unwrap() = Some(Arc::new(policy));
        self.revision.send_modify(|revision| *revision += 1);
    }
}

impl ConfigurationService for ForAll {
    fn get(&self, _: LimitKey<'_>) -> Option<RateLimitConfiguration> {
        let policy = self.policy.lock().unwrap().clone()?;
        Some(RateLimitConfiguration { policy, revision: self.revision(), matched: Matched::Default })
    }

    fn revision(&self) -> u64 {
        *self.revision.borrow()
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }
}

fn policy(requests: u64) -> Policy {
    policy_in(Mode::Enforce, requests)
}

fn policy_in(mode: Mode, requests: u64) -> Policy {
    let limits = vec![Limit::new(requests, "1h".parse().unwrap()).unwrap()];
    Policy::new(PolicySpec { limits, algorithm: Algorithm::SlidingWindow, mode, ..PolicySpec::default() }).unwrap()
}

fn options() -> HostOptions {
    HostOptions { shards: ShardCount::new(16).unwrap(), ..HostOptions::new("boot-1".to_owned()) }
}

fn open(store: &Arc<MemoryStore>, configuration: &Arc<ForAll>) -> Host {
    Host::open(store.clone(), configuration.clone(), options()).unwrap()
}

fn ask(client: &str) -> Ask<'_> {
    let key = LimitKey::new(Namespace::DEFAULT, ClientId::new(client.as_bytes()).unwrap());
    Ask { key, cost: Cost::ONE, action: Action::Charge, policy: PolicyOf::Configured, epoch: Epoch(0) }
}

/// kill -9: the old process can write nothing from here on, and says no goodbye.
fn kill_9(store: &MemoryStore, host: Host) {
    store.crash(Crash::Process);
    drop(host);
    store.crash(Crash::Process);
}

fn check(host: &Host, client: &str) -> Decision {
    pollster::block_on(host.check(ask(client))).unwrap()
}

fn allowed_of(host: &Host, client: &str, checks: usize) -> usize {
    (0..checks).filter(|_| check(host, client).allowed).count()
}

#[test]
fn kill_9_forgets_nothing_that_was_answered() {
    let (store, limits) = (Arc::new(MemoryStore::new()), ForAll::new(Some(policy(10))));
    let host = open(&store, &limits);
    assert_eq!(allowed_of(&host, "alice", 6), 6);
    kill_9(&store, host);
    let host = open(&store, &limits);
    assert_eq!(allowed_of(&host, "alice", 10), 4);
    assert_eq!(host.stats().doubts, Vec::<String>::new());
}

#[test]
fn an_answer_waits_for_its_frame_and_a_failed_write_answers_nobody() {
    let (store, limits) = (Arc::new(MemoryStore::new()), ForAll::new(Some(policy(10))));
    let host = open(&store, &limits);
    store.fail_next_write("No space left on device");
    let mut decisions = Vec::new();
    let ticket = host.decide(&[ask("alice")], &mut decisions).unwrap();
    assert!(decisions[0].as_ref().unwrap().allowed, "it was decided at once");
    let stopped = pollster::block_on(host.committed(ticket)).unwrap_err();
    assert!(stopped.to_string().contains("No space left on device"), "{stopped}");
    let refused = pollster::block_on(host.check(ask("bob"))).unwrap_err();
    assert!(matches!(refused, CheckError::Refused(Refused::Stopped(_))), "{refused:?}");
    assert!(host.ready().is_err());
    assert_eq!(NotReleased::Stopped(pollster::block_on(host.stopped())), stopped);
}

#[test]
fn a_batch_of_denials_waits_for_nothing() {
    let (store, limits) = (Arc::new(MemoryStore::new()), ForAll::new(Some(policy(1))));
    let host = open(&store, &limits);
    assert!(check(&host, "alice").allowed);
    store.fail_next_write("the disk is gone");
    let mut decisions = Vec::new();
    let ticket = host.decide(&[ask("alice"), ask("alice")], &mut decisions).unwrap();
    pollster::block_on(host.committed(ticket)).unwrap();
    assert!(decisions.iter().flatten().all(|decision| !decision.allowed));
}

#[test]
fn a_power_cut_with_interval_counts_as_used_up_and_with_commit_loses_nothing() {
    for (journal_sync, left) in [(JournalSync::Commit, 4), (JournalSync::Auto, 4), (JournalSync::Interval, 0)] {
        let (store, limits) = (Arc::new(MemoryStore::new()), ForAll::new(Some(policy(10))));
        let host = Host::open(store.clone(), limits.clone(), HostOptions { journal_sync, ..options() }).unwrap();
        assert_eq!(allowed_of(&host, "alice", 6), 6);
        store.crash(Crash::Power);
        drop(host);
        store.crash(Crash::Process);
        let after = HostOptions { boot_id: "boot-2".to_owned(), ..options() };
        let host = Host::open(store.clone(), limits.clone(), after).unwrap();
        assert_eq!(allowed_of(&host, "alice", 10), left, "{journal_sync:?}");
        assert_eq!(host.stats().doubts.is_empty(), left > 0, "{journal_sync:?}");
    }
}

#[test]
fn a_journal_that_lost_a_frame_admits_nobody_beyond_the_limit_however_often_it_restarts() {
    let (store, limits) = (Arc::new(MemoryStore::new()), ForAll::new(Some(policy(10))));
    let host = open(&store, &limits);
    assert_eq!(allowed_of(&host, "alice", 6), 6);
    let last = host.stats().frames;
    kill_9(&store, host);
    store.damage(Damage::LoseFrame(drl_core::CommitNo(last)));
    let host = open(&store, &limits);
    assert_eq!(host.stats().doubts.len(), 1, "{:?}", host.stats().doubts);
    let denied = check(&host, "alice");
    assert_eq!((denied.allowed, denied.reason), (false, Reason::StateLost));
    assert!(matches!(denied.retry, Retry::After(_)));
    kill_9(&store, host);
    let host = open(&store, &limits);
    assert!(host.stats().doubts.is_empty(), "said once");
    assert_eq!(allowed_of(&host, "alice", 10), 0, "the floor survives");
    pollster::block_on(host.reset(ask("alice").key, Epoch(0))).unwrap();
    assert_eq!(allowed_of(&host, "alice", 20), 10, "a reset overrides it");
    assert_eq!(allowed_of(&host, "bob", 10), 0, "for that client only");
}

/// Between the decision to give the counters up and the frame that says so, a crash must not leave an empty, whole journal.
#[test]
fn a_crash_while_starting_over_still_starts_over() {
    for write in 1.. {
        let (store, limits) = (Arc::new(MemoryStore::new()), ForAll::new(Some(policy(10))));
        let host = open(&store, &limits);
        assert_eq!(allowed_of(&host, "alice", 6), 6);
        kill_9(&store, host);
        store.damage(Damage::LoseMark);
        let failing = Arc::new(FailsAt { store: store.clone(), writes_left: Mutex::new(write) });
        let crashed = Host::open(failing, limits.clone(), options()).is_err();
        store.crash(Crash::Process);
        let host = open(&store, &limits);
        assert_eq!(allowed_of(&host, "alice", 10), 0, "crashed at write {write}");
        if !crashed {
            assert!(write > 4, "every write of a start was tried");
            return;
        }
    }
}

/// Fails the nth write from now on, as a process that dies there would never make it.
struct FailsAt {
    store: Arc<MemoryStore>,
    writes_left: Mutex<u32>,
}

impl FailsAt {
    fn count(&self) {
        let mut left = self.writes_left.lock().unwrap();
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.store.fail_next_write("crashed here");
        }
    }
}

impl Store for FailsAt {
    fn recover(&self, into: &mut dyn drl_store::Recovery) -> Result<drl_store::Recovered, drl_store::RecoverError> {
        self.store.recover(into)
    }
    fn append(
        &self,
        commit: drl_core::CommitNo,
        frame: &[u8],
        sync: drl_store::CommitSync,
    ) -> Result<(), drl_store::WriteError> {
        self.count();
        self.store.append(commit, frame, sync)
    }
    fn sync(&self) -> Result<(), drl_store::WriteError> {
        self.store.sync()
    }
    fn write_pages(&self, pages: &[(drl_store::PageId, Vec<u8>)]) -> Result<(), drl_store::WriteError> {
        self.store.write_pages(pages)
    }
    fn checkpoint(&self, upto: drl_core::CommitNo) -> Result<(), drl_store::WriteError> {
        self.store.checkpoint(upto)
    }
    fn discard_counters(&self) -> Result<(), drl_store::WriteError> {
        self.count();
        self.store.discard_counters()
    }
    fn put_records(&self, records: &[drl_store::Record]) -> Result<(), drl_store::WriteError> {
        self.count();
        self.store.put_records(records)
    }
    fn records(&self, kind: drl_store::RecordKind) -> Result<Vec<(Vec<u8>, Vec<u8>)>, drl_store::RecoverError> {
        self.store.records(kind)
    }
    fn mark_policies(&self, revision: u64) -> Result<(), drl_store::WriteError> {
        self.store.mark_policies(revision)
    }
    fn marked_policies(&self) -> Result<Option<u64>, drl_store::RecoverError> {
        self.store.marked_policies()
    }
    fn has_loose_policies(&self) -> bool {
        self.store.has_loose_policies()
    }
    fn journal_bytes(&self) -> u64 {
        self.store.journal_bytes()
    }
    fn close(&self) -> Result<(), drl_store::WriteError> {
        self.store.close()
    }
}

#[test]
fn checkpoints_run_beside_checks_and_change_nothing() {
    let (store, limits) = (Arc::new(MemoryStore::new()), ForAll::new(Some(policy(1_000_000_000))));
    let often = HostOptions { checkpoint_every: Duration::from_millis(1), ..options() };
    let host = Host::open(store.clone(), limits.clone(), often).unwrap();
    let clients: Vec<String> = (0..50).map(|client| format!("client-{client}")).collect();
    while host.stats().checkpoints < 20 {
        for client in &clients {
            let _ = check(&host, client);
        }
    }
    let used: Vec<u64> = clients.iter().map(|client| 1_000_000_000 - peek(&host, client)).collect();
    assert!(used.iter().all(|used| (1..1_000_000_000).contains(used)), "neither fresh nor used up: {used:?}");
    kill_9(&store, host);
    let host = open(&store, &limits);
    assert_eq!(host.stats().doubts, Vec::<String>::new());
    let after: Vec<u64> = clients.iter().map(|client| 1_000_000_000 - peek(&host, client)).collect();
    assert_eq!(used, after);
}

#[test]
fn a_policy_is_checkpointed_soon_even_when_nobody_is_counted() {
    let (store, limits) = (Arc::new(MemoryStore::new()), ForAll::new(None));
    let host = Host::open(store.clone(), limits, options()).unwrap();
    let key = b"a policy".to_vec();
    let policy = drl_store::Record { kind: drl_store::RecordKind::Policy, key, value: Some(Vec::new()) };
    store.put_records(&[policy]).unwrap();
    // A minute passes until the next regular checkpoint; far less is given here.
    let patience = drl_host::clock::monotonic().0 + 10_000_000_000;
    while store.has_loose_policies() {
        assert!(drl_host::clock::monotonic().0 < patience, "still loose after ten seconds");
        std::thread::yield_now();
    }
    assert!(host.stats().checkpoints <= 1);
}

fn peek(host: &Host, client: &str) -> u64 {
    pollster::block_on(host.check(Ask { action: Action::Peek, ..ask(client) })).unwrap().remaining
}

#[test]
fn many_threads_get_exactly_the_limit() {
    let (store, limits) = (Arc::new(MemoryStore::new()), ForAll::new(Some(policy(100))));
    let host = open(&store, &limits);
    let allowed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| allowed_of(&host, "alice", 50))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(allowed, 100);
}

#[test]
fn a_changed_limit_applies_at_once_and_keeps_consumption() {
    let (store, limits) = (Arc::new(MemoryStore::new()), ForAll::new(Some(policy(5))));
    let host = open(&store, &limits);
    assert_eq!(allowed_of(&host, "alice", 9), 5);
    limits.change(policy(8));
    assert_eq!(allowed_of(&host, "alice", 9), 3);
    limits.change(policy(2));
    assert!(!check(&host, "alice").allowed);
    assert_eq!(check(&host, "alice").policy_revision, 3);
}

#[test]
fn a_shadow_policy_lets_pass_and_says_what_it_would_have_done() {
    let (store, limits) = (Arc::new(MemoryStore::new()), ForAll::new(Some(policy_in(Mode::Shadow, 1))));
    let host = open(&store, &limits);
    assert_eq!(check(&host, "alice").reason, Reason::WithinLimit);
    let second = check(&host, "alice");
    assert_eq!((second.allowed, second.reason, second.retry), (true, Reason::Shadow, Retry::Now));
    assert_eq!(second.on_unavailable, OnUnavailable::Allow, "it denies nobody, also where nobody can decide");
    assert_eq!(host.stats().shadow_denied, 1);
}

#[test]
fn an_unknown_client_gets_what_the_operator_chose() {
    for (rule, allowed) in [(UnknownClient::Deny, false), (UnknownClient::Allow, true)] {
        let options = HostOptions { unknown_client: rule, ..options() };
        let host = Host::open(Arc::new(MemoryStore::new()), ForAll::new(None), options).unwrap();
        let decision = check(&host, "stranger");
        assert_eq!((decision.allowed, decision.reason), (allowed, Reason::UnknownClient));
        assert_eq!(host.stats().unknown_client, 1);
    }
}

#[test]
fn a_batch_that_is_too_long_is_refused_whole() {
    let (store, limits) = (Arc::new(MemoryStore::new()), ForAll::new(Some(policy(9))));
    let host = open(&store, &limits);
    let asks = vec![ask("alice"); drl_core::caps::BATCH_CHECKS_MAX + 1];
    let mut decisions = Vec::new();
    assert!(matches!(host.decide(&asks, &mut decisions), Err(Refused::BatchTooLong { checks: 1_025 })));
    assert!(decisions.is_empty());
    assert_eq!(allowed_of(&host, "alice", 10), 9);
}

#[test]
fn a_directory_of_another_shard_count_is_refused_and_named() {
    let (store, limits) = (Arc::new(MemoryStore::new()), ForAll::new(None));
    drop(open(&store, &limits));
    store.crash(Crash::Process);
    let other = HostOptions { shards: ShardCount::new(32).unwrap(), ..options() };
    let Err(error) = Host::open(store, limits, other) else { panic!("it opened") };
    assert!(matches!(error, OpenError::OtherShardCount { found: 16, wanted: 32 }), "{error}");
}

#[test]
fn closing_commits_what_is_open_and_refuses_what_comes_after() {
    let (store, limits) = (Arc::new(MemoryStore::new()), ForAll::new(Some(policy(10))));
    let host =
        Host::open(store.clone(), limits.clone(), HostOptions { journal_sync: JournalSync::Interval, ..options() });
    let host = host.unwrap();
    assert_eq!(allowed_of(&host, "alice", 6), 6);
    pollster::block_on(host.close()).unwrap();
    assert!(pollster::block_on(host.check(ask("alice"))).is_err());
    drop(host);
    store.crash(Crash::Power);
    let host =
        Host::open(store.clone(), limits.clone(), HostOptions { boot_id: "boot-2".to_owned(), ..options() }).unwrap();
    assert_eq!(allowed_of(&host, "alice", 10), 4, "a clean end is whole even after a power cut");
}

#[test]
fn a_refund_gives_back_and_a_reset_forgets() {
    let (store, limits) = (Arc::new(MemoryStore::new()), ForAll::new(Some(policy(3))));
    let host = open(&store, &limits);
    assert_eq!(allowed_of(&host, "alice", 5), 3);
    pollster::block_on(host.refund(ask("alice").key, Cost::ONE, None, Epoch(0))).unwrap();
    assert_eq!(allowed_of(&host, "alice", 5), 1);
    pollster::block_on(host.reset(ask("alice").key, Epoch(0))).unwrap();
    assert_eq!(allowed_of(&host, "alice", 5), 3);
}
