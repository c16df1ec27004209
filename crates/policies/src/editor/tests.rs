//! The editor over embedded coordination: what is refused, and what becomes of a change that is not answered.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use drl_coordination::{
    Answer, ClusterId, ClusterName, Embedded, Failure, Grant, LeaseId, Listing, Prefix, Renewal, Seen, Ttl, Watch,
    WatchOptions,
};

use super::*;

const CALL: Duration = Duration::from_secs(5);
const FIVE: &[u8] = br#"{"limits":[{"requests":5,"window":"1m"}]}"#;
const EIGHT: &[u8] = br#"{"limits":[{"requests":8,"window":"1m"}]}"#;

/// What happens to the changes that are sent, in their order; afterwards all is well. Reads are not disturbed.
struct Scripted {
    store: Embedded,
    script: Mutex<VecDeque<Event>>,
}

enum Event {
    Fails(Failure),
    /// It fails like that, and somebody else writes this before it is sent again.
    FailsAndIsOvertaken(Failure, &'static str),
    /// Somebody else is faster.
    Raced(&'static str),
}

impl Scripted {
    fn editor(script: impl IntoIterator<Item = Event>) -> (PolicyEditor, Embedded) {
        let store = Embedded::new(ClusterId(7));
        let scripted = Self { store: store.node(), script: Mutex::new(script.into_iter().collect()) };
        (PolicyEditor::new(Arc::new(scripted), keys(), CALL), store)
    }

    fn next(&self) -> Option<Event> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Somebody else's change of the same key.
    async fn interfere(&self, txn: &Txn, value: &str) {
        let key = txn.compares[0].key().clone();
        let op = Op::Put { key, value: value.into(), lease: None };
        let other = Txn { then: vec![op], ..Txn::default() };
        assert!(self.store.node().transact(other, CALL).await.unwrap().is_committed());
    }
}

impl Coordination for Scripted {
    fn transact(&self, txn: Txn, within: Duration) -> Answer<'_, Result<Outcome, TxnError>> {
        Box::pin(async move {
            let event = if txn.then.iter().any(Op::is_change) { self.next() } else { None };
            if let Some(Event::Raced(value)) = event {
                self.interfere(&txn, value).await;
            }
            if let Some(Event::Fails(failure) | Event::FailsAndIsOvertaken(failure, _)) = event {
                self.store.fail_next(failure);
            }
            let outcome = self.store.transact(txn.clone(), within).await;
            if let Some(Event::FailsAndIsOvertaken(_, value)) = event {
                self.interfere(&txn, value).await;
            }
            outcome
        })
    }

    fn list(&self, prefix: Prefix, within: Duration) -> Answer<'_, Result<Listing, Fault>> {
        self.store.list(prefix, within)
    }

    fn page(
        &self,
        prefix: Prefix,
        after: Option<Key>,
        size: usize,
        within: Duration,
    ) -> Answer<'_, Result<Listing, Fault>> {
        self.store.page(prefix, after, size, within)
    }

    fn watch(&self, prefix: Prefix, options: WatchOptions) -> Watch {
        self.store.watch(prefix, options)
    }

    fn grant(&self, ttl: Ttl, within: Duration) -> Answer<'_, Result<Grant, Fault>> {
        self.store.grant(ttl, within)
    }

    fn renew(&self, lease: LeaseId, within: Duration) -> Answer<'_, Result<Renewal, Fault>> {
        self.store.renew(lease, within)
    }

    fn revoke(&self, lease: LeaseId, within: Duration) -> Answer<'_, Result<(), Fault>> {
        self.store.revoke(lease, within)
    }

    fn seen(&self) -> Option<Seen> {
        self.store.seen()
    }
}

fn keys() -> Keys {
    Keys::new(&ClusterName::default())
}

fn alice() -> Selector {
    Selector::Client(b"alice".to_vec())
}

fn requests(written: &WrittenPolicy) -> u64 {
    PolicyDocument::parse(written.json.as_bytes()).unwrap().limits()[0].requests()
}

async fn put(store: &Embedded, key: &str, value: &str) {
    let op = Op::Put { key: key.into(), value: value.into(), lease: None };
    store.transact(Txn { then: vec![op], ..Txn::default() }, CALL).await.unwrap();
}

#[tokio::test]
async fn what_is_set_is_shown_with_every_field_and_the_revision_of_the_change() {
    let (editor, store) = Scripted::editor([]);
    let revision = editor.set(Namespace::DEFAULT, &alice(), FIVE).await.unwrap();
    assert_eq!(Some(revision), store.seen().map(|seen| seen.revision.0));
    let written = editor.get(Namespace::DEFAULT, &alice()).await.unwrap().unwrap();
    assert_eq!((requests(&written), written.revision, &written.fault), (5, revision, &None));
    assert!(written.json.contains(r#""algorithm":"sliding-window""#), "{}", written.json);
    let again = editor.set(Namespace::DEFAULT, &alice(), FIVE).await.unwrap();
    assert!(again > revision);
    let gone = editor.delete(Namespace::DEFAULT, &alice()).await.unwrap();
    assert!(gone > again);
    assert_eq!(editor.get(Namespace::DEFAULT, &alice()).await.unwrap(), None);
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_anything_is_sent() {
    let (editor, store) = Scripted::editor([]);
    let revision = store.seen();
    let refused = editor.set(Namespace::DEFAULT, &alice(), br#"{"limits":[{"requests":0,"window":"1m"}]}"#).await;
    assert!(matches!(&refused, Err(EditError::Document(_))), "{refused:?}");
    assert!(refused.unwrap_err().to_string().contains("limits[0].requests: 0 is not possible"));
    let nobody = Selector::Client(Vec::new());
    assert!(matches!(editor.set(Namespace::DEFAULT, &nobody, FIVE).await, Err(EditError::Selector(_))));
    let missing = editor.delete(Namespace::DEFAULT, &alice()).await.unwrap_err();
    assert_eq!(missing.to_string(), "there is no policy for client alice in namespace default");
    assert_eq!(store.seen(), revision);
}

#[tokio::test]
async fn a_change_with_an_unknown_outcome_happens_once_whether_it_was_lost_or_done() {
    for failure in [Failure::UnknownLost, Failure::UnknownDone] {
        let (editor, store) = Scripted::editor([Event::Fails(failure), Event::Fails(failure)]);
        let revision = editor.set(Namespace::DEFAULT, &alice(), FIVE).await.unwrap();
        assert_eq!(revision, 2, "{failure:?}");
        assert_eq!(store.seen().map(|seen| seen.revision.0), Some(2));
        assert_eq!(editor.get(Namespace::DEFAULT, &alice()).await.unwrap().unwrap().revision, revision);
    }
    for failure in [Failure::UnknownLost, Failure::UnknownDone] {
        let (editor, store) = Scripted::editor([Event::Fails(failure)]);
        put(&store, "/drl/default/limits/default/clients/alice", "broken").await;
        let gone = editor.delete(Namespace::DEFAULT, &alice()).await.unwrap();
        assert_eq!((gone, store.seen().map(|seen| seen.revision.0)), (3, Some(3)), "{failure:?}");
    }
}

#[tokio::test]
async fn a_change_that_surely_did_not_happen_is_a_failure_that_may_be_tried_again() {
    let (editor, _) = Scripted::editor([Event::Fails(Failure::Unavailable)]);
    let error = editor.set(Namespace::DEFAULT, &alice(), FIVE).await.unwrap_err();
    assert!(matches!(error, EditError::NotChanged(TxnError::Unavailable(_))), "{error:?}");
    assert!(error.is_retryable() && error.to_string().contains("nothing was changed"));
    assert_eq!(editor.get(Namespace::DEFAULT, &alice()).await.unwrap(), None);
}

#[tokio::test]
async fn a_change_that_stays_unknown_is_said_to_be_so() {
    let (editor, _) = Scripted::editor((0..SENT_MAX).map(|_| Event::Fails(Failure::UnknownLost)));
    let error = editor.set(Namespace::DEFAULT, &alice(), FIVE).await.unwrap_err();
    assert!(matches!(error, EditError::Unsettled { .. }), "{error:?}");
    assert!(!error.is_retryable() && error.to_string().contains("look at the policy"));
}

#[tokio::test]
async fn somebody_else_who_is_faster_is_overwritten_as_if_he_had_come_before() {
    let (editor, _) = Scripted::editor([Event::Raced("broken"), Event::Raced("broken too")]);
    let revision = editor.set(Namespace::DEFAULT, &alice(), EIGHT).await.unwrap();
    let written = editor.get(Namespace::DEFAULT, &alice()).await.unwrap().unwrap();
    assert_eq!((requests(&written), written.revision), (8, revision));
}

#[tokio::test]
async fn somebody_else_who_writes_while_the_outcome_is_unknown_is_not_overwritten() {
    for failure in [Failure::UnknownLost, Failure::UnknownDone] {
        let (editor, _) = Scripted::editor([Event::FailsAndIsOvertaken(failure, "theirs")]);
        let error = editor.set(Namespace::DEFAULT, &alice(), EIGHT).await.unwrap_err();
        let EditError::Overtaken { revision, .. } = error else { panic!("{error:?}") };
        let written = editor.get(Namespace::DEFAULT, &alice()).await.unwrap().unwrap();
        assert_eq!((written.json.as_str(), written.revision), ("theirs", revision));
    }
}

#[tokio::test]
async fn pages_show_everything_once_broken_values_with_what_is_wrong() {
    let (editor, store) = Scripted::editor([]);
    let team = Namespace::new("team").unwrap();
    for id in ["c", "a", "b"] {
        editor.set(Namespace::DEFAULT, &Selector::Client(id.into()), FIVE).await.unwrap();
    }
    editor.set(team, &Selector::Default, EIGHT).await.unwrap();
    put(&store, "/drl/default/limits/default/clients/d", "{}").await;
    put(&store, "/drl/default/limits/stray", "{}").await;
    let pages = async |namespace, size| {
        let (mut shown, mut strays, mut after) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let page = editor.list(namespace, &after, size).await.unwrap();
            assert!(page.policies.len() + page.strays.len() <= size);
            let marked = |policy: &WrittenPolicy| if policy.fault.is_some() { "!" } else { "" };
            let text = |policy: &WrittenPolicy| format!("{} {}{}", policy.namespace, policy.selector, marked(policy));
            shown.extend(page.policies.iter().map(text));
            strays.extend(page.strays.into_iter().map(|stray| stray.key));
            match page.next {
                Some(next) => after = next,
                None => return (shown, strays),
            }
        }
    };
    let default = ["default client a", "default client b", "default client c", "default client d!"];
    assert_eq!(pages(Some(Namespace::DEFAULT), 1).await, (default.map(str::to_owned).to_vec(), Vec::new()));
    let (shown, strays) = pages(None, 2).await;
    assert_eq!(shown, [&default[..], &["team default"]].concat());
    assert_eq!(strays, ["/drl/default/limits/stray"]);
    assert_eq!(editor.list(None, b"", 0).await.unwrap().policies.len(), 5);
}
