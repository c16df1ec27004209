//! `drl limits list`: all policies, a page at a time, so that a million of them neither wait for each other nor fill the memory.

use clap::Args;
use drl_proto::v1::ListLimitsRequest;

use super::stored::Stored;
use crate::cli::CommonArgs;
use crate::connection::{Connection, ConnectionArgs};
use crate::exit::Verdict;
use crate::output::{self, Output, Reader};
use crate::values;

const EXAMPLES: &str = "\
The table is in the order of namespaces; JSON is one array.
Exit codes: 0 done, 1 failed, 2 wrong usage.

Examples:
  drl limits list
  drl limits list --namespace billing
  drl limits list --output json | jq '.[] | select(.policy.shadow)'";

/// List policies.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct List {
    /// Only this namespace
    #[arg(long, value_name = "NS", value_parser = values::namespace)]
    namespace: Option<String>,
    #[command(flatten)]
    connection: ConnectionArgs,
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
    /// When no node answers, or the node refuses.
    pub(crate) fn run(self) -> anyhow::Result<Verdict> {
        let (namespace, output) = (self.namespace.unwrap_or_default(), self.common.output);
        self.connection.run(async |node| print_all(&node, &namespace, output).await)?;
        Ok(Verdict::Yes)
    }
}

async fn print_all(node: &Connection<'_>, namespace: &str, output: Output) -> anyhow::Result<()> {
    let (mut page_token, mut printed) = (String::new(), Printed::Nothing);
    loop {
        let request = ListLimitsRequest { namespace: namespace.to_owned(), page_size: 0, page_token };
        let page = node.answer(node.limits().list(request).await)?;
        let policies = page.policies.into_iter().map(Stored::read).collect::<anyhow::Result<Vec<_>>>()?;
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
        if page.next_page_token.is_empty() {
            break;
        }
        page_token = page.next_page_token;
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
