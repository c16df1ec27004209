//! What `MULTI` collects until `EXEC`: the commands as they came. Client libraries wrap their pipelines in it; executing is no more than
//! planning the same bytes again, so a transaction is decided like any other run.
//!
//! Invariant: nothing of a transaction is charged before its `EXEC`, and nothing at all when one of its commands could not be queued.

use drl_core::caps::{BATCH_CHECKS_MAX, RESP_COMMAND_BYTES_MAX};

/// Commands between `MULTI` and `EXEC`.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    /// Whole commands, one after the other: at most a read buffer of them.
    bytes: Vec<u8>,
    commands: usize,
    is_broken: bool,
}

/// A transaction that cannot be executed: one of its commands was refused when it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// A command that does not fit.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "ERR a transaction takes {BATCH_CHECKS_MAX} commands and {RESP_COMMAND_BYTES_MAX} bytes; send shorter ones, or pipeline without MULTI"
)]
pub(crate) struct Full;

impl Transaction {
    /// Keeps a command for later.
    pub(crate) fn queue(&mut self, command: &[u8]) -> Result<(), Full> {
        if self.commands >= BATCH_CHECKS_MAX || self.bytes.len() + command.len() > RESP_COMMAND_BYTES_MAX {
            self.spoil();
            return Err(Full);
        }
        self.bytes.extend_from_slice(command);
        self.commands += 1;
        Ok(())
    }

    /// A command was refused: `EXEC` will do nothing.
    pub(crate) fn spoil(&mut self) {
        self.is_broken = true;
        self.bytes = Vec::new();
    }

    /// The commands, and how many they are.
    pub(crate) fn finish(self) -> Result<(Vec<u8>, usize), Broken> {
        if self.is_broken { Err(Broken) } else { Ok((self.bytes, self.commands)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_come_back_as_they_were_queued() {
        let mut transaction = Transaction::default();
        transaction.queue(b"PING\r\n").unwrap();
        transaction.queue(b"*1\r\n$4\r\nPING\r\n").unwrap();
        assert_eq!(transaction.finish(), Ok((b"PING\r\n*1\r\n$4\r\nPING\r\n".to_vec(), 2)));
    }

    #[test]
    fn a_transaction_that_is_too_long_does_nothing_at_all() {
        let mut transaction = Transaction::default();
        for _ in 0..BATCH_CHECKS_MAX {
            transaction.queue(b"PING\r\n").unwrap();
        }
        assert_eq!(transaction.queue(b"PING\r\n"), Err(Full));
        assert_eq!(transaction.finish(), Err(Broken));
        assert_eq!(Transaction::default().queue(&vec![b'x'; RESP_COMMAND_BYTES_MAX + 1]), Err(Full));
    }
}
