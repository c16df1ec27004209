//! A ledger as its users see it: what goes in comes out of pages and frames again, whatever was lost in between.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use drl_core::{CommitNo, Cost, Epoch, KeyHash, ShardCount, ShardId, ShardTime};
use drl_engine::{Charge, HEAD_BUCKET, Ledger, Outcome, Recoverer};
use drl_limits::{Algorithm, Limit, OnStateLoss, Policy, PolicySpec, Reason, Retry};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
const SHARDS: u64 = 4;

fn shards() -> ShardCount {
    ShardCount::new(SHARDS).unwrap()
}

fn policy(algorithm: Algorithm, requests: u64, window: &str) -> Policy {
    let limits = vec![Limit::new(requests, window.parse().unwrap()).unwrap()];
    Policy::new(PolicySpec { limits, algorithm, ..PolicySpec::default() }).unwrap()
}

fn key(id: u64) -> (ShardId, KeyHash) {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&id.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    bytes[8..].copy_from_slice(&id.to_le_bytes());
    (ShardId::new(u16::try_from(id % SHARDS).unwrap()), KeyHash::from_bytes(bytes))
}

fn charge(id: u64, policy: &Policy, cost: u64) -> Charge<'_> {
    let (shard, key) = key(id);
    Charge { shard, key, policy, cost: Cost::new(cost).unwrap() }
}

fn at(seconds: u64) -> ShardTime {
    ShardTime(seconds * SECOND)
}

/// What a store would hold: pages by place, frames in order.
#[derive(Default)]
struct Disk {
    pages: std::collections::BTreeMap<(ShardId, u8), Vec<u8>>,
    frames: Vec<Vec<u8>>,
}

impl Disk {
    fn commit(&mut self, ledger: &mut Ledger) {
        let mut frame = Vec::new();
        while ledger.seal(7, &mut frame).is_some() {
            self.frames.push(frame.clone());
        }
    }

    /// A checkpoint; `cut` frames of the journal are dropped afterwards.
    fn checkpoint(&mut self, ledger: &mut Ledger, now: ShardTime, cut: usize) {
        for shard in shards().iter() {
            for page in ledger.take_pages(shard, now) {
                self.pages.insert((shard, page.bucket), page.payload);
            }
        }
        self.frames.drain(..cut.min(self.frames.len()));
    }

    fn recover(&self, epoch: u64) -> Ledger {
        let mut recoverer = Recoverer::new(shards());
        for ((shard, bucket), payload) in &self.pages {
            if !payload.is_empty() {
                recoverer.page(*shard, *bucket, payload).unwrap();
            }
        }
        for frame in &self.frames {
            recoverer.frame(frame).unwrap();
        }
        recoverer.finish(Epoch(epoch), CommitNo(1_000))
    }
}

fn remaining(ledger: &mut Ledger, id: u64, policy: &Policy, now: ShardTime) -> u64 {
    ledger.peek(charge(id, policy, 0), now).remaining
}

#[test]
fn an_admission_is_a_change_and_a_denial_or_a_peek_is_not() {
    let hourly = policy(Algorithm::SlidingWindow, 1, "1h");
    let mut ledger = Ledger::new(shards(), Epoch(1), CommitNo(0));
    assert_eq!(ledger.charge(charge(1, &hourly, 1), at(10)).1, Outcome::Changed);
    assert_eq!(ledger.open_rows(), 1);
    assert_eq!(ledger.charge(charge(1, &hourly, 1), at(11)).1, Outcome::Unchanged);
    assert!(!ledger.peek(charge(1, &hourly, 0), at(11)).allowed);
    assert_eq!(ledger.counters(), 1);
    assert!(ledger.peek(charge(2, &hourly, 0), at(11)).allowed);
    assert_eq!(ledger.counters(), 1, "a peek creates nothing");
}

#[test]
fn a_hot_counter_stands_once_in_a_frame() {
    let hourly = policy(Algorithm::TokenBucket, 1_000, "1h");
    let mut ledger = Ledger::new(shards(), Epoch(1), CommitNo(0));
    for _ in 0..500 {
        let _ = ledger.charge(charge(1, &hourly, 1), at(10));
    }
    assert_eq!(ledger.open_rows(), 1);
    let mut frame = Vec::new();
    assert_eq!(ledger.seal(7, &mut frame), Some(CommitNo(1)));
    assert!(frame.len() < 150, "{} bytes", frame.len());
    assert_eq!(ledger.seal(7, &mut frame), None, "nothing is open any more");
}

#[test]
fn a_frame_is_frozen() {
    let hourly = policy(Algorithm::TokenBucket, 100, "1h");
    let mut ledger = Ledger::new(shards(), Epoch(3), CommitNo(0));
    let _ = ledger.charge(charge(1, &hourly, 5), ShardTime(0x0102_0304));
    let mut frame = Vec::new();
    let _ = ledger.seal(7, &mut frame);
    let hex: Vec<String> = frame.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex.concat(), FROZEN_FRAME);
}

const FROZEN_FRAME: &str = concat!(
    "02",                                   // format
    "0700000000000000",                     // policy revision
    "53000000",                             // where the dictionary is
    "01000000",                             // sections
    "0100",                                 // shard
    "0300000000000000",                     // epoch
    "0100000000000000",                     // seq
    "0403020100000000",                     // shard time
    "0000000000000000",                     // no floor
    "00",                                   // changes, not a snapshot
    "01000000",                             // rows
    "157c4a7fb979379e0100000000000000",     // key
    "0000",                                 // shape 0
    "0403020100000000",                     // busy since
    "0a",                                   // 5 spent, nothing late
    "0100",                                 // shapes
    "010300a0b830460300006400000000000000"  // one limit, a token bucket, an hour, 100
);

#[test]
fn what_was_committed_comes_back_and_what_was_open_does_not() {
    let hourly = policy(Algorithm::FixedWindow, 100, "1h");
    let (mut ledger, mut disk) = (Ledger::new(shards(), Epoch(1), CommitNo(0)), Disk::default());
    let _ = ledger.charge(charge(1, &hourly, 60), at(10));
    disk.commit(&mut ledger);
    let _ = ledger.charge(charge(1, &hourly, 30), at(11));
    let mut back = disk.recover(2);
    assert_eq!(remaining(&mut back, 1, &hourly, at(12)), 40);
    assert_eq!(back.latest(), at(12), "time goes on from what was recovered");
}

#[test]
fn the_last_section_by_epoch_and_seq_wins_whatever_order_frames_come_in() {
    let hourly = policy(Algorithm::FixedWindow, 100, "1h");
    let mut disk = Disk::default();
    let mut old = Ledger::new(shards(), Epoch(1), CommitNo(0));
    for _ in 0..5 {
        let _ = old.charge(charge(1, &hourly, 1), at(10));
        disk.commit(&mut old);
    }
    // The next epoch starts its sequence anew: its first frame is later than the fifth of the old one.
    let mut new = disk.recover(2);
    let _ = new.charge(charge(1, &hourly, 50), at(20));
    disk.commit(&mut new);
    assert_eq!(remaining(&mut disk.recover(3), 1, &hourly, at(20)), 45);
    let last = disk.frames.len() - 1;
    disk.frames.swap(0, last);
    assert_eq!(remaining(&mut disk.recover(3), 1, &hourly, at(20)), 45, "stale frames change nothing");
}

#[test]
fn a_checkpoint_drops_expired_counters_and_the_rest_survives_a_cut_journal() {
    let (minute, hour) = (policy(Algorithm::SlidingWindow, 9, "1m"), policy(Algorithm::SlidingWindow, 9, "1h"));
    let (mut ledger, mut disk) = (Ledger::new(shards(), Epoch(1), CommitNo(0)), Disk::default());
    for id in 0..100 {
        let policy = if id % 2 == 0 { &minute } else { &hour };
        let _ = ledger.charge(charge(id, policy, 4), at(10));
    }
    disk.commit(&mut ledger);
    disk.checkpoint(&mut ledger, at(10), usize::MAX);
    assert_eq!(disk.recover(2).counters(), 100);
    disk.checkpoint(&mut ledger, at(70), usize::MAX);
    assert_eq!(ledger.counters(), 50);
    let mut back = disk.recover(2);
    assert_eq!(back.counters(), 50);
    assert_eq!(remaining(&mut back, 1, &hour, at(70)), 5);
    assert_eq!(remaining(&mut back, 0, &minute, at(70)), 9);
    disk.checkpoint(&mut ledger, at(70), 0);
    assert!(ledger.take_pages(ShardId::new(1), at(70)).is_empty(), "nothing changed, nothing to write");
    disk.checkpoint(&mut ledger, at(4_000), 0);
    let rows_left = disk.pages.iter().filter(|((_, bucket), page)| *bucket != HEAD_BUCKET && !page.is_empty()).count();
    assert_eq!((ledger.counters(), rows_left), (0, 0));
}

#[test]
fn lost_state_counts_as_used_up_for_one_window_and_says_so() {
    let hourly = policy(Algorithm::SlidingWindow, 3, "1h");
    let (mut ledger, mut disk) = (Ledger::new(shards(), Epoch(2), CommitNo(0)), Disk::default());
    ledger.lose_everything(at(100));
    disk.commit(&mut ledger);
    for mut ledger in [ledger, disk.recover(3)] {
        let decision = ledger.charge(charge(1, &hourly, 1), at(100)).0;
        assert!(!decision.allowed);
        assert_eq!(decision.reason, Reason::StateLost);
        assert_eq!(decision.retry, Retry::After(drl_core::Nanos(3_600 * SECOND)));
        assert!(!ledger.charge(charge(1, &hourly, 1), ShardTime(3_700 * SECOND - 1)).0.allowed);
        assert!(ledger.charge(charge(1, &hourly, 1), at(3_700)).0.allowed);
    }
}

#[test]
fn a_policy_may_choose_to_start_anew_after_a_loss() {
    let limits = vec![Limit::new(3, "1h".parse().unwrap()).unwrap()];
    let lenient = PolicySpec { limits, on_state_loss: OnStateLoss::Allow, ..PolicySpec::default() };
    let lenient = Policy::new(lenient).unwrap();
    let mut ledger = Ledger::new(shards(), Epoch(2), CommitNo(0));
    ledger.lose_everything(at(100));
    assert!(ledger.charge(charge(1, &lenient, 3), at(100)).0.allowed);
    assert!(!ledger.charge(charge(1, &lenient, 1), at(100)).0.allowed);
}

#[test]
fn a_reset_overrides_lost_state_and_outlives_restart_and_checkpoint() {
    let hourly = policy(Algorithm::SlidingWindow, 3, "1h");
    let (mut ledger, mut disk) = (Ledger::new(shards(), Epoch(2), CommitNo(0)), Disk::default());
    ledger.lose_everything(at(100));
    let (shard, hash) = key(1);
    assert_eq!(ledger.reset(shard, hash, at(101)), Outcome::Changed);
    disk.commit(&mut ledger);
    disk.checkpoint(&mut ledger, at(102), usize::MAX);
    let mut back = disk.recover(3);
    assert_eq!(remaining(&mut back, 1, &hourly, at(102)), 3);
    assert_eq!(remaining(&mut back, 2, &hourly, at(102)), 0, "others still wait");
}

#[test]
fn a_reset_counter_is_gone_after_a_restart_too() {
    let hourly = policy(Algorithm::SlidingWindow, 3, "1h");
    let (mut ledger, mut disk) = (Ledger::new(shards(), Epoch(2), CommitNo(0)), Disk::default());
    let _ = ledger.charge(charge(1, &hourly, 3), at(100));
    disk.commit(&mut ledger);
    let (shard, hash) = key(1);
    assert_eq!(ledger.reset(shard, hash, at(101)), Outcome::Changed);
    assert_eq!(ledger.reset(shard, hash, at(101)), Outcome::Unchanged);
    let _ = ledger.charge(charge(1, &hourly, 1), at(102));
    disk.commit(&mut ledger);
    assert_eq!(remaining(&mut disk.recover(3), 1, &hourly, at(102)), 2);
}

#[test]
fn a_changed_policy_is_a_change_even_when_it_denies() {
    let (fixed, sliding) = (policy(Algorithm::FixedWindow, 5, "1h"), policy(Algorithm::SlidingWindow, 5, "1h"));
    let mut ledger = Ledger::new(shards(), Epoch(1), CommitNo(0));
    let _ = ledger.charge(charge(1, &fixed, 5), at(3_500));
    let mut frame = Vec::new();
    let _ = ledger.seal(1, &mut frame);
    let (decision, outcome) = ledger.charge(charge(1, &sliding, 1), at(3_550));
    assert_eq!((decision.allowed, outcome), (false, Outcome::Noted));
    assert_eq!(ledger.open_rows(), 1);
    assert!(!ledger.charge(charge(1, &sliding, 1), at(3_650)).0.allowed, "the fixed window's end opens nothing");
}

#[test]
fn malformed_frames_and_pages_are_refused_whole() {
    let hourly = policy(Algorithm::SlidingWindow, 100, "1h");
    let mut ledger = Ledger::new(shards(), Epoch(1), CommitNo(0));
    for id in 0..20 {
        let _ = ledger.charge(charge(id, &hourly, 1), at(10));
    }
    let mut frame = Vec::new();
    let _ = ledger.seal(1, &mut frame);
    for cut in 0..frame.len() {
        let mut recoverer = Recoverer::new(shards());
        assert!(recoverer.frame(&frame[..cut]).is_err(), "cut at {cut}");
        assert_eq!(recoverer.finish(Epoch(2), CommitNo(0)).counters(), 0);
    }
    let mut recoverer = Recoverer::new(ShardCount::new(1).unwrap());
    assert!(recoverer.frame(&frame).is_err(), "a shard that does not exist");
    for page in ledger.take_pages(ShardId::new(1), at(10)) {
        let mut recoverer = Recoverer::new(shards());
        let elsewhere = (page.bucket + 1) % HEAD_BUCKET;
        let wrong_bucket = page.bucket != HEAD_BUCKET && !page.payload.is_empty();
        assert!(!wrong_bucket || recoverer.page(ShardId::new(1), elsewhere, &page.payload).is_err());
        for cut in 0..page.payload.len() {
            assert!(recoverer.page(ShardId::new(1), page.bucket, &page.payload[..cut]).is_err());
        }
        assert!(recoverer.page(ShardId::new(4), page.bucket, &page.payload).is_err());
    }
}

#[derive(Debug, Clone)]
enum Step {
    Charge { id: u64, cost: u64, kind: usize },
    Refund { id: u64, cost: u64 },
    Reset { id: u64 },
    Wait { seconds: u64 },
    Commit,
    Checkpoint,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..40u64, 1..4u64, 0..4usize).prop_map(|(id, cost, kind)| Step::Charge { id, cost, kind }),
        1 => (0..40u64, 1..4u64).prop_map(|(id, cost)| Step::Refund { id, cost }),
        1 => (0..40u64).prop_map(|id| Step::Reset { id }),
        2 => (0..200u64).prop_map(|seconds| Step::Wait { seconds }),
        2 => Just(Step::Commit),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// However checkpoints, cuts and restarts fall, a ledger that commits before it restarts decides like one that never does.
    #[test]
    fn restarts_and_checkpoints_change_no_decision(steps in proptest::collection::vec(step(), 1..120)) {
        let policies = [
            policy(Algorithm::SlidingWindow, 5, "1m"),
            policy(Algorithm::FixedWindow, 5, "1m"),
            policy(Algorithm::TokenBucket, 5, "1m"),
            policy(Algorithm::SlidingWindow, 7, "5m"),
        ];
        let (mut real, mut model) = (Ledger::new(shards(), Epoch(1), CommitNo(0)), Ledger::new(shards(), Epoch(1), CommitNo(0)));
        let (mut disk, mut epoch, mut now) = (Disk::default(), 1, at(1_000));
        let mut committed = 0;
        for step in steps {
            match step {
                Step::Charge { id, cost, kind } => {
                    let check = charge(id, &policies[kind], cost);
                    prop_assert_eq!(real.charge(check, now).0, model.charge(check, now).0);
                }
                Step::Refund { id, cost } => {
                    let ((shard, hash), cost) = (key(id), Cost::new(cost).unwrap());
                    let _ = (real.refund(shard, hash, cost, now, now), model.refund(shard, hash, cost, now, now));
                }
                Step::Reset { id } => {
                    let (shard, hash) = key(id);
                    let _ = (real.reset(shard, hash, now), model.reset(shard, hash, now));
                }
                Step::Wait { seconds } => now = ShardTime(now.0 + seconds * SECOND),
                Step::Commit => {
                    disk.commit(&mut real);
                    committed = disk.frames.len();
                }
                Step::Checkpoint => {
                    disk.checkpoint(&mut real, now, committed);
                    committed = 0;
                }
                Step::Restart => {
                    disk.commit(&mut real);
                    committed = disk.frames.len();
                    epoch += 1;
                    real = disk.recover(epoch);
                }
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), bucket in 0..=HEAD_BUCKET) {
        let mut recoverer = Recoverer::new(shards());
        let _ = recoverer.frame(&bytes);
        let _ = recoverer.page(ShardId::new(0), bucket, &bytes);
    }
}
