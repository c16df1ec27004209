//! Who is limited, and the two hashes of it: a public one that chooses the shard (anyone may compute it, so a client library can
//! route), and a keyed one that is the counter's identity (nobody outside can choose ids that collide or flood a table).
//!
//! Both hashes are frozen by test vectors: changing either one loses every counter.

use siphasher::sip128::SipHasher13;
use xxhash_rust::xxh3::xxh3_64;

use crate::caps::{CLIENT_ID_BYTES_MAX, NAMESPACE_BYTES_MAX};
use crate::{ClientId, Namespace, ShardCount, ShardId};

/// Namespace and client: what one counter belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LimitKey<'a> {
    pub namespace: Namespace<'a>,
    pub client: ClientId<'a>,
}

/// The cluster's secret key for counter identities: 16 random bytes, made once per cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IdentityKey([u8; 16]);

/// The identity of a counter: 128 bits, keyed. Equal hashes are the same counter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyHash([u64; 2]);

impl<'a> LimitKey<'a> {
    #[must_use]
    pub const fn new(namespace: Namespace<'a>, client: ClientId<'a>) -> Self {
        Self { namespace, client }
    }

    /// The shard of this key, by the public hash: XXH3-64 (seed 0) of the length of the namespace (one byte), the
    /// namespace and the client id, modulo the shard count.
    #[must_use]
    pub fn shard(&self, shards: ShardCount) -> ShardId {
        self.with_bytes(|bytes| shard_of(bytes, shards))
    }

    /// Both hashes in one go; the hot path calls this.
    #[must_use]
    pub fn locate(&self, identity: &IdentityKey, shards: ShardCount) -> (ShardId, KeyHash) {
        self.with_bytes(|bytes| (shard_of(bytes, shards), identity.hash(bytes)))
    }

    /// The bytes that are hashed: length of the namespace (one byte), namespace, client id. The length in front keeps
    /// (`ab`, `c`) and (`a`, `bc`) apart.
    fn with_bytes<T>(&self, hash: impl FnOnce(&[u8]) -> T) -> T {
        let (namespace, client) = (self.namespace.as_str().as_bytes(), self.client.as_bytes());
        let mut bytes = [0u8; 1 + NAMESPACE_BYTES_MAX + CLIENT_ID_BYTES_MAX];
        let middle = 1 + namespace.len();
        let end = middle + client.len();
        bytes[0] = u8::try_from(namespace.len()).unwrap_or(u8::MAX);
        bytes[1..middle].copy_from_slice(namespace);
        bytes[middle..end].copy_from_slice(client);
        hash(&bytes[..end])
    }
}

fn shard_of(bytes: &[u8], shards: ShardCount) -> ShardId {
    let index = xxh3_64(bytes) % u64::from(shards.get());
    ShardId::new(u16::try_from(index).unwrap_or(0))
}

impl IdentityKey {
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// SipHash-1-3 with 128 bits of output: the keyed hash that hash tables use against chosen keys (Aumasson, Bernstein 2012).
    fn hash(&self, bytes: &[u8]) -> KeyHash {
        let hash = SipHasher13::new_with_key(&self.0).hash(bytes);
        KeyHash([hash.h1, hash.h2])
    }
}

/// A secret does not print.
impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentityKey(..)")
    }
}

impl KeyHash {
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let [low, high] = [&bytes[..8], &bytes[8..]].map(|half| {
            let mut word = [0; 8];
            word.copy_from_slice(half);
            u64::from_le_bytes(word)
        });
        Self([low, high])
    }

    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.0[0].to_le_bytes());
        bytes[8..].copy_from_slice(&self.0[1].to_le_bytes());
        bytes
    }

    /// A word of the hash for choosing a page; independent of [`KeyHash::table_word`].
    #[must_use]
    pub const fn page_word(self) -> u64 {
        self.0[1]
    }

    /// A word of the hash for a hash table: it is already keyed and mixed, so the table needs no hash of its own.
    #[must_use]
    pub const fn table_word(self) -> u64 {
        self.0[0]
    }
}

impl std::hash::Hash for KeyHash {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.table_word());
    }
}

impl std::fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyHash({:016x}{:016x})", self.0[1], self.0[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key<'a>(namespace: &'a str, client: &'a [u8]) -> LimitKey<'a> {
        LimitKey::new(Namespace::new(namespace).unwrap(), ClientId::new(client).unwrap())
    }

    #[test]
    fn both_hashes_are_frozen() {
        let identity = IdentityKey::from_bytes(*b"0123456789abcdef");
        let shards = ShardCount::new(1_024).unwrap();
        let found: Vec<String> = [("default", &b"alice"[..]), ("default", b"\0"), ("team-1", &[b'x'; 256])]
            .iter()
            .map(|(namespace, client)| format!("{:?}", key(namespace, client).locate(&identity, shards)))
            .collect();
        let frozen = [
            "(ShardId(797), KeyHash(8e2d31bd587798f924da0294b334c168))",
            "(ShardId(240), KeyHash(08b84dd07389e444b078adb174018f76))",
            "(ShardId(341), KeyHash(cfcf2dc1d5409d8a5d8514aec9a60332))",
        ];
        assert_eq!(found, frozen);
    }

    #[test]
    fn the_border_between_namespace_and_client_counts() {
        let identity = IdentityKey::from_bytes([7; 16]);
        let shards = ShardCount::new(1_024).unwrap();
        assert_ne!(key("ab", b"c").locate(&identity, shards).1, key("a", b"bc").locate(&identity, shards).1);
    }

    #[test]
    fn another_identity_key_gives_another_identity_and_the_same_shard() {
        let shards = ShardCount::new(1_024).unwrap();
        let (one, two) = (IdentityKey::from_bytes([1; 16]), IdentityKey::from_bytes([2; 16]));
        let alice = key("default", b"alice");
        assert_eq!(alice.locate(&one, shards).0, alice.locate(&two, shards).0);
        assert_ne!(alice.locate(&one, shards).1, alice.locate(&two, shards).1);
    }

    #[test]
    fn a_hash_survives_its_bytes() {
        let hash = KeyHash([1, u64::MAX]);
        assert_eq!(KeyHash::from_bytes(hash.to_bytes()), hash);
    }
}
