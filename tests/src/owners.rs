//! Who owns which shard of a cluster, and who follows, as the records stand in etcd.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use drl_core::{ClientId, LimitKey, Namespace, ShardCount, ShardId};
use drl_test_etcd::Server;
use serde_json::Value;

/// Who owns which shard, and who follows.
pub struct Owners {
    by_shard: BTreeMap<ShardId, (String, Option<String>)>,
}

impl Owners {
    pub(crate) fn read(etcd: &Server) -> Result<Self> {
        let prefix = "/drl/default/shards/";
        let lines = etcd.etcdctl(&["get", "--prefix", prefix])?;
        let lines: Vec<&str> = lines.lines().filter(|line| !line.is_empty()).collect();
        let mut by_shard = BTreeMap::new();
        for pair in lines.chunks(2) {
            let [key, record] = pair else { bail!("a key without a value") };
            let shard = key.strip_prefix(prefix).context("another key")?.parse()?;
            let record: Value = serde_json::from_str(record)?;
            let node = |role: &str| record[role]["node"].as_str().map(str::to_owned);
            by_shard.insert(ShardId::new(shard), (node("owner").context("no owner")?, node("follower")));
        }
        Ok(Self { by_shard })
    }

    /// The node that decides for a client of the default namespace.
    ///
    /// # Errors
    /// This can be no client, or nobody has claimed its shard.
    pub fn of(&self, client: &str) -> Result<&str> {
        Ok(&self.place_of(client)?.0)
    }

    /// The node that has the second copy of what decides for a client.
    ///
    /// # Errors
    /// As for [`Owners::of`].
    pub fn follower_of(&self, client: &str) -> Result<Option<&str>> {
        Ok(self.place_of(client)?.1.as_deref())
    }

    fn place_of(&self, client: &str) -> Result<&(String, Option<String>)> {
        let key = LimitKey::new(Namespace::DEFAULT, ClientId::new(client.as_bytes())?);
        let shards = ShardCount::new(u64::try_from(self.by_shard.len())?)?;
        self.by_shard.get(&key.shard(shards)).context("a shard without an owner")
    }

    /// So many clients of a node, with names that begin so.
    ///
    /// # Errors
    /// As for [`Owners::of`].
    pub fn clients_of(&self, node: &str, prefix: &str, count: usize) -> Result<Vec<String>> {
        let mut clients = Vec::new();
        // A node with a share of the shards has one name in a few.
        for number in 0..count * 100 {
            let client = format!("{prefix}{number}");
            if clients.len() < count && self.of(&client)? == node {
                clients.push(client);
            }
        }
        ensure!(clients.len() == count, "{node} owns next to nothing");
        Ok(clients)
    }
}
