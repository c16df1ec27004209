//! The last good policies as they are read back at the start. One that cannot be read is said and left out: it waits for the store.

use drl_configuration::PolicySet;
use drl_coordination::{Key, Keys, Revision};
use drl_core::Namespace;

use crate::book::Book;
use crate::broken::shown;
use crate::record::{self, Mark};
use crate::texts::Texts;
use crate::{LastGood, LastGoodError, place};

pub(super) struct Loaded {
    pub(super) set: PolicySet,
    pub(super) book: Book,
    /// The highest of a policy or of the mark.
    pub(super) revision: u64,
    pub(super) mark: Option<Mark>,
    /// Keys of records that are no policies of this cluster.
    pub(super) unreadable: Vec<Key>,
}

pub(super) fn load(last_good: &dyn LastGood, keys: &Keys) -> Result<Loaded, LastGoodError> {
    let mut records = last_good.load()?;
    let mut mark = None;
    records.retain(|(key, value)| {
        let is_mark = key == record::MARK_KEY;
        if is_mark {
            mark = Mark::read(value).ok();
        }
        !is_mark
    });
    let book = Book::new(keys.clone(), mark.map(|mark| mark.cluster));
    let revision = mark.map_or(0, |mark| mark.revision.0);
    let mut loaded = Loaded { set: PolicySet::new(), book, revision, mark, unreadable: Vec::new() };
    let mut texts = Texts::default();
    // Whatever else is kept in the same place is not touched.
    for (key, value) in records.into_iter().filter(|(key, _)| key.starts_with(b"/")) {
        let key = Key::from(key);
        if let Err(reason) = loaded.admit(keys, &key, &value, &mut texts) {
            tracing::error!(key = shown(&key), reason, "a last good policy on disk cannot be read; it waits for etcd");
            loaded.unreadable.push(key);
        }
    }
    let (policies, unreadable) = (loaded.set.len(), loaded.unreadable.len());
    tracing::info!(policies, unreadable, revision = loaded.revision, "last good policies in force");
    Ok(loaded)
}

impl Loaded {
    fn admit(&mut self, keys: &Keys, key: &Key, value: &[u8], texts: &mut Texts) -> Result<(), String> {
        let place = place::of(keys, key).map_err(|invalid| invalid.to_string())?;
        let entry = record::read(value, texts).map_err(|bad| bad.to_string())?;
        let namespace = Namespace::new(&place.namespace).map_err(|invalid| invalid.to_string())?;
        let revision = entry.revision;
        let inserted = self.set.insert(namespace, place::selector(place.whom), entry);
        inserted.map_err(|refused| refused.to_string())?;
        self.book.load(key.clone(), Revision(revision));
        self.revision = self.revision.max(revision);
        Ok(())
    }
}
