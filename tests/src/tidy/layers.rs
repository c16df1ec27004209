//! Which crate may name which. Arrows point down only: a row of [`LAYERS`] names nothing but rows above it, and a crate's
//! manifest names nothing but its row. Effects (RocksDB, gRPC, the command line) each have the crates that may name them.

use super::finding::Finding;
use super::manifest::{self, Entry};
use super::tree::Tree;

/// Every crate, lowest first, with the crates of ours that it may name.
const LAYERS: &[(&str, &[&str])] = &[
    ("drl-core", &[]),
    ("drl-test-etcd", &[]),
    ("drl-proto", &[]),
    ("drl-limits", &["drl-core"]),
    ("drl-wire", &["drl-core", "drl-proto", "drl-limits"]),
    ("drl-replay", &["drl-core", "drl-limits"]),
    ("drl-fields", &["drl-core", "drl-limits"]),
    ("drl-ring", &["drl-core"]),
    ("drl-engine", &["drl-core", "drl-limits", "drl-ring"]),
    ("drl-sim", &["drl-core", "drl-limits", "drl-ring", "drl-engine"]),
    ("drl-store", &["drl-core"]),
    ("drl-coordination", &["drl-core", "drl-test-etcd"]),
    ("drl-configuration", &["drl-core", "drl-limits"]),
    ("drl-configuration-grpc", &["drl-core", "drl-proto", "drl-limits", "drl-configuration"]),
    ("drl-policies", &["drl-core", "drl-test-etcd", "drl-limits", "drl-coordination", "drl-configuration"]),
    ("drl-client", &["drl-core", "drl-proto", "drl-limits", "drl-wire"]),
    ("drl-bench", &["drl-core", "drl-proto", "drl-wire", "drl-client"]),
    ("drl-host", &["drl-core", "drl-limits", "drl-engine", "drl-store", "drl-configuration"]),
    (
        "drl-membership",
        &["drl-core", "drl-limits", "drl-engine", "drl-store", "drl-coordination", "drl-configuration", "drl-host"],
    ),
    ("drl-embedded", &["drl-core", "drl-limits", "drl-store", "drl-configuration", "drl-client", "drl-host"]),
    // In process for its tests and examples.
    ("drl-tower", &["drl-core", "drl-limits", "drl-fields", "drl-client", "drl-embedded"]),
    (
        "drl-node",
        &[
            "drl-core",
            "drl-proto",
            "drl-limits",
            "drl-wire",
            "drl-fields",
            "drl-engine",
            "drl-store",
            "drl-coordination",
            "drl-configuration",
            "drl-policies",
            "drl-host",
            "drl-membership",
        ],
    ),
    (
        "drl",
        &[
            "drl-core",
            "drl-test-etcd",
            "drl-proto",
            "drl-limits",
            "drl-replay",
            "drl-coordination",
            "drl-configuration",
            "drl-policies",
            "drl-host",
            "drl-membership",
            "drl-node",
            "drl-bench",
        ],
    ),
    (
        "drl-tests",
        &["drl-core", "drl-test-etcd", "drl-limits", "drl-replay", "drl-client", "drl-embedded", "drl-proto"],
    ),
    // Shares the checker with the simulator, and processes with the tests.
    ("drl-torture", &["drl-core", "drl-test-etcd", "drl-limits", "drl-sim", "drl-client", "drl-tests"]),
];

/// Crates that read no clock, do no IO, spawn nothing and draw nothing.
const PURE: &[&str] = &["drl-core", "drl-limits", "drl-engine", "drl-ring"];

/// What a pure crate does not name, not even for its tests.
const EFFECTS: &[&str] = &["tokio", "rocksdb", "tonic", "rand", "axum", "rustix", "libc", "etcd-client", "tracing"];

/// Dependencies that only these crates may name.
const HOMES: &[(&str, &[&str])] = &[
    ("rocksdb", &["drl-store"]),
    // In coordination for its error codes: etcd-client's errors are tonic's.
    (
        "tonic",
        &[
            "drl-proto",
            "drl-configuration-grpc",
            "drl-coordination",
            "drl-client",
            "drl-bench",
            "drl-tower",
            "drl-node",
            "drl",
        ],
    ),
    ("prost", &["drl-proto"]),
    ("tonic-prost", &["drl-proto"]),
    ("tonic-prost-build", &["drl-proto"]),
    ("axum", &["drl-tower", "drl-node"]),
    ("clap", &["drl"]),
    ("toml", &["drl"]),
    // A library says exactly what can go wrong; only programs and tests may lump it together (see `may_name`).
    ("anyhow", &["drl", "drl-tests", "drl-test-etcd", "drl-torture"]),
    ("hashring", &["drl-ring"]),
    ("etcd-client", &["drl-coordination"]),
];

fn is_ours(dependency: &str) -> bool {
    dependency == "drl" || dependency.starts_with("drl-")
}

fn dependencies(tree: &Tree) -> impl Iterator<Item = (&str, &str, Entry<'_>)> {
    manifest::packages(tree).flat_map(|(path, package, entries)| {
        entries.into_iter().filter(Entry::is_dependency).map(move |entry| (path, package, entry))
    })
}

pub(super) fn arrows_point_down(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, package, _) in manifest::packages(tree) {
        if !LAYERS.iter().any(|(name, _)| *name == package) {
            findings.push(Finding::of_file(path, format!("{package} has no row in LAYERS (tests/src/tidy/layers.rs)")));
        }
    }
    for (path, package, entry) in dependencies(tree).filter(|(.., entry)| is_ours(entry.key)) {
        let allowed = LAYERS.iter().find(|(name, _)| *name == package).map_or(&[][..], |(_, allowed)| allowed);
        if !allowed.contains(&entry.key) {
            findings.push(Finding::of_line(path, entry.index, format!("{package} may not depend on {}", entry.key)));
        }
    }
    findings
}

pub(super) fn effects_have_one_home(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, package, entry) in dependencies(tree) {
        let home = HOMES.iter().find(|(name, _)| *name == entry.key);
        if let Some((name, homes)) = home
            && !may_name(package, &entry, homes)
        {
            let message = format!("only {} may name {name}, not {package}", homes.join(", "));
            findings.push(Finding::of_line(path, entry.index, message));
        }
    }
    findings
}

fn may_name(package: &str, entry: &Entry<'_>, homes: &[&str]) -> bool {
    let is_for_tests = entry.key == "anyhow" && entry.table == "dev-dependencies";
    is_for_tests || homes.contains(&package)
}

pub(super) fn pure_crates_stay_pure(tree: &Tree) -> Vec<Finding> {
    dependencies(tree)
        .filter(|(_, package, entry)| PURE.contains(package) && EFFECTS.contains(&entry.key))
        .map(|(path, package, entry)| {
            Finding::of_line(path, entry.index, format!("{package} is pure and may not depend on {}", entry.key))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::finding::messages;
    use super::*;

    fn manifest(package: &str, dependencies: &str) -> String {
        format!("[package]\nname = \"{package}\"\n[dependencies]\n{dependencies}")
    }

    #[test]
    fn every_row_names_only_rows_above_it() {
        for (index, (package, allowed)) in LAYERS.iter().enumerate() {
            for name in *allowed {
                assert!(LAYERS[..index].iter().any(|(above, _)| above == name), "{package} names {name} below it");
            }
        }
    }

    #[test]
    fn an_arrow_upwards_is_caught() {
        let text = manifest("drl-engine", "drl-limits.workspace = true\ndrl-host.workspace = true\n");
        let tree = Tree::of(&[("crates/engine/Cargo.toml", &text)]);
        let found = messages(&arrows_point_down(&tree));
        assert_eq!(found, ["crates/engine/Cargo.toml:5: drl-engine may not depend on drl-host"]);
    }

    #[test]
    fn an_arrow_upwards_for_tests_only_is_caught() {
        let text = "[package]\nname = \"drl-store\"\n[dev-dependencies]\ndrl-engine.workspace = true\n";
        let found = arrows_point_down(&Tree::of(&[("crates/store/Cargo.toml", text)]));
        assert_eq!(messages(&found), ["crates/store/Cargo.toml:4: drl-store may not depend on drl-engine"]);
    }

    #[test]
    fn a_crate_without_a_layer_is_caught() {
        let tree = Tree::of(&[("crates/helper/Cargo.toml", &manifest("drl-helper", ""))]);
        let found = messages(&arrows_point_down(&tree));
        assert_eq!(found, ["crates/helper/Cargo.toml: drl-helper has no row in LAYERS (tests/src/tidy/layers.rs)"]);
    }

    #[test]
    fn rocksdb_outside_the_store_is_caught() {
        let text = manifest("drl-host", "rocksdb.workspace = true\n");
        let found = effects_have_one_home(&Tree::of(&[("crates/host/Cargo.toml", &text)]));
        assert_eq!(messages(&found), ["crates/host/Cargo.toml:4: only drl-store may name rocksdb, not drl-host"]);
    }

    #[test]
    fn lumped_errors_in_a_library_are_caught_and_in_its_tests_are_not() {
        let text = manifest("drl-store", "anyhow.workspace = true\n[dev-dependencies]\nanyhow.workspace = true\n");
        let found = effects_have_one_home(&Tree::of(&[("crates/store/Cargo.toml", &text)]));
        assert_eq!(
            messages(&found),
            [
                "crates/store/Cargo.toml:4: only drl, drl-tests, drl-test-etcd, drl-torture may name anyhow, not drl-store"
            ]
        );
    }

    #[test]
    fn a_runtime_in_a_pure_crate_is_caught() {
        let text = manifest("drl-limits", "tokio.workspace = true\nthiserror.workspace = true\n");
        let found = pure_crates_stay_pure(&Tree::of(&[("crates/limits/Cargo.toml", &text)]));
        assert_eq!(messages(&found), ["crates/limits/Cargo.toml:4: drl-limits is pure and may not depend on tokio"]);
    }
}
