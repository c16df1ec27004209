//! A child process that ends with its owner. It is in a process group of its own, so that a Ctrl-C on the terminal is this program's to
//! handle.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

/// How often a process that is to end is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// So much of the end of a log is a screen.
const TAIL_BYTES: i64 = 2_000;

/// Lines of stdout that wait for their reader; a node writes four.
const LINES_MAX: usize = 64;

pub(super) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; stderr goes to the end of `log`. What is asked for on this program's command line is for this program, so that its variables
    /// are not passed on.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn start(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        for (variable, _) in std::env::vars_os().filter(|(variable, _)| starts_with(variable, "DRL_")) {
            command.env_remove(variable);
        }
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// The lines that it prints, as they come. They are read to the end by a thread, so that it never waits for a reader.
    ///
    /// # Errors
    /// They are read already.
    pub(super) fn lines(&mut self) -> anyhow::Result<mpsc::Receiver<String>> {
        let stdout = self.child.stdout.take().context("its output is read already")?;
        let (sender, lines) = mpsc::channel(LINES_MAX);
        let read = move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.try_send(line);
            }
        };
        std::thread::Builder::new().name(format!("{}-lines", self.name)).spawn(read)?;
        Ok(lines)
    }

    /// # Errors
    /// It has ended; the error has the end of its log.
    pub(super) fn still_runs(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}); its log ends so:\n{}", self.name, self.tail()),
        }
    }

    /// The end of its log.
    pub(super) fn tail(&self) -> String {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(&self.log)?;
            let _ = file.seek(SeekFrom::End(-TAIL_BYTES));
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_or_else(|error| error.to_string(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// # Errors
    /// The system refuses.
    pub(super) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.child), signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Stops it as it is, as a host that no longer answers, and returns when it stands still.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)?;
        waitpid(Some(Pid::from_child(&self.child)), WaitOptions::UNTRACED)?;
        Ok(())
    }

    /// kill -9, and waits for the end. A process that stands still ends, too.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// How it ended.
    ///
    /// # Errors
    /// Not in time.
    pub(super) async fn ended(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let (name, child) = (&self.name, &mut self.child);
        let wait = async {
            let mut ticks = interval(LOOK_EVERY);
            loop {
                ticks.tick().await;
                if let Some(status) = child.try_wait()? {
                    return Ok::<_, std::io::Error>(status);
                }
            }
        };
        Ok(timeout(within, wait).await.with_context(|| format!("{name} did not end within {within:?}"))??)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn starts_with(variable: &std::ffi::OsStr, prefix: &str) -> bool {
    variable.as_encoded_bytes().starts_with(prefix.as_bytes())
}
