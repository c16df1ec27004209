//! The digest of everything that happens: FNV-1a over the numbers of each event. Two runs with the same digest were the same run.

/// A running digest, which can also tell people what goes into it.
#[derive(Debug, Clone)]
pub(crate) struct Digest {
    hash: u64,
    talk: Talk,
}

/// Whether events are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    Silent,
    /// Every event goes to stderr.
    Aloud,
}

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

impl Digest {
    #[must_use]
    pub(crate) const fn new(talk: Talk) -> Self {
        Self { hash: OFFSET, talk }
    }

    /// Takes in one event.
    pub(crate) fn note(&mut self, what: &str, numbers: &[u64]) {
        for byte in what.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
        for number in numbers {
            self.hash = (self.hash ^ number).wrapping_mul(PRIME);
            self.hash ^= self.hash >> 29;
        }
        if self.talk == Talk::Aloud {
            eprintln!("{what} {numbers:?}");
        }
    }

    /// Takes in one event as people read it.
    pub(crate) fn tell(&mut self, what: &str, node: usize, now: u64, text: impl FnOnce() -> String) {
        self.note(what, &[now, node as u64]);
        if self.talk == Talk::Aloud {
            eprintln!("    {}.{:03} n{node} {}", now / 1_000_000_000, now / 1_000_000 % 1_000, text());
        }
    }

    #[must_use]
    pub(crate) const fn value(&self) -> u64 {
        self.hash
    }
}
