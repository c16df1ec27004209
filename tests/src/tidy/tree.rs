//! The tree as rules see it: the path and text of every file that people wrote. What git ignores and what is not text is left out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Directories that hold nothing people wrote.
const SKIPPED: &[&str] = &[".git", "target", "proptest-regressions"];

/// Paths from the root, with `/` between their parts, and what the files hold.
#[derive(Debug, Default)]
pub struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads everything under `root`.
    ///
    /// # Errors
    /// A directory or file that cannot be read.
    pub fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.read_directory(root, "")?;
        Ok(tree)
    }

    fn read_directory(&mut self, directory: &Path, prefix: &str) -> Result<()> {
        let entries = fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            if entry.file_type()?.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    self.read_directory(&entry.path(), &format!("{path}/"))?;
                }
            } else {
                let bytes = fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
                if let Ok(text) = String::from_utf8(bytes) {
                    self.files.insert(path, text);
                }
            }
        }
        Ok(())
    }

    /// The text of one file.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether a file or directory is there. The root is.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        let inside = format!("{path}/");
        path.is_empty() || self.files.contains_key(path) || self.files.keys().any(|file| file.starts_with(&inside))
    }

    /// All files, by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// All files whose path ends so, by path.
    pub fn files_ending(&self, ending: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(move |(path, _)| path.ends_with(ending))
    }
}

#[cfg(test)]
impl Tree {
    /// A tree made up for a test.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_is_read_and_the_rest_is_left_out() -> Result<()> {
        let root = tempfile::tempdir()?;
        for directory in ["crates/core/src", "target/release", ".git", ".ci"] {
            fs::create_dir_all(root.path().join(directory))?;
        }
        for path in ["crates/core/src/lib.rs", "target/release/built.rs", ".git/config", ".ci/run"] {
            fs::write(root.path().join(path), path)?;
        }
        fs::write(root.path().join("picture.png"), [0xff, 0xfe])?;

        let tree = Tree::read(root.path())?;

        let paths: Vec<_> = tree.files().map(|(path, _)| path).collect();
        assert_eq!(paths, [".ci/run", "crates/core/src/lib.rs"]);
        assert_eq!(tree.get(".ci/run"), Some(".ci/run"));
        assert!(tree.has("crates/core") && tree.has("") && !tree.has("crates/co"));
        Ok(())
    }
}
