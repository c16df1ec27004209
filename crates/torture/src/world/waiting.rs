//! What a world says of itself, and waiting until it is whole.

use anyhow::{Context, Result};
use drl_test_etcd::Server;
use drl_tests::cluster::{SOON, eventually, records};
use serde_json::Value;

use super::World;

impl World {
    /// Whether a node has ended by itself, once it has.
    ///
    /// # Errors
    /// The system does not say.
    pub(crate) fn has_ended(&mut self, index: usize) -> Result<Option<()>> {
        match &mut self.seats[index].node {
            Some(node) => Ok(node.ended()?.map(drop)),
            None => Ok(Some(())),
        }
    }

    /// A member of etcd that runs.
    ///
    /// # Errors
    /// None does.
    pub(crate) fn member(&mut self) -> Result<&Server> {
        let index = self.etcd.iter_mut().position(|member| !member.has_ended()).context("no member of etcd runs")?;
        Ok(&self.etcd[index])
    }

    /// The records of all shards.
    ///
    /// # Errors
    /// etcd does not answer.
    pub(crate) fn records(&mut self) -> Result<Vec<Value>> {
        records(self.member()?)
    }

    /// Waits until every shard has a copy in sync.
    ///
    /// # Errors
    /// Not within three minutes: a shard whose copies were all away is waited for that long at most.
    pub(crate) fn whole(&mut self) -> Result<()> {
        eventually("every shard has a copy in sync", 3 * SOON, || {
            // etcd may not answer yet.
            let records = self.records().unwrap_or_default();
            let is_whole = !records.is_empty() && records.iter().all(|record| record["in_sync"] == true);
            Ok(is_whole.then_some(()))
        })
    }

    /// Waits until every shard has a copy in sync, and no record names this node.
    ///
    /// # Errors
    /// Not within a minute.
    pub(crate) fn whole_without(&mut self, index: usize) -> Result<()> {
        let gone = format!("n{}", index + 1);
        eventually("every shard has a copy in sync elsewhere", SOON, || {
            let records = self.records()?;
            let is_elsewhere = |record: &Value| {
                record["in_sync"] == true && ["owner", "follower"].iter().all(|role| record[role]["node"] != *gone)
            };
            Ok(records.iter().all(is_elsewhere).then_some(()))
        })
    }
}
