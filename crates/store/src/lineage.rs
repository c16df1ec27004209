//! Which data directory this is: a random number, drawn once when the directory is created and written into each of its
//! parts. Invariant: parts of two directories never pass for one.

use rand::TryRngCore;
use rand::rngs::OsRng;

/// The identity of a data directory: 16 random bytes, written as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lineage([u8; 16]);

impl Lineage {
    /// A new one, from the operating system's generator.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub(crate) fn draw() -> Result<Self, std::io::Error> {
        let mut bytes = [0; 16];
        OsRng.try_fill_bytes(&mut bytes).map_err(std::io::Error::other)?;
        Ok(Self(bytes))
    }

    pub(crate) const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// `None` when `text` is not 32 hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 32 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(|number| Self(number.to_be_bytes()))
    }
}

impl std::fmt::Display for Lineage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trip() {
        let lineage = Lineage([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff]);
        assert_eq!(lineage.to_string(), "000102030405060708090a0b0c0d0eff");
        assert_eq!(Lineage::parse(&lineage.to_string()), Some(lineage));
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "00", "+00102030405060708090a0b0c0d0eff", "g00102030405060708090a0b0c0d0eff"] {
            assert_eq!(Lineage::parse(text), None, "{text}");
        }
    }

    #[test]
    fn two_draws_differ() {
        assert_ne!(Lineage::draw().unwrap(), Lineage::draw().unwrap());
    }
}
