//! `drl limits list`: all policies, a page at a time, so that a million of them neither wait for each other nor fill the memory.

use clap::Args;

use super::stored::Stored;
use crate::cli::CommonArgs;
use crate::exit::{self, Verdict};
use crate::output::{self, Output, Reader};
use crate::policy_store::PolicyStore;
use crate::store_args::StoreArgs;
use crate::values;

const EXAMPLES: &str = "\
The table is in the order of namespaces; JSON is one array. In etcd anybody can write
anything: a value that is no policy is listed with what is wrong with it (`fault`), and
keys that are no keys of policies are named on stderr.
Exit codes: 0 done, 1 failed, 2 wrong usage.

Examples:
  drl limits list
  drl limits list --namespace billing
  drl limits list --etcd http://127.0.0.1:2379
  drl limits list --output json | jq '.[] | select(.policy.shadow)'";

/// List policies.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct List {
    /// Only this namespace
    #[arg(long, value_name = "NS", value_parser = values::namespace)]
    namespace: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// What has been printed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Printed {
    Nothing,
    Something,
}

impl List {
    /// # Errors
    /// When nobody answers.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let (only, output) = (self.namespace.as_deref(), self.common.output);
        self.store.run(async |store| print_all(&store, only, output).await)?;
        Ok(Verdict::Yes)
    }
}

async fn print_all(store: &PolicyStore<'_>, only: Option<&str>, output: Output) -> anyhow::Result<()> {
    let (mut after, mut printed) = (Vec::new(), Printed::Nothing);
    loop {
        let page = store.list(only, after).await?;
        for complaint in page.complaints {
            exit::say(&format!("note: {complaint}"));
        }
        let policies: Vec<_> = page.policies.into_iter().map(Stored::from).collect();
        let text = match output {
            Output::Table => table(&policies, printed),
            Output::Json => json(&policies, printed)?,
        };
        if !policies.is_empty() {
            printed = Printed::Something;
        }
        if output::write(&text)? == Reader::Gone {
            return Ok(());
        }
        if page.next.is_empty() {
            break;
        }
        after = page.next;
    }
    let end = match (output, printed) {
        (Output::Table, _) => return Ok(()),
        (Output::Json, Printed::Nothing) => "[]\n",
        (Output::Json, Printed::Something) => "\n]\n",
    };
    output::write(end).map(drop)
}

fn table(policies: &[Stored], printed: Printed) -> String {
    let headings = (printed == Printed::Nothing).then(|| Stored::HEADINGS.map(str::to_owned));
    output::columns(&headings.into_iter().chain(policies.iter().map(Stored::row)).collect::<Vec<_>>())
}

/// A page of the array, without its end.
fn json(policies: &[Stored], printed: Printed) -> anyhow::Result<String> {
    let mut text = String::new();
    for (at, policy) in policies.iter().enumerate() {
        text.push_str(if at == 0 && printed == Printed::Nothing { "[\n" } else { ",\n" });
        text.push_str(&serde_json::to_string(&policy.json())?);
    }
    Ok(text)
}
