//! The house itself, checked: this repository breaks none of the rules in `tests/src/tidy`.

use std::path::Path;

use anyhow::Result;
use drl_tests::tidy::{self, Tree};

#[test]
fn the_house_is_in_order() -> Result<()> {
    let tree = Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))?;
    assert!(tree.has("Cargo.toml"), "this is not the root of the repository");
    let findings = tidy::check(&tree);
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{} findings:\n{}", lines.len(), lines.join("\n"));
    Ok(())
}
