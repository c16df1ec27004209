//! The read buffer: as long as a command may be, and never longer.

use drl_core::caps::RESP_COMMAND_BYTES_MAX;

#[derive(Debug)]
pub(crate) struct Input {
    buffer: Box<[u8]>,
    /// Read and not yet planned: `buffer[start..end]`.
    start: usize,
    end: usize,
}

impl Input {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; RESP_COMMAND_BYTES_MAX].into_boxed_slice(), start: 0, end: 0 }
    }

    /// Everything that was read, planned or not: spans point in here.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.end]
    }

    /// Where the next command starts.
    pub(crate) const fn start(&self) -> usize {
        self.start
    }

    pub(crate) const fn advance(&mut self, start: usize) {
        self.start = start;
    }

    /// What was read of a command that is not complete yet.
    pub(crate) fn half(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Whether the buffer is full and its first command still not complete: it never will be.
    pub(crate) const fn is_full(&self) -> bool {
        self.start == 0 && self.end == self.buffer.len()
    }

    /// Starts again with the half command that the last read left over.
    pub(crate) fn load(&mut self, half: &[u8]) {
        let length = half.len().min(self.buffer.len());
        self.buffer[..length].copy_from_slice(&half[..length]);
        (self.start, self.end) = (0, length);
    }

    pub(crate) fn free_space(&mut self) -> &mut [u8] {
        &mut self.buffer[self.end..]
    }

    /// `length` bytes were read into the free space.
    pub(crate) fn filled(&mut self, length: usize) {
        self.end = self.end.saturating_add(length).min(self.buffer.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_command_goes_to_the_front_and_the_next_bytes_behind_it() {
        let mut input = Input::new();
        input.load(b"PI");
        input.free_space()[..4].copy_from_slice(b"NG\r\n");
        input.filled(4);
        assert_eq!(input.bytes(), b"PING\r\n");
        input.advance(6);
        assert_eq!(input.half(), b"");
        assert!(!input.is_full());
    }

    #[test]
    fn a_buffer_is_full_when_one_command_fills_it() {
        let mut input = Input::new();
        input.filled(usize::MAX);
        assert!(input.is_full() && input.free_space().is_empty());
        input.advance(1);
        assert!(!input.is_full());
    }
}
