//! The requests of a log, packed: a time and the number of a key, 16 bytes each, and every distinct key once.

use std::collections::HashMap;
use std::sync::Arc;

use drl_core::ShardTime;
use drl_core::caps::REPLAY_REQUESTS_MAX;

use crate::replay::TooManyRequests;

/// The number of a key: 0, 1, 2, ... in the order of their first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyIndex(u32);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) time: ShardTime,
    pub(crate) key: KeyIndex,
}

#[derive(Debug, Default)]
pub(crate) struct Requests {
    in_log_order: Vec<Request>,
    keys: Vec<Arc<[u8]>>,
    index_of: HashMap<Arc<[u8]>, KeyIndex>,
}

impl KeyIndex {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl Requests {
    pub(crate) fn push(&mut self, time: ShardTime, key: &[u8]) -> Result<(), TooManyRequests> {
        if self.in_log_order.len() >= REPLAY_REQUESTS_MAX {
            return Err(TooManyRequests);
        }
        let key = match self.index_of.get(key) {
            Some(index) => *index,
            None => self.intern(key)?,
        };
        self.in_log_order.push(Request { time, key });
        Ok(())
    }

    fn intern(&mut self, key: &[u8]) -> Result<KeyIndex, TooManyRequests> {
        let index = KeyIndex(u32::try_from(self.keys.len()).map_err(|_| TooManyRequests)?);
        let key: Arc<[u8]> = key.into();
        self.keys.push(Arc::clone(&key));
        self.index_of.insert(key, index);
        Ok(index)
    }

    /// The keys by number, and the requests by time; those of one time stay in the order of the log.
    pub(crate) fn into_time_order(self) -> (Vec<Arc<[u8]>>, Vec<Request>) {
        let mut requests = self.in_log_order;
        // A log that is in order already needs no second copy in memory, which a stable sort takes.
        if !requests.is_sorted_by_key(|request| request.time) {
            requests.sort_by_key(|request| request.time);
        }
        (self.keys, requests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_takes_sixteen_bytes_and_a_key_is_kept_once() {
        assert_eq!(size_of::<Request>(), 16);
        let mut requests = Requests::default();
        for (time, key) in [(3, b"a"), (1, b"b"), (3, b"b"), (1, b"a")] {
            requests.push(ShardTime(time), key).unwrap();
        }
        let (keys, sorted) = requests.into_time_order();
        assert_eq!(keys.len(), 2);
        let order: Vec<_> = sorted.iter().map(|request| (request.time.0, keys[request.key.index()][0])).collect();
        assert_eq!(order, [(1, b'b'), (1, b'a'), (3, b'a'), (3, b'b')]);
    }
}
