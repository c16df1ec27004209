//! Everything under a prefix, as of one revision. The revision comes from the log and the pages are read at exactly that revision, so
//! that neither a member which is behind nor a change in between can show: a member that has not got there yet says so.

use std::time::Duration;

use drl_core::caps::{COORDINATION_MESSAGE_BYTES_MAX, LISTING_KEYS_MAX, LISTING_PAGE_KEYS};
use etcd_client::GetOptions;
use etcd_client::proto::PbRangeResponse;
use tokio::time::timeout;

use super::classify::{Kind, Trouble};
use super::transact::finally;
use super::{Shared, convert};
use crate::standing::Way;
use crate::{Entry, Fault, Header, Key, Listing, Prefix, Revision};

/// How often the listing starts again when its revision is compacted away meanwhile, or another member does not know it yet.
const STARTS_MAX: usize = 5;

/// What is asked for: all of a prefix, or some of it.
pub(super) struct Part<'a> {
    prefix: &'a Prefix,
    start: Key,
    size: usize,
}

impl<'a> Part<'a> {
    fn all(prefix: &'a Prefix) -> Self {
        let start = if prefix.as_bytes().is_empty() { vec![0] } else { prefix.as_bytes().to_vec() };
        Self { prefix, start: Key::from(start), size: usize::MAX }
    }

    /// At most `size` entries behind the key `after`.
    pub(super) fn behind(prefix: &'a Prefix, after: Option<&Key>, size: usize) -> Self {
        let all = Self::all(prefix);
        let start = after.filter(|after| **after >= all.start).map(behind).unwrap_or(all.start);
        Self { prefix, start, size }
    }
}

impl Shared {
    pub(super) async fn list(&self, prefix: &Prefix, within: Duration) -> Result<Listing, Fault> {
        self.list_part(&Part::all(prefix), within).await
    }

    pub(super) async fn list_part(&self, part: &Part<'_>, within: Duration) -> Result<Listing, Fault> {
        let listing = timeout(within, self.list_again(part, within)).await;
        listing.unwrap_or(Err(Fault::NoAnswer { within }))
    }

    async fn list_again(&self, part: &Part<'_>, within: Duration) -> Result<Listing, Fault> {
        let mut left = STARTS_MAX;
        loop {
            let trouble = match self.list_once(part, within).await {
                Ok(listing) => return Ok(listing),
                Err(trouble) => trouble,
            };
            left = left.saturating_sub(1);
            if trouble.kind != Kind::Revision || left == 0 {
                return Err(trouble.fault);
            }
        }
    }

    async fn list_once(&self, part: &Part<'_>, within: Duration) -> Result<Listing, Trouble> {
        let Part { prefix, size, .. } = *part;
        let mut start = part.start.clone();
        let header = self.newest(&start, within).await?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut limit = LISTING_PAGE_KEYS;
        loop {
            let missing = size.saturating_sub(entries.len());
            if missing == 0 {
                return Ok(Listing { header, revision: header.revision, entries });
            }
            let page = match self.page(&start, prefix, header.revision, limit.min(missing), within).await {
                Err(Trouble { kind: Kind::TooLarge, .. }) if limit > 1 => {
                    limit /= 2;
                    continue;
                }
                page => page?,
            };
            let is_last = !page.more;
            for found in page.kvs {
                entries.push(convert::entry(found).map_err(finally)?);
            }
            if entries.len() > LISTING_KEYS_MAX {
                return Err(finally(Fault::TooManyKeys { prefix: prefix.clone() }));
            }
            match entries.last() {
                Some(last) if !is_last => start = behind(&last.key),
                _ => return Ok(Listing { header, revision: header.revision, entries }),
            }
        }
    }

    async fn page(
        &self,
        start: &Key,
        prefix: &Prefix,
        revision: Revision,
        limit: usize,
        within: Duration,
    ) -> Result<PbRangeResponse, Trouble> {
        // At a given revision every member that has it has the same.
        let options = GetOptions::new()
            .with_range(prefix.end().unwrap_or_else(|| vec![0]))
            .with_revision(convert::number(revision))
            .with_limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .with_serializable();
        let answer = self.call(within, |client| {
            let options = options.clone();
            async move {
                let mut kv = client.kv_client().max_decoding_message_size(COORDINATION_MESSAGE_BYTES_MAX);
                kv.get(start.as_bytes(), Some(options)).await.map(|response| response.0)
            }
        });
        let response = answer.await?;
        let header: Header = convert::header(response.header.as_ref()).map_err(finally)?;
        self.judge(Way::Member, &header).map_err(finally)?;
        Ok(response)
    }
}

/// The first key behind this one.
fn behind(key: &Key) -> Key {
    let mut bytes = key.as_bytes().to_vec();
    bytes.push(0);
    Key::from(bytes)
}
