//! Logs: on stderr, as text for people or JSON for collectors. Stdout belongs to data.

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;

/// How log lines look: a line of text per event, or a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Which log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// Sends the events of the whole process to stderr. A second call changes nothing.
pub(crate) fn start(format: LogFormat, level: LogLevel) {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(LevelFilter::from(level));
    let started = match format {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    drop(started);
}
