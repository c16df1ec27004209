//! Data on stdout, as a table for people or JSON for programs. A reader that goes away (`drl ... | head`) is not an error: the
//! writer learns it and may stop early.

use std::io::{ErrorKind, Write as _};

use anyhow::Context as _;
use clap::ValueEnum;

/// How data is printed: aligned columns for people, or JSON for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Table,
    Json,
}

/// Whether anybody still reads stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    Listens,
    Gone,
}

/// Writes `text` to stdout and flushes it.
///
/// # Errors
/// When stdout cannot be written for another reason than that its reader is gone (a full disk).
pub(crate) fn write(text: &str) -> anyhow::Result<Reader> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(Reader::Listens),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(error).context("cannot write to stdout"),
    }
}

/// Writes one JSON value and a newline.
///
/// # Errors
/// As [`write()`].
pub(crate) fn write_json(value: &impl serde::Serialize) -> anyhow::Result<Reader> {
    let mut text = serde_json::to_string(value).context("cannot write JSON")?;
    text.push('\n');
    write(&text)
}

/// Writes one thing: `json` as it is, or its `rows` of names and values.
///
/// # Errors
/// As [`write()`].
pub(crate) fn record(
    output: Output,
    json: &impl serde::Serialize,
    rows: impl FnOnce() -> Vec<[String; 2]>,
) -> anyhow::Result<Reader> {
    match output {
        Output::Table => write(&columns(&rows())),
        Output::Json => write_json(json),
    }
}

/// Rows as aligned columns, two spaces apart; the last column is not padded.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_spaces() {
        let rows = [["a", "b"], ["long", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), "a     b\nlong\n");
    }
}
