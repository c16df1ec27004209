//! Commands of the system that set things up and take them down.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

/// Runs a line of shell.
///
/// # Errors
/// It fails; with what it says.
pub(crate) fn run(line: &str) -> Result<()> {
    let output = Command::new("sh").args(["-ec", line]).stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// Whether there is such a program.
#[must_use]
pub(crate) fn has(program: &str) -> bool {
    run(&format!("command -v {program}")).is_ok()
}
