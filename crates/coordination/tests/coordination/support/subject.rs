//! A store that the claims run on: the embedded one, or a real etcd. Each has keys of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use drl_coordination::{ClusterId, Coordination, Embedded, Etcd, Key, Prefix};
use drl_core::Nanos;
use drl_test_etcd::Server;

use super::{eventually, let_pass, write};

/// Runs each claim of a module on every implementation. Those behind `alone` get an etcd of their own, since what they do shows to
/// everyone.
macro_rules! claims {
    ($($name:ident),+ $(,)? $(; alone: $($alone:ident),+ $(,)?)?) => {
        mod embedded {
            use crate::support::subject::Subject;
            $(#[tokio::test] async fn $name() -> anyhow::Result<()> { super::$name(&Subject::embedded()).await })+
            $($(#[tokio::test] async fn $alone() -> anyhow::Result<()> { super::$alone(&Subject::embedded()).await })+)?
        }
        mod etcd {
            use crate::support::subject::Subject;
            $(#[tokio::test] async fn $name() -> anyhow::Result<()> {
                match Subject::etcd()? {
                    Some(subject) => super::$name(&subject).await,
                    None => Ok(()),
                }
            })+
            $($(#[tokio::test] async fn $alone() -> anyhow::Result<()> {
                match Subject::etcd_alone()? {
                    Some(subject) => super::$alone(&subject).await,
                    None => Ok(()),
                }
            })+)?
        }
    };
}

pub(crate) use claims;

pub(crate) struct Subject {
    store: Store,
    root: String,
}

enum Store {
    Embedded(Embedded),
    Shared(&'static Server),
    Own(Server),
}

impl Subject {
    pub(crate) fn embedded() -> Self {
        Self { store: Store::Embedded(Embedded::new(ClusterId(7))), root: "/drl/test/".to_owned() }
    }

    /// `None` where there is no etcd.
    pub(crate) fn etcd() -> Result<Option<Self>> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let Some(server) = Server::shared()? else { return Ok(None) };
        let root = format!("/drl/test{}/", NUMBER.fetch_add(1, Ordering::Relaxed));
        Ok(Some(Self { store: Store::Shared(server), root }))
    }

    /// On an etcd of its own; `None` where there is none.
    pub(crate) fn etcd_alone() -> Result<Option<Self>> {
        let server = Server::start(&[])?;
        Ok(server.map(|server| Self { store: Store::Own(server), root: "/drl/test/".to_owned() }))
    }

    /// A node's own way to the store.
    pub(crate) async fn node(&self) -> Result<Arc<dyn Coordination>> {
        Ok(match &self.store {
            Store::Embedded(embedded) => Arc::new(embedded.node()),
            Store::Shared(server) => Arc::new(Etcd::new(crate::support::options(server)?).await?),
            Store::Own(server) => Arc::new(Etcd::new(crate::support::options(server)?).await?),
        })
    }

    pub(crate) fn key(&self, name: &str) -> Key {
        Key::from(format!("{}{name}", self.root))
    }

    pub(crate) fn prefix(&self, name: &str) -> Prefix {
        Prefix::from(format!("{}{name}", self.root))
    }

    /// Lets time pass for leases.
    pub(crate) async fn pass(&self, span: Duration) {
        match &self.store {
            Store::Embedded(embedded) => embedded.advance(Nanos::from(span)),
            Store::Shared(_) | Store::Own(_) => let_pass(span).await,
        }
    }

    /// Forgets every change up to now.
    pub(crate) async fn compact(&self) -> Result<()> {
        match &self.store {
            Store::Embedded(embedded) => embedded.compact(),
            Store::Shared(_) => bail!("others would notice: run this claim alone"),
            Store::Own(server) => {
                let store = self.node().await?;
                let revision = write(&*store, &self.key("compaction"), "x").await?.revision();
                server.etcdctl(&["compact", &revision.to_string()])?;
            }
        }
        Ok(())
    }

    /// Waits until a key is gone.
    pub(crate) async fn gone(&self, store: &dyn Coordination, key: &Key) -> Result<()> {
        let asked = || async { Ok(super::read(store, key).await?.is_none().then_some(())) };
        eventually("a key goes", asked).await
    }
}
