//! The checks of one call: client ids, one behind the other in one buffer, made anew for each call without an allocation.

use crate::keys::Clients;

/// What every client id begins with, so that a policy for this prefix is the benchmark's and nobody else's.
pub const CLIENT_PREFIX: &str = "bench-";

/// Client ids of one call.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    bytes: Vec<u8>,
    /// Where each id ends in `bytes`.
    ends: Vec<usize>,
}

impl Asks {
    /// Forgets what it had, and draws `count` clients.
    pub(crate) fn draw(&mut self, clients: &mut Clients, count: usize) {
        self.bytes.clear();
        self.ends.clear();
        let mut digits = itoa::Buffer::new();
        for _ in 0..count {
            self.bytes.extend_from_slice(CLIENT_PREFIX.as_bytes());
            self.bytes.extend_from_slice(digits.format(clients.next()).as_bytes());
            self.ends.push(self.bytes.len());
        }
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// All ids, one behind the other.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Each id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = 0;
        self.ends.iter().map(move |end| {
            let id = self.bytes.get(begin..*end).unwrap_or_default();
            begin = *end;
            id
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Keys;

    #[test]
    fn each_call_has_its_own_ids_and_as_many_as_were_asked_for() {
        let mut clients = Clients::new(Keys::Hot, 10, 1, 0).unwrap();
        let mut asks = Asks::default();
        for count in [3, 1, 0] {
            asks.draw(&mut clients, count);
            assert_eq!(asks.iter().collect::<Vec<_>>(), vec![b"bench-1"; count]);
            assert_eq!((asks.len(), asks.bytes().len()), (count, 7 * count));
        }
    }
}
