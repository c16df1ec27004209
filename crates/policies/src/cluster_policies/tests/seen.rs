//! How far the store is seen: never further than what is in force, never back, and on demand up to the present.

use std::sync::atomic::AtomicUsize;

use drl_coordination::{Answer, Grant, LeaseId, Listing, Outcome, Renewal, Seen, Ttl, TxnError, Watch};
use tokio::time::Instant;

use super::*;

const ELSEWHERE: &str = "/drl/default/nodes/n1";

/// A node whose changes and whose watch take different ways to the store, so that one can be away without the other.
struct Apart {
    writing: Embedded,
    watching: Embedded,
    writes: AtomicUsize,
}

impl Apart {
    fn at(place: &Place) -> Arc<Self> {
        Arc::new(Self { writing: place.store.node(), watching: place.store.node(), writes: AtomicUsize::new(0) })
    }

    fn writes(&self) -> usize {
        self.writes.load(Ordering::Relaxed)
    }

    async fn start(self: &Arc<Self>, place: &Place) -> Arc<ClusterPolicies> {
        let options = ClusterPoliciesOptions::default();
        let policies = ClusterPolicies::start(self.clone(), keys(), place.disk.clone(), options).await.unwrap();
        timeout(SOON, policies.until_synced()).await.unwrap();
        policies
    }
}

impl Coordination for Apart {
    fn transact(&self, txn: Txn, within: Duration) -> Answer<'_, Result<Outcome, TxnError>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.writing.transact(txn, within)
    }

    fn list(&self, prefix: Prefix, within: Duration) -> Answer<'_, Result<Listing, Fault>> {
        self.writing.list(prefix, within)
    }

    fn watch(&self, prefix: Prefix, options: WatchOptions) -> Watch {
        self.watching.watch(prefix, options)
    }

    fn grant(&self, ttl: Ttl, within: Duration) -> Answer<'_, Result<Grant, Fault>> {
        self.writing.grant(ttl, within)
    }

    fn renew(&self, lease: LeaseId, within: Duration) -> Answer<'_, Result<Renewal, Fault>> {
        self.writing.renew(lease, within)
    }

    fn revoke(&self, lease: LeaseId, within: Duration) -> Answer<'_, Result<(), Fault>> {
        self.writing.revoke(lease, within)
    }

    fn seen(&self) -> Option<Seen> {
        self.writing.seen()
    }
}

fn seen(policies: &ClusterPolicies) -> u64 {
    *policies.seen().borrow()
}

async fn until_seen(policies: &ClusterPolicies, revision: u64) {
    timeout(SOON, policies.seen().wait_for(|seen| *seen >= revision)).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_changes_elsewhere_is_seen_on_demand_and_no_policy_changes() {
    let place = place();
    let good = place.put(ALICE, policy(5)).await;
    let policies = place.start().await;
    assert_eq!(seen(&policies), good);
    let elsewhere = place.put(ELSEWHERE, "x").await;
    let mut watcher = policies.watch();
    policies.look_again(elsewhere);
    until_seen(&policies, elsewhere).await;
    // A second milestone changes one that is there.
    let more = place.put(ELSEWHERE, "y").await;
    policies.look_again(more);
    until_seen(&policies, more).await;
    assert_eq!((policies.revision(), watcher.borrow_and_update().to_owned()), (good, good));
    let counted = policies.counted();
    assert_eq!((counted.policies, counted.broken, counted.refused), (1, 0, 0));
    // Nor does a listing take it for one.
    drop(policies);
    let policies = place.start().await;
    assert_eq!((policies.counted().policies, policies.counted().broken), (1, 0));
    assert!(seen(&policies) > more);
}

#[tokio::test]
async fn a_node_that_started_earlier_gets_to_what_a_later_one_started_with() {
    let place = place();
    let good = place.put(ALICE, policy(5)).await;
    let first = place.start().await;
    place.put(ELSEWHERE, "x").await;
    let other_disk = Place { store: place.store.clone(), disk: Arc::default() };
    let last = other_disk.start().await;
    assert!(last.revision() > first.revision() && seen(&first) == good);
    first.look_again(last.revision());
    until_seen(&first, last.revision()).await;
}

#[tokio::test]
async fn a_change_that_is_late_in_the_watch_is_not_claimed() {
    let place = place();
    let good = place.put(ALICE, policy(5)).await;
    let way = Apart::at(&place);
    let policies = way.start(&place).await;
    way.watching.cut();
    let late = place.put(ALICE, policy(8)).await;
    until("the cut is noticed", || policies.trouble().is_some()).await;
    policies.look_again(late);
    until("the milestone is set", || way.writes() > 0).await;
    // It is asked for again meanwhile, and none of the answers counts.
    until("another one is set", || way.writes() > 1).await;
    assert_eq!((seen(&policies), limit_of(&policies, "alice")), (good, Some((5, good))));
    way.watching.heal();
    until_seen(&policies, late).await;
    assert_eq!(limit_of(&policies, "alice"), Some((8, late)));
}

#[tokio::test]
async fn whoever_sees_a_revision_finds_every_change_up_to_it() {
    let place = place();
    let policies = place.start().await;
    let mut seen = policies.seen();
    for requests in 1..=200 {
        let put = place.put(ALICE, policy(requests)).await;
        let elsewhere = place.put(keys().milestone().to_string().as_str(), "").await;
        timeout(SOON, seen.wait_for(|seen| *seen >= put)).await.unwrap().unwrap();
        assert_eq!(limit_of(&policies, "alice"), Some((requests, put)));
        timeout(SOON, seen.wait_for(|seen| *seen >= elsewhere)).await.unwrap().unwrap();
        assert_eq!(policies.revision(), put);
    }
}

#[tokio::test]
async fn what_is_seen_starts_with_what_the_disk_has_as_a_whole_and_never_goes_back() {
    let place = place();
    place.put(ALICE, policy(5)).await;
    let good = place.put(DEFAULT, policy(3)).await;
    let policies = place.start().await;
    timeout(SOON, policies.until_saved()).await.unwrap();
    drop(policies);
    let (policies, store) = place.start_cut().await;
    assert_eq!(seen(&policies), good);
    let mut before = 0;
    for _ in 0..3 {
        store.heal();
        place.put(ALICE, policy(8)).await;
        let milestone = place.put(&keys().milestone().to_string(), "").await;
        until_seen(&policies, milestone).await;
        assert!(seen(&policies) > before);
        before = seen(&policies);
        store.cut();
        place.put(ELSEWHERE, "x").await;
        until("the cut is noticed", || policies.trouble().is_some()).await;
        // Neither with the store away, nor by what somebody claims of an earlier time, nor by an update that comes late.
        policies.look_again(1);
        policies.shared.say_seen(1);
        assert_eq!(seen(&policies), before);
    }
}

#[tokio::test]
async fn a_disk_that_may_miss_a_change_claims_nothing_until_the_store_was_listed() {
    let place = place();
    let good = place.put(ALICE, policy(5)).await;
    let policies = place.start().await;
    timeout(SOON, policies.until_saved()).await.unwrap();
    drop(policies);
    // A save that was cut short: a later policy, and not the mark that would come with the last change.
    let record = [&(good + 40).to_le_bytes()[..], policy(8).as_bytes()].concat();
    place.disk.save(&[(ALICE.into(), Some(record.clone()))]).unwrap();
    let (policies, _) = place.start_cut().await;
    assert_eq!((policies.revision(), seen(&policies)), (good + 40, good));
    // Or a record that cannot be read.
    place.disk.save(&[(DEFAULT.into(), Some(b"short".to_vec()))]).unwrap();
    assert_eq!(seen(&place.start_cut().await.0), 0);
    // And without any mark.
    place.disk.save(&[(record::MARK_KEY.to_vec(), None)]).unwrap();
    let (policies, store) = place.start_cut().await;
    assert_eq!((policies.revision(), seen(&policies)), (good + 40, 0));
    store.heal();
    timeout(SOON, policies.until_synced()).await.unwrap();
    assert!(seen(&policies) >= policies.revision());
}

#[tokio::test]
async fn many_who_ask_cost_one_look_and_two_looks_are_a_second_apart() {
    let place = place();
    let way = Apart::at(&place);
    let policies = way.start(&place).await;
    // What is seen already is not asked for, however long one waits.
    policies.look_again(seen(&policies));
    let _ = timeout(Duration::from_millis(300), std::future::pending::<()>()).await;
    assert_eq!(way.writes(), 0);
    let elsewhere = place.put(ELSEWHERE, "x").await;
    for _ in 0..10_000 {
        policies.look_again(elsewhere);
    }
    until_seen(&policies, elsewhere).await;
    let first = Instant::now();
    assert_eq!(way.writes(), 1);
    let more = place.put(ELSEWHERE, "y").await;
    policies.look_again(more);
    until_seen(&policies, more).await;
    assert!(first.elapsed() > Duration::from_millis(900), "{:?}", first.elapsed());
    assert_eq!(way.writes(), 2);
}

#[tokio::test]
async fn with_the_store_away_it_is_asked_until_it_answers() {
    let place = place();
    let way = Apart::at(&place);
    let policies = way.start(&place).await;
    way.writing.cut();
    let elsewhere = place.put(ELSEWHERE, "x").await;
    policies.look_again(elsewhere);
    until("it is asked twice", || way.writes() > 1).await;
    assert!(seen(&policies) < elsewhere);
    way.writing.heal();
    until_seen(&policies, elsewhere).await;
}
