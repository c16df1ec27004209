//! What every manifest owes the workspace: its lints, its versions, and for each dependency a reason and a user.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::manifest::{self, Entry};
use super::tree::Tree;

const ROOT: &str = "Cargo.toml";

pub(super) fn crates_inherit_the_lints(tree: &Tree) -> Vec<Finding> {
    manifest::packages(tree)
        .filter(|(_, _, entries)| {
            !entries.iter().any(|entry| entry.table == "lints" && entry.line == "workspace = true")
        })
        .map(|(path, ..)| Finding::of_file(path, "does not inherit the lints: add `[lints] workspace = true`"))
        .collect()
}

pub(super) fn versions_live_in_the_workspace_table(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _, entries) in manifest::packages(tree) {
        for entry in entries.iter().filter(|entry| entry.is_dependency()) {
            let inherits = entry.line.contains(".workspace = true") || entry.line.contains("{ workspace = true");
            if !inherits {
                let message =
                    format!("{} must be `workspace = true`; its version belongs in the workspace table", entry.key);
                findings.push(Finding::of_line(path, entry.index, message));
            }
        }
    }
    findings
}

pub(super) fn dependencies_have_a_reason_and_a_user(tree: &Tree) -> Vec<Finding> {
    let entries: Vec<_> = manifest::packages(tree).flat_map(|(.., entries)| entries).collect();
    let used: BTreeSet<_> = entries.iter().filter(|entry| entry.is_dependency()).map(|entry| entry.key).collect();
    let table = manifest::entries(tree.get(ROOT).unwrap_or_default());
    let mut findings = Vec::new();
    for entry in table.iter().filter(|entry| entry.table == "workspace.dependencies") {
        if !used.contains(entry.key) {
            findings.push(Finding::of_line(ROOT, entry.index, format!("no crate uses {}", entry.key)));
        }
        if !has_reason(entry) {
            findings.push(Finding::of_line(ROOT, entry.index, format!("{} has no reason behind a `#`", entry.key)));
        }
    }
    findings
}

/// Our own crates need no reason.
fn has_reason(entry: &Entry<'_>) -> bool {
    entry.line.contains("path = ") || entry.line.rsplit_once("# ").is_some_and(|(_, reason)| !reason.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::finding::messages;
    use super::*;

    const INNER: &str = "crates/core/Cargo.toml";

    #[test]
    fn a_crate_without_the_lints_is_caught() {
        let without = "[package]\nname = \"drl-core\"\n";
        let found = messages(&crates_inherit_the_lints(&Tree::of(&[(INNER, without)])));
        assert_eq!(found, ["crates/core/Cargo.toml: does not inherit the lints: add `[lints] workspace = true`"]);
        let with = "[package]\nname = \"drl-core\"\n[lints]\nworkspace = true\n";
        assert!(crates_inherit_the_lints(&Tree::of(&[(INNER, with)])).is_empty());
    }

    #[test]
    fn a_version_outside_the_workspace_table_is_caught() {
        let text = "[package]\nname = \"drl-core\"\n[dependencies]\nrand = \"0.9\"\nlibc = { workspace = true, optional = true }\n";
        let found = versions_live_in_the_workspace_table(&Tree::of(&[(INNER, text)]));
        let expected =
            "crates/core/Cargo.toml:4: rand must be `workspace = true`; its version belongs in the workspace table";
        assert_eq!(messages(&found), [expected]);
    }

    #[test]
    fn a_dependency_without_a_user_or_a_reason_is_caught() {
        let root =
            "[workspace.dependencies]\ndrl-core = { path = \"crates/core\" }\nrand = \"0.9\" # keys\nlibc = \"0.2\"\n";
        let inner =
            "[package]\nname = \"drl-tests\"\n[dependencies]\ndrl-core.workspace = true\nlibc.workspace = true\n";
        let found = dependencies_have_a_reason_and_a_user(&Tree::of(&[(ROOT, root), ("tests/Cargo.toml", inner)]));
        assert_eq!(
            messages(&found),
            ["Cargo.toml:3: no crate uses rand", "Cargo.toml:4: libc has no reason behind a `#`"]
        );
    }
}
