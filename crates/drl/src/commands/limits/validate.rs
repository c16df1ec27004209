//! `drl limits validate`: checks what somebody wrote: a file, before anything reads it, or the value under a key, without writing.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, ValueHint};
use drl_configuration::{Fault, Faults, PolicyDocument, PolicySet, Selector};
use drl_core::caps::POLICY_FILE_BYTES_MAX;
use serde::Serialize;
use serde_json::json;

use crate::cli::CommonArgs;
use crate::exit::{self, Verdict};
use crate::output::{self, Output};
use crate::selector::{NamespaceArgs, Place};
use crate::store_args::StoreArgs;
use crate::values::{self, ClientBytes};

const EXAMPLES: &str = "\
A file holds one policy, {\"limits\":[..],..}, or many by namespace:
{\"namespaces\":{\"default\":{\"default\":{..},\"clients\":{\"alice\":{..}},\"prefixes\":{}}}}
Everything that is wrong is listed, with its field, what stands there and what is
allowed; a text that is not JSON is read up to the place where it breaks.
With --etcd or --endpoint on the command line the argument is a CLIENT, whose present
value is checked; --prefix and --default check theirs, wherever limits are kept.
Exit codes: 0 valid, 1 not valid, 2 cannot be read or wrong usage.

Examples:
  drl limits validate limits.json
  drl limits validate --etcd http://127.0.0.1:2379 alice
  drl limits validate --etcd http://127.0.0.1:2379 --default
  echo '{\"limits\":[{\"requests\":100,\"window\":\"1m\"}]}' | drl limits validate -";

/// Check a policy, a file of policies, or the value under a key, without writing.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Validate {
    #[command(flatten)]
    subject: Subject,
    #[command(flatten)]
    namespace: NamespaceArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// Exactly one of the three.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Subject {
    /// JSON file, - is stdin; with --etcd or --endpoint a client
    #[arg(value_name = "FILE|CLIENT", value_hint = ValueHint::FilePath)]
    file_or_client: Option<OsString>,
    /// The value for this prefix of client ids
    #[arg(long, value_name = "PREFIX", value_parser = values::client())]
    prefix: Option<ClientBytes>,
    /// The value for the namespace's default
    #[arg(long)]
    default: bool,
}

/// What a text turned out to be.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    Policy,
    Policies { count: usize, namespaces: usize },
}

impl Validate {
    /// # Errors
    /// When there is nothing to check, or it cannot be read.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let Subject { file_or_client, prefix, default: _ } = &self.subject;
        let selector = match (file_or_client, prefix) {
            (Some(file), _) if !self.store.is_named_by_flag() => {
                let file = Path::new(file);
                return self.judge(&name(file), &read(file)?);
            }
            (Some(client), _) => Selector::Client(client.as_encoded_bytes().to_vec()),
            (None, Some(ClientBytes(prefix))) => Selector::Prefix(prefix.clone()),
            (None, None) => Selector::Default,
        };
        selector.check().map_err(|invalid| exit::usage(&invalid.to_string()))?;
        let place = Place { namespace: self.namespace.namespace.clone(), selector };
        let kept = self.store.run(async |store| store.get(&place).await);
        let kept = kept.map_err(|error| self.hinted(error))?;
        self.judge(&place.phrase(), kept.json.as_bytes())
    }

    /// Whoever meant a file learns how to say so.
    fn hinted(&self, error: anyhow::Error) -> anyhow::Error {
        match &self.subject.file_or_client {
            Some(file) if Path::new(file).is_file() => {
                anyhow!("{error:#}; to check the file {}, leave --etcd and --endpoint out", Path::new(file).display())
            }
            _ => error,
        }
    }

    fn judge(&self, name: &str, json: &[u8]) -> anyhow::Result<Verdict> {
        match check(json) {
            Ok(content) => {
                let valid = json!({"valid": true, "policies": content.policies(), "faults": []});
                output::record(self.common.output, &valid, || vec![["valid".to_owned(), content.to_string()]])?;
                Ok(Verdict::Yes)
            }
            Err(faults) => {
                print_faults(&faults, self.common.output)?;
                let count = faults.count();
                exit::say(&format!("{name} is not valid: {count} {}", if count == 1 { "fault" } else { "faults" }));
                Ok(Verdict::No)
            }
        }
    }
}

/// # Errors
/// Every value of `json` that is not possible, or the first place where its form is wrong.
fn check(json: &[u8]) -> Result<Content, Faults> {
    if !json.trim_ascii_start().starts_with(b"{") {
        let problem = r#"not an object; write a policy, {"limits":[..]}, or a file of them, {"namespaces":{..}}"#;
        return Err(Fault { field: String::new(), problem: problem.to_owned() }.into());
    }
    if is_file_of_policies(json) {
        let set = PolicySet::from_json(json)?;
        return Ok(Content::Policies { count: set.len(), namespaces: set.namespace_count() });
    }
    match PolicyDocument::parse(json) {
        Ok(_) => Ok(Content::Policy),
        Err(invalid) => Err(invalid.faults),
    }
}

/// An object with `namespaces` is meant as a file of policies, whatever else is wrong with it.
fn is_file_of_policies(json: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Outline {
        namespaces: Option<serde::de::IgnoredAny>,
    }
    match serde_json::from_slice(json) {
        Ok(Outline { namespaces }) => namespaces.is_some(),
        // Broken JSON has no outline; what it begins with tells what it was meant to be.
        Err(_) => {
            json.trim_ascii_start().get(1..).is_some_and(|rest| rest.trim_ascii_start().starts_with(b"\"namespaces\""))
        }
    }
}

fn print_faults(faults: &Faults, output: Output) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Shown<'a> {
        field: &'a str,
        problem: &'a str,
    }
    let listed = faults.listed();
    match output {
        Output::Json => {
            let shown: Vec<_> = listed.iter().map(|Fault { field, problem }| Shown { field, problem }).collect();
            output::write_json(&json!({"valid": false, "faults": shown, "faults_count": faults.count()}))?;
        }
        Output::Table => {
            let lines = listed.iter().map(|fault| format!("{fault}\n"));
            let unlisted = faults.count().saturating_sub(listed.len());
            let rest = (unlisted > 0).then(|| format!("and {unlisted} more\n"));
            output::write(&lines.chain(rest).collect::<String>())?;
        }
    }
    Ok(())
}

impl Content {
    const fn policies(&self) -> usize {
        match self {
            Self::Policy => 1,
            Self::Policies { count, .. } => *count,
        }
    }
}

impl std::fmt::Display for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Policy => f.write_str("one policy"),
            Self::Policies { count, namespaces } => write!(f, "policies: {count}, namespaces: {namespaces}"),
        }
    }
}

fn name(path: &Path) -> String {
    if path.as_os_str() == "-" { "stdin".to_owned() } else { path.display().to_string() }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", name(path));
    let source: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(path).with_context(cannot)?)
    };
    let mut json = Vec::new();
    source.take(POLICY_FILE_BYTES_MAX + 1).read_to_end(&mut json).with_context(cannot)?;
    if u64::try_from(json.len()).is_ok_and(|bytes| bytes > POLICY_FILE_BYTES_MAX) {
        bail!("{} is longer than {POLICY_FILE_BYTES_MAX} bytes; let prefixes cover clients that are alike", name(path));
    }
    Ok(json)
}
