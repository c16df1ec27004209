//! Exit codes. Two kinds of command exist: one that *asks* (`check`, `limits validate`, `cluster status`) exits 0 for yes, 1 for no and 2 when
//! there is no answer; one that *does* exits 0 when it is done and 1 when it failed. Wrong usage is 2 for both.

use std::io::Write as _;
use std::process::ExitCode;

use clap::error::ErrorKind;

/// What a command came to, when nothing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done; or the answer is yes. Exit code 0.
    Yes,
    /// The answer is no: denied, not valid. Exit code 1.
    No,
}

/// Which code an error gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitCodes {
    /// An error is 2, because 1 is an answer.
    Asks,
    /// An error is 1.
    Does,
}

const NO: u8 = 1;
const FAILED: u8 = 1;
const NO_ANSWER: u8 = 2;
const USAGE: u8 = 2;

/// Says on stderr what went wrong, if anything did, and gives the exit code.
pub(crate) fn code_of(result: anyhow::Result<Verdict>, codes: ExitCodes) -> ExitCode {
    let error = match result {
        Ok(Verdict::Yes) => return ExitCode::SUCCESS,
        Ok(Verdict::No) => return ExitCode::from(NO),
        Err(error) => error,
    };
    match error.downcast::<clap::Error>() {
        Ok(usage) => refusal(&usage.into()),
        Err(error) => {
            say(&format!("error: {}", sentence(&error)));
            ExitCode::from(if codes == ExitCodes::Asks { NO_ANSWER } else { FAILED })
        }
    }
}

/// Wrong usage that clap cannot tell by itself.
pub(crate) fn usage(text: &str) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, format!("{text}\n\nFor more information, try '--help'.\n"))
}

/// The command line was not understood, or it asked for help.
pub(crate) fn refusal(error: &anyhow::Error) -> ExitCode {
    if let Some(usage) = error.downcast_ref::<clap::Error>() {
        // Help goes to stdout, whose reader may be gone: that is its right.
        let _ = usage.print();
        return if usage.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
    }
    say(&format!("error: {}", sentence(error)));
    ExitCode::from(USAGE)
}

/// An error and its causes on one line. Many errors name their cause themselves; it is not said twice.
fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if sentence.is_empty() {
            sentence = cause;
        } else if !sentence.contains(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence
}

/// Talk for people goes to stderr; when nobody can read it there is nobody left to tell.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once_whether_its_error_names_it_or_not() {
        let bare = anyhow::anyhow!("disk full").context("cannot write");
        assert_eq!(sentence(&bare), "cannot write: disk full");
        let named = anyhow::anyhow!("disk full").context("cannot write: disk full; free space");
        assert_eq!(sentence(&named), "cannot write: disk full; free space");
    }
}
