//! The config file: a flat TOML table whose keys are flag names. Every flag that has an environment variable can stand in it,
//! so one file serves the node and the commands. Its values become the flags' defaults; an unknown key or a value that
//! its flag would refuse is refused here, with the file's name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};

/// A config file holds a few lines; a larger one is another file by mistake.
const BYTES_MAX: u64 = 1 << 20;

/// Why a config file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read config file {}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("config file {} has {bytes} bytes; the most is {BYTES_MAX}: is it a config file?", path.display())]
    TooLarge { path: PathBuf, bytes: u64 },
    #[error("config file {} is not TOML: {reason}", path.display())]
    NotToml { path: PathBuf, reason: String },
    #[error("config file {}: unknown key `{key}`; known keys are {known}", path.display())]
    UnknownKey { path: PathBuf, key: String, known: String },
    #[error("config file {}: `{key}` is {found}; write a string, a number or true/false", path.display())]
    WrongType { path: PathBuf, key: String, found: &'static str },
    #[error("config file {}: {reason}", path.display())]
    WrongValue { path: PathBuf, reason: String },
}

/// Values by flag name; each has passed its flag's parser.
pub(crate) struct ConfigFile {
    values: BTreeMap<String, String>,
}

impl ConfigFile {
    /// Reads `path` and checks it against the flags of `program` and its subcommands.
    ///
    /// # Errors
    /// Each case of [`Error`].
    pub(crate) fn read(path: PathBuf, program: &Command) -> Result<Self, Error> {
        let text = read_text(&path)?;
        let table: toml::Table = match toml::from_str(&text) {
            Ok(table) => table,
            Err(error) => return Err(Error::NotToml { path, reason: error.to_string().trim_end().to_owned() }),
        };
        let known = configurable(program);
        let mut values = BTreeMap::new();
        for (key, value) in table {
            let Some(flag) = known.get(key.as_str()) else {
                let known = known.keys().copied().collect::<Vec<_>>().join(", ");
                return Err(Error::UnknownKey { path, key, known });
            };
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(claim) => claim.to_string(),
                other => return Err(Error::WrongType { path, key, found: other.type_str() }),
            };
            if let Err(reason) = accepts(flag, &key, &text) {
                return Err(Error::WrongValue { path, reason });
            }
            values.insert(key, text);
        }
        Ok(Self { values })
    }

    /// The program with this file's values as defaults.
    pub(crate) fn apply(&self, program: Command) -> Command {
        program.mut_args(|flag| self.apply_to(flag)).mut_subcommands(|inner| self.apply(inner))
    }

    fn apply_to(&self, flag: Arg) -> Arg {
        match flag.get_long().and_then(|name| self.values.get(name)) {
            Some(value) if is_configurable(&flag) => flag.default_value(value.clone()),
            _ => flag,
        }
    }
}

fn read_text(path: &Path) -> Result<String, Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > BYTES_MAX {
        return Err(Error::TooLarge { path: path.to_owned(), bytes });
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

/// A flag with an environment variable can be configured; only the file's own name cannot.
fn is_configurable(flag: &Arg) -> bool {
    flag.get_env().is_some() && flag.get_id() != "config"
}

/// Every configurable flag of the program, by name. A name means the same in every subcommand.
fn configurable(program: &Command) -> BTreeMap<&str, &Arg> {
    let mut flags: BTreeMap<&str, &Arg> = program
        .get_arguments()
        .filter(|flag| is_configurable(flag))
        .filter_map(|flag| Some((flag.get_long()?, flag)))
        .collect();
    for inner in program.get_subcommands() {
        flags.extend(configurable(inner));
    }
    flags
}

/// Runs the flag's own parser over `value`; the error is the text that the command line would have given.
fn accepts(flag: &Arg, key: &str, value: &str) -> Result<(), String> {
    let alone = Command::new("drl").no_binary_name(true).arg(flag.clone().env(None::<&str>));
    match alone.try_get_matches_from([format!("--{key}={value}")]) {
        Ok(_) => Ok(()),
        Err(error) => {
            let text = error.to_string();
            let reason = text.split("\n\nFor more").next().unwrap_or(&text);
            Err(reason.trim_start_matches("error: ").trim_end().to_owned())
        }
    }
}
