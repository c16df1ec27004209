//! Namespaces of the torture's own: of processes, mounts and networks. Whatever it starts, mounts or connects is gone when it ends, also when
//! it is killed. Where they are not permitted it runs without, and what needs them is skipped, loudly.

use std::process::{Command, ExitCode, Stdio};

use anyhow::Result;

/// The first argument of the process inside.
pub(crate) const INSIDE: &str = "--inside";

const UNSHARE: [&str; 7] = ["--net", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--"];

/// Whether this machine lets us have them.
fn is_permitted() -> bool {
    let tried = Command::new("unshare").args(UNSHARE).arg("true").stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// Runs this very program inside, to its end. `None` where that is not permitted.
///
/// # Errors
/// It cannot be started.
pub(crate) fn enter(arguments: &[String]) -> Result<Option<ExitCode>> {
    if !is_permitted() {
        return Ok(None);
    }
    let program = std::env::current_exe()?;
    let status = Command::new("unshare").args(UNSHARE).arg(program).arg(INSIDE).args(arguments).status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(Some(ExitCode::from(code)))
}

/// Makes the loopback of a fresh network namespace usable.
///
/// # Errors
/// `ip` is not there or refuses.
pub(crate) fn settle_in() -> Result<()> {
    crate::shell::run("ip link set lo up")
}
