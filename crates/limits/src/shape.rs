//! How to read a counter's numbers: per limit its algorithm, window and requests, and the sub-windows of a sliding window. A counter
//! carries its shape, so it can be read without the policy that wrote it.
//!
//! As bytes (frozen): the number of limits (u8; top bit: two fields follow, how many of them are the policy's (u8) and the time until
//! which the others are remembered (u64)), then per limit a tag (u8: 1 fixed, 2 sliding, 3 token bucket, 4 token bucket with a burst
//! of its own), the window in nanoseconds (u64), the requests (u64), and for a sliding window the number of its sub-windows (u8), for
//! tag 4 the burst (u64). Words are little-endian.

use std::num::NonZeroU64;

use drl_core::caps::{COST_MAX, LIMITS_PER_POLICY_MAX, LIMITS_REMEMBERED_MAX, SUB_WINDOWS_MAX};
use drl_core::{Nanos, ShardTime};

use crate::bytes::{put_word, take_byte, take_word};
use crate::{Algorithm, Limit, SUB_WINDOWS, Window};

/// Top bit of the number of limits.
const REMEMBERS: u8 = 0x80;

/// Tags of a limit.
const FIXED: u8 = 1;
const SLIDING: u8 = 2;
const BUCKET: u8 = 3;
/// A bucket that does not hold its requests.
const BURSTING: u8 = 4;

/// How to read the cells of a counter, one per limit: those of its policy in their order, then those it remembers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape {
    limits: Box<[LimitShape]>,
    /// Set when the last limits are not those of the policy.
    memory: Option<Memory>,
}

/// Limits of an earlier policy at the end of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Memory {
    /// How many limits stand before them: those of the policy.
    behind: u8,
    /// When they have nothing left to remember.
    until: ShardTime,
}

/// How to read one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LimitShape {
    algorithm: Algorithm,
    limit: Limit,
    /// What it allows at once: the requests, or the burst of a token bucket. The cell is read without it.
    capacity: u64,
    /// Zero unless the window slides.
    sub_windows: u8,
    /// Length of a sub-window, rounded up so that `sub_windows` of them cover the window; the window itself if it does not slide.
    sub_window_nanos: NonZeroU64,
}

/// Bytes that are not a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a counter's shape: {problem}")]
pub struct CorruptShape {
    pub problem: &'static str,
}

impl Shape {
    /// Each limit with what it allows at once.
    pub(crate) fn new(algorithm: Algorithm, rules: impl IntoIterator<Item = (Limit, u64)>) -> Self {
        let limits =
            rules.into_iter().map(|(limit, capacity)| LimitShape::new(algorithm, limit, capacity, SUB_WINDOWS));
        Self { limits: limits.collect(), memory: None }
    }

    /// The limits of `policy`, then those that a counter remembers from earlier policies, until then.
    pub(crate) fn remembering(policy: &Self, remembered: &[LimitShape], until: ShardTime) -> Self {
        // A policy has at most 8 limits.
        let memory = Memory { behind: u8::try_from(policy.limits.len()).unwrap_or(u8::MAX), until };
        Self { limits: policy.limits.iter().chain(remembered).copied().collect(), memory: Some(memory) }
    }

    /// The limits of the policy, without those that are remembered.
    pub(crate) fn deciding(&self) -> &[LimitShape] {
        let behind = self.memory.map_or(self.limits.len(), |memory| usize::from(memory.behind));
        self.limits.get(..behind).unwrap_or(&self.limits)
    }

    /// `None` when nothing is remembered.
    pub(crate) fn remembered_until(&self) -> Option<ShardTime> {
        self.memory.map(|memory| memory.until)
    }

    pub(crate) fn limits(&self) -> &[LimitShape] {
        &self.limits
    }

    /// The longest window of its limits.
    #[must_use]
    pub fn longest_window(&self) -> Nanos {
        self.limits.iter().map(|limit| limit.window().nanos()).max().unwrap_or_default()
    }

    /// Appends the bytes of this shape.
    pub fn encode(&self, out: &mut Vec<u8>) {
        // The count is at most 16: a shape comes from a policy or from `decode`, and both check it.
        let count = u8::try_from(self.limits.len()).unwrap_or(u8::MAX);
        match self.memory {
            None => out.push(count),
            Some(memory) => {
                out.extend([count | REMEMBERS, memory.behind]);
                put_word(out, memory.until.0);
            }
        }
        for shape in &self.limits {
            out.push(shape.tag());
            put_word(out, shape.limit.window().nanos().0);
            put_word(out, shape.limit.requests());
            match shape.tag() {
                SLIDING => out.push(shape.sub_windows),
                BURSTING => put_word(out, shape.capacity),
                _ => {}
            }
        }
    }

    /// Takes a shape from the front of `input`.
    ///
    /// # Errors
    /// [`CorruptShape`] when the bytes end early or a number is out of its range; what `input` then points at is unspecified.
    pub fn decode(input: &mut &[u8]) -> Result<Self, CorruptShape> {
        let marked = take_byte(input).ok_or(CorruptShape { problem: "no bytes" })?;
        let count = usize::from(marked & !REMEMBERS);
        let most = if marked & REMEMBERS == 0 { 0 } else { LIMITS_REMEMBERED_MAX } + LIMITS_PER_POLICY_MAX;
        if !(1..=most).contains(&count) {
            return Err(CorruptShape { problem: "number of limits out of range" });
        }
        let memory = if marked & REMEMBERS == 0 { None } else { Some(Memory::decode(input, count)?) };
        let limits = (0..count).map(|_| LimitShape::decode(input)).collect::<Result<_, _>>()?;
        Ok(Self { limits, memory })
    }
}

impl Memory {
    fn decode(input: &mut &[u8], count: usize) -> Result<Self, CorruptShape> {
        let cut = CorruptShape { problem: "cut short" };
        let (behind, until) = (take_byte(input).ok_or(cut)?, take_word(input).ok_or(cut)?);
        let is_sound = behind > 0 && usize::from(behind) < count && usize::from(behind) <= LIMITS_PER_POLICY_MAX;
        if is_sound {
            Ok(Self { behind, until: ShardTime(until) })
        } else {
            Err(CorruptShape { problem: "number of remembered limits out of range" })
        }
    }
}

impl LimitShape {
    fn new(algorithm: Algorithm, limit: Limit, capacity: u64, sub_windows: NonZeroU64) -> Self {
        let window = limit.window().get();
        let slides = algorithm == Algorithm::SlidingWindow;
        let length = if slides { NonZeroU64::new(window.get().div_ceil(sub_windows.get())) } else { None };
        let sub_windows = if slides { u8::try_from(sub_windows.get()).unwrap_or(SUB_WINDOWS_MAX) } else { 0 };
        Self { algorithm, limit, capacity, sub_windows, sub_window_nanos: length.unwrap_or(window) }
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) const fn window(&self) -> Window {
        self.limit.window()
    }

    pub(crate) const fn window_nanos(&self) -> NonZeroU64 {
        self.limit.window().get()
    }

    pub(crate) const fn requests(&self) -> NonZeroU64 {
        self.limit.nonzero_requests()
    }

    pub(crate) const fn capacity(&self) -> u64 {
        self.capacity
    }

    pub(crate) const fn sub_windows(&self) -> u8 {
        self.sub_windows
    }

    pub(crate) const fn sub_window_nanos(&self) -> NonZeroU64 {
        self.sub_window_nanos
    }

    /// Whether a cell of `self` can be read as a cell of `other` as it is. A fixed or sliding window counts units, so another
    /// number of requests changes nothing in it; a token bucket's time depends on its rate, and not on its burst.
    pub(crate) fn reads_like(&self, other: &Self) -> bool {
        let same_rate = self.limit.requests() == other.limit.requests();
        self.algorithm == other.algorithm
            && self.window() == other.window()
            && self.sub_windows == other.sub_windows
            && (same_rate || self.algorithm != Algorithm::TokenBucket)
    }

    const fn tag(&self) -> u8 {
        match self.algorithm {
            Algorithm::FixedWindow => FIXED,
            Algorithm::SlidingWindow => SLIDING,
            Algorithm::TokenBucket if self.capacity == self.limit.requests() => BUCKET,
            Algorithm::TokenBucket => BURSTING,
        }
    }

    fn decode(input: &mut &[u8]) -> Result<Self, CorruptShape> {
        const CUT: CorruptShape = CorruptShape { problem: "cut short" };
        let tag = take_byte(input).ok_or(CUT)?;
        let algorithm = match tag {
            FIXED => Algorithm::FixedWindow,
            SLIDING => Algorithm::SlidingWindow,
            BUCKET | BURSTING => Algorithm::TokenBucket,
            _ => return Err(CorruptShape { problem: "unknown algorithm" }),
        };
        let window = Window::new(Nanos(take_word(input).ok_or(CUT)?));
        let window = window.map_err(|_| CorruptShape { problem: "window out of range" })?;
        let limit = Limit::new(take_word(input).ok_or(CUT)?, window);
        let limit = limit.map_err(|_| CorruptShape { problem: "requests out of range" })?;
        let capacity = match tag {
            BURSTING => match take_word(input).ok_or(CUT)? {
                burst if (1..=COST_MAX).contains(&burst) && burst != limit.requests() => burst,
                _ => return Err(CorruptShape { problem: "burst out of range" }),
            },
            _ => limit.requests(),
        };
        let sub_windows = match algorithm {
            Algorithm::SlidingWindow => match NonZeroU64::new(u64::from(take_byte(input).ok_or(CUT)?)) {
                Some(count) if count.get() <= u64::from(SUB_WINDOWS_MAX) => count,
                _ => return Err(CorruptShape { problem: "number of sub-windows out of range" }),
            },
            Algorithm::FixedWindow | Algorithm::TokenBucket => NonZeroU64::MIN,
        };
        Ok(Self::new(algorithm, limit, capacity, sub_windows))
    }
}

#[cfg(test)]
mod tests;
