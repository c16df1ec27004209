//! As much of a `Cargo.toml` as the rules need: its tables and the first word of each line in them. The house writes one
//! dependency a line, so nothing more of TOML has to be known.

use super::tree::Tree;

/// One `key = value` line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// The table it stands in, without brackets: `dev-dependencies`.
    pub(super) table: &'a str,
    /// Up to the first dot, blank or `=`: `tokio` of `tokio.workspace = true`.
    pub(super) key: &'a str,
    /// The whole line.
    pub(super) line: &'a str,
    /// Lines counted from 0.
    pub(super) index: usize,
}

impl Entry<'_> {
    /// Whether it is a dependency of a crate, of any kind and for any target.
    pub(super) fn is_dependency(&self) -> bool {
        self.table.ends_with("dependencies") && self.table != "workspace.dependencies"
    }
}

/// The entries of a manifest, in order.
pub(super) fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut table = "";
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if let Some(header) = trimmed.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            table = header.trim_start_matches('[');
        } else if trimmed.contains('=') && !trimmed.starts_with('#') {
            let key = trimmed.split(['.', ' ', '=']).next().unwrap_or_default().trim_matches('"');
            found.push(Entry { table, key, line: trimmed, index });
        }
    }
    found
}

/// What a package is called.
pub(super) fn package_name(text: &str) -> Option<&str> {
    let entry = entries(text).into_iter().find(|entry| entry.table == "package" && entry.key == "name")?;
    entry.line.split('"').nth(1)
}

/// The manifests of all packages: path, package name, entries.
pub(super) fn packages(tree: &Tree) -> impl Iterator<Item = (&str, &str, Vec<Entry<'_>>)> {
    tree.files_ending("Cargo.toml").filter_map(|(path, text)| Some((path, package_name(text)?, entries(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_keys_and_lines_are_told_apart() {
        let text = "[package]\nname = \"drl-core\"\n\n[dependencies]\n# why\ntokio.workspace = true\nrand = { version = \"1\" }\n\n\
                    [target.'cfg(unix)'.dependencies]\nlibc.workspace = true\n";
        assert_eq!(package_name(text), Some("drl-core"));
        let dependencies: Vec<_> =
            entries(text).into_iter().filter(Entry::is_dependency).map(|entry| entry.key).collect();
        assert_eq!(dependencies, ["tokio", "rand", "libc"]);
        assert_eq!(
            entries(text)[1],
            Entry { table: "dependencies", key: "tokio", line: "tokio.workspace = true", index: 5 }
        );
    }

    #[test]
    fn the_workspace_table_is_no_dependency_of_a_crate() {
        let text = "[workspace.dependencies]\ntokio = \"1\"\n";
        assert!(entries(text).iter().all(|entry| !entry.is_dependency()));
        assert_eq!(package_name(text), None);
    }
}
