//! The service over embedded coordination: what is in force after which change, failure and restart.

mod seen;

use drl_coordination::{ClusterId, ClusterName, Embedded, Key, Op, Prefix, Txn};
use drl_core::ClientId;
use drl_core::caps::{NAMESPACES_MAX, POLICY_BYTES_MAX};
use tokio::time::{interval, timeout};

use super::*;
use crate::InMemoryLastGood;
use crate::record::{self, Mark};

const SOON: Duration = Duration::from_secs(20);
const ALICE: &str = "/drl/default/limits/default/clients/alice";
const DEFAULT: &str = "/drl/default/limits/default/default";

/// A store, and a node's disk beside it.
struct Place {
    store: Embedded,
    disk: Arc<InMemoryLastGood>,
}

fn place() -> Place {
    Place { store: Embedded::new(ClusterId(7)), disk: Arc::default() }
}

fn keys() -> Keys {
    Keys::new(&ClusterName::default())
}

fn policy(requests: u64) -> String {
    format!(r#"{{"limits":[{{"requests":{requests},"window":"1m"}}]}}"#)
}

/// Relists often, so that what waits for a relisting does not wait long.
fn options() -> ClusterPoliciesOptions {
    let watch = WatchOptions { relist_every: Duration::from_millis(20), ..WatchOptions::default() };
    ClusterPoliciesOptions { watch, save_pause: Duration::from_millis(1), ..ClusterPoliciesOptions::default() }
}

impl Place {
    /// A node that starts, on a way of its own to the store. It has not heard of anything yet.
    async fn start_with(&self, store: Embedded, options: ClusterPoliciesOptions) -> Arc<ClusterPolicies> {
        ClusterPolicies::start(Arc::new(store), keys(), self.disk.clone(), options).await.unwrap()
    }

    async fn start(&self) -> Arc<ClusterPolicies> {
        let policies = self.start_with(self.store.node(), ClusterPoliciesOptions::default()).await;
        timeout(SOON, policies.until_synced()).await.unwrap();
        policies
    }

    /// A node whose store is away.
    async fn start_cut(&self) -> (Arc<ClusterPolicies>, Embedded) {
        let store = self.store.node();
        store.cut();
        (self.start_with(store.clone(), ClusterPoliciesOptions::default()).await, store)
    }

    async fn change(&self, op: Op) -> u64 {
        let txn = Txn { then: vec![op], ..Txn::default() };
        self.store.transact(txn, SOON).await.unwrap().revision().0
    }

    /// As by hand.
    async fn put(&self, key: &str, value: impl Into<Vec<u8>>) -> u64 {
        self.change(Op::Put { key: key.into(), value: value.into(), lease: None }).await
    }

    async fn delete(&self, key: &str) -> u64 {
        self.change(Op::Delete { key: key.into() }).await
    }
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let asking = async {
        let mut ticks = interval(Duration::from_millis(1));
        while !is_so() {
            ticks.tick().await;
        }
    };
    timeout(SOON, asking).await.unwrap_or_else(|_| panic!("{what}: not within {SOON:?}"));
}

async fn until_revision(policies: &ClusterPolicies, revision: u64) {
    timeout(SOON, policies.watch().wait_for(|now| *now >= revision)).await.unwrap().unwrap();
}

/// Requests and revision of what applies to a client of the default namespace.
fn limit_of(policies: &ClusterPolicies, id: &str) -> Option<(u64, u64)> {
    let key = LimitKey::new(Namespace::DEFAULT, ClientId::new(id.as_bytes()).unwrap());
    policies.get(key).map(|found| (found.policy.limits()[0].requests(), found.revision))
}

#[tokio::test]
async fn a_put_is_in_force_with_its_revision_and_a_deletion_takes_it_out() {
    let place = place();
    let before = place.put(DEFAULT, policy(3)).await;
    let policies = place.start().await;
    assert_eq!(policies.revision(), before);
    assert!(policies.is_complete());
    let put = place.put(ALICE, policy(5)).await;
    until_revision(&policies, put).await;
    assert_eq!(limit_of(&policies, "alice"), Some((5, put)));
    assert_eq!(limit_of(&policies, "bob"), Some((3, before)));
    let changed = place.put(ALICE, policy(8)).await;
    until_revision(&policies, changed).await;
    assert_eq!(limit_of(&policies, "alice"), Some((8, changed)));
    let deleted = place.delete(ALICE).await;
    until_revision(&policies, deleted).await;
    assert_eq!(limit_of(&policies, "alice"), Some((3, before)));
    assert_eq!(policies.counted().policies, 1);
}

#[tokio::test]
async fn what_is_not_a_policy_never_replaces_one_and_is_listed_with_its_reason() {
    let place = place();
    let good = place.put(ALICE, policy(5)).await;
    let policies = place.start().await;
    let huge = format!("{}{}", policy(9), " ".repeat(POLICY_BYTES_MAX));
    let broken: [(&[u8], &str); 7] = [
        (b"{\"limits\":[{\"requests\":9,", "not JSON"),
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (br#"{"limits":[]}"#, "limits: 0 limits are not possible"),
        (br#"{"limits":[{"requests":0,"window":"1m"}]}"#, "limits[0].requests"),
        (br#"{"limits":[{"requests":9,"window":"1m"}],"brust":3}"#, "brust"),
        (huge.as_bytes(), "bytes are too many for a policy"),
    ];
    for (number, (value, reason)) in (1..).zip(broken) {
        let revision = place.put(ALICE, value).await;
        until("it is refused", || policies.counted().refused == number).await;
        let listed = policies.broken();
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].key.as_str(), listed[0].since_revision), (ALICE, revision));
        assert!(listed[0].reason.contains(reason), "{}", listed[0].reason);
        assert_eq!(limit_of(&policies, "alice"), Some((5, good)));
        assert_eq!((policies.revision(), policies.counted().broken), (good, 1));
    }
    let mended = place.put(ALICE, policy(8)).await;
    until_revision(&policies, mended).await;
    assert_eq!(limit_of(&policies, "alice"), Some((8, mended)));
    assert_eq!((policies.broken(), policies.counted().broken), (Vec::new(), 0));
}

#[tokio::test]
async fn keys_that_are_no_keys_of_policies_are_listed_and_harm_nothing() {
    let place = place();
    let good = place.put(ALICE, policy(5)).await;
    let policies = place.start().await;
    let strays = [
        ("/drl/default/limits/a b/default", "not a name"),
        ("/drl/default/limits/default/clients/", "1 to 256 bytes"),
        ("/drl/default/limits/default/clients/%61lice", "write it as alice"),
        ("/drl/default/limits/default/clients/x%", "hexadecimal"),
        ("/drl/default/limits/default/default/x", "clients/CLIENT_ID"),
        ("/drl/default/limits/default/prefix/x", "clients/CLIENT_ID"),
        ("/drl/default/limits/x", "clients/CLIENT_ID"),
    ];
    for (key, _) in strays {
        place.put(key, policy(9)).await;
    }
    until("all are refused", || policies.counted().broken == strays.len()).await;
    for ((key, reason), found) in strays.iter().zip(policies.broken()) {
        assert_eq!(*key, found.key);
        assert!(found.reason.contains(reason), "{}", found.reason);
    }
    assert_eq!(limit_of(&policies, "alice"), Some((5, good)));
    for (key, _) in strays {
        place.delete(key).await;
    }
    until("none is left", || policies.counted().broken == 0).await;
    assert_eq!(policies.counted().refused, strays.len() as u64);
}

#[tokio::test]
async fn a_client_that_never_had_a_good_value_falls_to_the_default() {
    let place = place();
    place.put(ALICE, "broken").await;
    let policies = place.start().await;
    assert_eq!(limit_of(&policies, "alice"), None);
    let default = place.put(DEFAULT, policy(3)).await;
    until_revision(&policies, default).await;
    assert_eq!(limit_of(&policies, "alice"), Some((3, default)));
    assert_eq!(policies.counted().broken, 1);
}

#[tokio::test]
async fn after_a_broken_watch_what_is_missing_is_gone_and_what_is_broken_keeps_its_last_good() {
    let place = place();
    let (bob, carol) = ("/drl/default/limits/default/clients/bob", "/drl/default/limits/default/prefixes/car");
    let good = place.put(ALICE, policy(5)).await;
    place.put(bob, policy(6)).await;
    let store = place.store.node();
    let policies = place.start_with(store.clone(), ClusterPoliciesOptions::default()).await;
    timeout(SOON, policies.until_synced()).await.unwrap();
    store.cut();
    place.put(ALICE, "broken").await;
    place.delete(bob).await;
    let new = place.put(carol, policy(7)).await;
    until("the cut is noticed", || policies.trouble().is_some()).await;
    place.store.compact();
    store.heal();
    until_revision(&policies, new).await;
    assert_eq!(limit_of(&policies, "alice"), Some((5, good)));
    assert_eq!(limit_of(&policies, "bob"), None);
    assert_eq!(limit_of(&policies, "carol"), Some((7, new)));
    assert_eq!(policies.broken()[0].key, ALICE);
    assert_eq!(policies.trouble(), None);
}

#[tokio::test]
async fn a_policy_that_was_deleted_and_came_back_broken_is_gone_whether_the_deletion_was_seen_or_not() {
    let place = place();
    place.put(ALICE, policy(5)).await;
    let store = place.store.node();
    let blind = place.start_with(store.clone(), ClusterPoliciesOptions::default()).await;
    timeout(SOON, blind.until_synced()).await.unwrap();
    let seeing = place.start().await;
    store.cut();
    place.delete(ALICE).await;
    place.put(ALICE, "broken").await;
    until("the cut is noticed", || blind.trouble().is_some()).await;
    place.store.compact();
    store.heal();
    for policies in [blind, seeing] {
        until("it is refused", || policies.counted().broken == 1).await;
        assert_eq!(limit_of(&policies, "alice"), None);
    }
}

#[tokio::test]
async fn the_last_good_policies_are_in_force_after_a_restart_without_a_store() {
    let place = place();
    let default = place.put(DEFAULT, policy(3)).await;
    let good = place.put(ALICE, policy(5)).await;
    let policies = place.start().await;
    timeout(SOON, policies.until_saved()).await.unwrap();
    drop(policies);
    let (policies, store) = place.start_cut().await;
    assert_eq!(limit_of(&policies, "alice"), Some((5, good)));
    assert_eq!(limit_of(&policies, "bob"), Some((3, default)));
    assert_eq!(policies.revision(), good);
    assert!(policies.is_complete() && !policies.synced());
    let changed = place.put(ALICE, policy(8)).await;
    store.heal();
    until_revision(&policies, changed).await;
    assert_eq!(limit_of(&policies, "alice"), Some((8, changed)));
    timeout(SOON, policies.until_synced()).await.unwrap();
}

#[tokio::test]
async fn the_last_good_policies_are_in_force_after_a_restart_with_only_broken_values() {
    let place = place();
    let default = place.put(DEFAULT, policy(3)).await;
    let good = place.put(ALICE, policy(5)).await;
    let policies = place.start().await;
    place.put(ALICE, "broken").await;
    place.put(DEFAULT, "broken").await;
    until("both are refused", || policies.counted().refused == 2).await;
    timeout(SOON, policies.until_saved()).await.unwrap();
    drop(policies);
    for _ in 0..2 {
        let policies = place.start().await;
        assert_eq!(limit_of(&policies, "alice"), Some((5, good)));
        assert_eq!(limit_of(&policies, "bob"), Some((3, default)));
        assert_eq!(policies.broken().len(), 2);
        timeout(SOON, policies.until_saved()).await.unwrap();
    }
}

#[tokio::test]
async fn without_a_store_and_without_a_disk_nothing_is_known_to_be_complete() {
    let place = place();
    let (policies, store) = place.start_cut().await;
    assert!(!policies.is_complete() && !policies.synced());
    until("the cut is noticed", || policies.trouble().is_some()).await;
    store.heal();
    timeout(SOON, policies.until_synced()).await.unwrap();
    assert!(policies.is_complete());
    // An empty set is a set too, and is known after a restart.
    timeout(SOON, policies.until_saved()).await.unwrap();
    drop(policies);
    assert!(place.start_cut().await.0.is_complete());
}

#[tokio::test]
async fn a_save_that_fails_is_said_and_tried_again_and_the_policy_is_in_force_meanwhile() {
    let place = place();
    let save_pause = Duration::from_millis(200);
    let options = ClusterPoliciesOptions { save_pause, ..ClusterPoliciesOptions::default() };
    let policies = place.start_with(place.store.node(), options).await;
    timeout(SOON, async { (policies.until_synced().await, policies.until_saved().await) }).await.unwrap();
    place.disk.fail_next("no space left");
    let first = place.put(ALICE, policy(5)).await;
    until_revision(&policies, first).await;
    assert_eq!(limit_of(&policies, "alice"), Some((5, first)));
    until("the failure is said", || policies.counted().save_trouble.is_some()).await;
    assert!(policies.counted().unsaved > 0);
    // What came while the first change waited is what is on disk in the end.
    let last = place.put(ALICE, policy(8)).await;
    until_revision(&policies, last).await;
    timeout(SOON, policies.until_saved()).await.unwrap();
    let counted = policies.counted();
    assert_eq!((counted.unsaved, counted.save_trouble), (0, None));
    drop(policies);
    assert_eq!(limit_of(&place.start_cut().await.0, "alice"), Some((8, last)));
}

#[tokio::test]
async fn nothing_is_saved_before_it_is_allowed() {
    let place = place();
    let put = place.put(ALICE, policy(5)).await;
    let options = ClusterPoliciesOptions { saving: Saving::WhenAllowed, ..ClusterPoliciesOptions::default() };
    let policies = place.start_with(place.store.node(), options).await;
    until_revision(&policies, put).await;
    assert!(timeout(Duration::from_millis(50), policies.until_saved()).await.is_err());
    assert_eq!((place.disk.saves(), place.disk.load().unwrap().len()), (0, 0));
    policies.allow_saving();
    timeout(SOON, policies.until_saved()).await.unwrap();
    assert_eq!(place.disk.load().unwrap().len(), 2);
}

#[tokio::test]
async fn a_restart_and_a_relisting_write_nothing_that_is_on_disk_already() {
    let place = place();
    place.put(ALICE, policy(5)).await;
    place.put(DEFAULT, "broken").await;
    let policies = place.start().await;
    timeout(SOON, policies.until_saved()).await.unwrap();
    drop(policies);
    let saves = place.disk.saves();
    let policies = place.start_with(place.store.node(), options()).await;
    timeout(SOON, policies.until_synced()).await.unwrap();
    // Several relistings pass before this one change.
    let mut ticks = interval(Duration::from_millis(50));
    for _ in 0..3 {
        ticks.tick().await;
    }
    assert_eq!((policies.counted().refused, place.disk.saves()), (1, saves));
    let changed = place.put(ALICE, policy(6)).await;
    until_revision(&policies, changed).await;
    timeout(SOON, policies.until_saved()).await.unwrap();
    assert_eq!(place.disk.saves(), saves + 1);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_left_out_until_the_store_says_what_is_right() {
    let place = place();
    let good = place.put(ALICE, policy(5)).await;
    let policies = place.start().await;
    timeout(SOON, policies.until_saved()).await.unwrap();
    drop(policies);
    let other = "/drl/other/limits/default/default";
    let bad = [
        (ALICE.into(), Some(b"short".to_vec())),
        (other.into(), Some(b"12345678{}".to_vec())),
        (b"somebody else's".to_vec(), Some(b"x".to_vec())),
    ];
    place.disk.save(&bad).unwrap();
    let (policies, store) = place.start_cut().await;
    assert_eq!(limit_of(&policies, "alice"), None);
    assert!(!policies.is_complete());
    store.heal();
    timeout(SOON, policies.until_synced()).await.unwrap();
    assert_eq!(limit_of(&policies, "alice"), Some((5, good)));
    timeout(SOON, policies.until_saved()).await.unwrap();
    let keys: Vec<_> = place.disk.load().unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [ALICE.as_bytes(), record::MARK_KEY, b"somebody else's"]);
}

#[tokio::test]
async fn a_disk_that_cannot_be_read_at_all_is_an_error() {
    let place = place();
    place.disk.fail_next("input/output error");
    let started =
        ClusterPolicies::start(Arc::new(place.store), keys(), place.disk, ClusterPoliciesOptions::default()).await;
    assert!(started.unwrap_err().to_string().contains("input/output error"));
}

#[tokio::test]
async fn policies_of_another_cluster_on_disk_are_good_until_this_one_has_better() {
    let place = place();
    let entry =
        record::read(&[&9u64.to_le_bytes()[..], policy(5).as_bytes()].concat(), &mut crate::texts::Texts::default());
    let mark = Mark { cluster: ClusterId(3), revision: drl_coordination::Revision(900) };
    let value = record::value(&entry.unwrap());
    place.disk.save(&[(ALICE.into(), Some(value)), (record::MARK_KEY.into(), Some(mark.value()))]).unwrap();
    for _ in 0..20 {
        place.put("/elsewhere", "x").await;
    }
    // Its key is younger than the number on disk, which is of another count.
    place.put(ALICE, "broken").await;
    let policies = place.start().await;
    assert_eq!(limit_of(&policies, "alice"), Some((5, 9)));
    // The revision goes on where it was, although this store is not as far.
    let mut watcher = policies.watch();
    let changed = place.put(ALICE, policy(8)).await;
    timeout(SOON, watcher.changed()).await.unwrap().unwrap();
    assert_eq!(limit_of(&policies, "alice"), Some((8, changed)));
    assert_eq!(policies.revision(), 901);
}

#[tokio::test]
async fn policies_there_is_no_room_for_are_broken_and_get_in_when_there_is() {
    let place = place();
    let namespaced = |number: usize| format!("/drl/default/limits/n{number}/default");
    for number in 0..=NAMESPACES_MAX {
        place.put(&namespaced(number), policy(5)).await;
    }
    let policies = place.start_with(place.store.node(), options()).await;
    timeout(SOON, policies.until_synced()).await.unwrap();
    let counted = policies.counted();
    assert_eq!((counted.policies, counted.broken), (NAMESPACES_MAX, 1));
    assert!(policies.broken()[0].reason.contains("namespaces already"), "{:?}", policies.broken());
    place.delete(&namespaced(0)).await;
    until("it gets in", || policies.counted().broken == 0).await;
    assert_eq!((policies.counted().policies, policies.counted().refused), (NAMESPACES_MAX, 1));
}

#[tokio::test]
async fn a_dropped_service_leaves_no_task_behind() {
    let place = place();
    let policies = place.start().await;
    let shared = Arc::downgrade(&policies.shared);
    drop(policies);
    until("its tasks end", || shared.strong_count() == 0 && Arc::strong_count(&place.disk) == 1).await;
}

#[tokio::test]
async fn changes_of_one_transaction_are_in_force_together() {
    let place = place();
    place.put(ALICE, policy(5)).await;
    let policies = place.start().await;
    let op = |key: &str, value: String| Op::Put { key: key.into(), value: value.into(), lease: None };
    let txn = Txn {
        then: vec![
            op(DEFAULT, policy(3)),
            Op::Delete { key: Key::from(ALICE) },
            op("/drl/default/limits/x", policy(1)),
        ],
        ..Txn::default()
    };
    let revision = place.store.transact(txn, SOON).await.unwrap().revision().0;
    until_revision(&policies, revision).await;
    assert_eq!(limit_of(&policies, "alice"), Some((3, revision)));
    until("the stray is listed", || policies.counted().broken == 1).await;
    assert_eq!(place.store.list(Prefix::from("/drl/default/limits/"), SOON).await.unwrap().entries.len(), 2);
}
