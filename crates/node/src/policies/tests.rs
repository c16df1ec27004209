//! Policies over the in-memory store: what survives, what is refused, what a broken record does.

use drl_core::ClientId;
use drl_host::{Host, HostOptions};
use drl_store::MemoryStore;

use super::*;

const HUNDRED: &[u8] = br#"{"limits":[{"requests":100,"window":"1m"}]}"#;
const TEN: &[u8] = br#"{"limits":[{"requests":10,"window":"1s"}],"algorithm":"token-bucket","burst":20}"#;

/// A store that was recovered, as it is by the time anybody changes policies.
fn store() -> Arc<dyn Store> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let policies: Arc<dyn ConfigurationService> = Arc::new(StoredPolicies::load(Arc::clone(&store)).unwrap());
    drop(Host::open(Arc::clone(&store), policies, HostOptions::new("boot".to_owned())).unwrap());
    store
}

fn client(id: &str) -> Selector {
    Selector::Client(id.into())
}

fn limit_of(policies: &StoredPolicies, id: &str) -> Option<(u64, u64)> {
    let key = LimitKey::new(Namespace::DEFAULT, ClientId::new(id.as_bytes()).unwrap());
    policies.get(key).map(|found| (found.policy.limits()[0].requests(), found.revision))
}

#[test]
fn policies_and_the_revision_survive_a_restart_deletions_included() {
    let store = store();
    let policies = StoredPolicies::load(Arc::clone(&store)).unwrap();
    assert_eq!(policies.set(Namespace::DEFAULT, Selector::Default, HUNDRED).unwrap(), 1);
    assert_eq!(policies.set(Namespace::DEFAULT, client("alice"), TEN).unwrap(), 2);
    assert_eq!(policies.set(Namespace::DEFAULT, client("bob"), TEN).unwrap(), 3);
    assert_eq!(policies.delete(Namespace::DEFAULT, &client("bob")).unwrap(), 4);
    let again = StoredPolicies::load(store).unwrap();
    assert_eq!(again.revision(), 4);
    assert_eq!(limit_of(&again, "alice"), Some((10, 2)));
    assert_eq!(limit_of(&again, "bob"), Some((100, 1)));
    assert_eq!(again.set(Namespace::DEFAULT, client("bob"), TEN).unwrap(), 5);
}

#[test]
fn what_is_refused_changes_nothing() {
    let policies = StoredPolicies::load(store()).unwrap();
    policies.set(Namespace::DEFAULT, client("alice"), HUNDRED).unwrap();
    let broken = policies.set(Namespace::DEFAULT, client("alice"), br#"{"limits":[{"requests":0,"window":"1m"}]}"#);
    assert!(broken.unwrap_err().to_string().contains("limits[0].requests"));
    assert!(policies.set(Namespace::DEFAULT, client(""), HUNDRED).is_err());
    assert!(matches!(policies.delete(Namespace::DEFAULT, &client("bob")), Err(ChangeError::NotFound { .. })));
    assert_eq!(limit_of(&policies, "alice"), Some((100, 1)));
    assert_eq!(policies.revision(), 1);
}

#[test]
fn a_broken_record_is_counted_and_the_others_are_in_force() {
    let store = store();
    let policies = StoredPolicies::load(Arc::clone(&store)).unwrap();
    policies.set(Namespace::DEFAULT, client("alice"), HUNDRED).unwrap();
    let key = record::key(Namespace::DEFAULT, &client("mallory"));
    let value = Some([&7u64.to_le_bytes()[..], b"{\"limits\":[]}"].concat());
    store.put_records(&[Record { kind: RecordKind::Policy, key, value }]).unwrap();
    let again = StoredPolicies::load(store).unwrap();
    assert_eq!((again.counted().count, again.counted().broken), (1, 1));
    assert_eq!(limit_of(&again, "alice"), Some((100, 1)));
    again.set(Namespace::DEFAULT, client("mallory"), HUNDRED).unwrap();
    assert_eq!(limit_of(&again, "mallory"), Some((100, 2)));
}

#[test]
fn lost_changes_are_noticed_until_somebody_changes_a_policy() {
    let store = store();
    let policies = StoredPolicies::load(Arc::clone(&store)).unwrap();
    for id in ["alice", "bob", "mallory"] {
        policies.set(Namespace::DEFAULT, client(id), TEN).unwrap();
    }
    assert!(policies.is_complete());
    // As a cut database would leave it: the last two changes never happened.
    let lost = |id| Record { kind: RecordKind::Policy, key: record::key(Namespace::DEFAULT, &client(id)), value: None };
    let (key, value) = (record::REVISION_KEY.to_vec(), Some(1_u64.to_le_bytes().to_vec()));
    store.put_records(&[lost("bob"), lost("mallory"), Record { kind: RecordKind::Meta, key, value }]).unwrap();
    for _ in 0..2 {
        let again = StoredPolicies::load(Arc::clone(&store)).unwrap();
        assert_eq!((again.is_complete(), again.counted().missing), (false, 2), "at every start");
        assert_eq!(limit_of(&again, "alice"), Some((10, 1)));
    }
    let again = StoredPolicies::load(Arc::clone(&store)).unwrap();
    assert_eq!(again.set(Namespace::DEFAULT, client("bob"), TEN).unwrap(), 4, "no number is given twice");
    assert_eq!((again.is_complete(), again.counted().missing), (true, 0));
    assert!(StoredPolicies::load(store).unwrap().is_complete());
}

#[test]
fn pages_show_every_policy_once_in_order() {
    let policies = StoredPolicies::load(store()).unwrap();
    let other = Namespace::new("other").unwrap();
    for id in ["c", "a", "b"] {
        policies.set(Namespace::DEFAULT, client(id), HUNDRED).unwrap();
    }
    policies.set(Namespace::DEFAULT, Selector::Prefix(b"z".to_vec()), HUNDRED).unwrap();
    policies.set(other, Selector::Default, TEN).unwrap();
    let pages = |namespace, size| {
        let (mut shown, mut after) = (Vec::new(), Vec::new());
        loop {
            let page = policies.list(namespace, &after, size);
            assert!(page.policies.len() <= size);
            shown.extend(page.policies.iter().map(|policy| format!("{} {}", policy.namespace, policy.selector)));
            match page.next {
                Some(next) => after = next,
                None => return shown,
            }
        }
    };
    let default = ["default prefix z", "default client a", "default client b", "default client c"];
    assert_eq!(pages(Some(Namespace::DEFAULT), 1), default);
    assert_eq!(pages(Some(other), 2), ["other default"]);
    assert_eq!(pages(None, 2), [&default[..], &["other default"]].concat());
    assert_eq!(policies.stored(other, &Selector::Default).unwrap().revision, 5);
}

#[test]
fn a_failed_write_stops_the_host_over_the_same_store() {
    let memory = Arc::new(MemoryStore::new());
    let store: Arc<dyn Store> = memory.clone();
    let policies = Arc::new(StoredPolicies::load(Arc::clone(&store)).unwrap());
    let host = Host::open(store, policies.clone(), HostOptions::new("boot".to_owned())).unwrap();
    policies.stops(host.stopper());
    memory.fail_next_write("no space left");
    assert!(matches!(policies.set(Namespace::DEFAULT, Selector::Default, HUNDRED), Err(ChangeError::Write(_))));
    assert!(host.ready().unwrap_err().reason.contains("no space left"));
    assert_eq!(limit_of(&policies, "alice"), None);
}

#[test]
fn a_watcher_hears_of_every_change() {
    let policies = StoredPolicies::load(store()).unwrap();
    let mut watcher = policies.watch();
    policies.set(Namespace::DEFAULT, Selector::Default, HUNDRED).unwrap();
    assert!(watcher.has_changed().unwrap());
    assert_eq!(*watcher.borrow_and_update(), 1);
}
