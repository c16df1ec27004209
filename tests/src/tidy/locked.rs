//! What a crate pulls in, as `Cargo.lock` has it: everything it may need for any feature, target or test. So nothing that a rule misses
//! here can come in by another way.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Finding;
use super::tree::Tree;

const LOCK: &str = "Cargo.lock";

/// Crates that callers build, and what must not come with them: minutes of C++, and a service that clients are not shown.
const LIGHT: &[(&str, &[&str])] = &[("drl-client", &["rocksdb", "librocksdb-sys", "etcd-client"])];

/// Each package with those it names. Two versions of one package count as one.
fn packages(lock: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut packages = BTreeMap::<_, BTreeSet<_>>::new();
    let (mut package, mut is_list) = ("", false);
    for line in lock.lines() {
        if let Some(name) = line.strip_prefix("name = ") {
            package = name.trim_matches('"');
            packages.entry(package).or_default();
        } else if line.starts_with("dependencies = [") {
            is_list = true;
        } else if line.starts_with(']') {
            is_list = false;
        } else if is_list {
            // A name, and a version where there are several.
            let name = line.trim().trim_matches(['"', ',']).split(' ').next().unwrap_or_default();
            packages.entry(package).or_default().insert(name);
        }
    }
    packages
}

/// How `from` comes to `to`, both included.
fn path<'a>(packages: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut paths = vec![vec![from]];
    let mut seen = BTreeSet::from([from]);
    while let Some(path) = paths.pop() {
        let last = path.last().copied().unwrap_or_default();
        if last == to {
            return Some(path);
        }
        for next in packages.get(last).into_iter().flatten() {
            if seen.insert(next) {
                paths.push(path.iter().copied().chain([*next]).collect());
            }
        }
    }
    None
}

pub(super) fn what_callers_build_stays_light(tree: &Tree) -> Vec<Finding> {
    let packages = packages(tree.get(LOCK).unwrap_or_default());
    let heavy = LIGHT.iter().flat_map(|(light, heavy)| heavy.iter().map(move |heavy| (light, heavy)));
    heavy
        .filter_map(|(light, heavy)| path(&packages, light, heavy))
        .map(|path| Finding::of_file(LOCK, format!("callers would have to build {}", path.join(" -> "))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::finding::messages;
    use super::*;

    fn lock(core: &str) -> String {
        format!(
            "version = 4\n\n[[package]]\nname = \"drl-client\"\nversion = \"0.1.0\"\ndependencies = [\n \"drl-core\",\n \"syn 2.0.1\",\n]\n\n\
             [[package]]\nname = \"drl-core\"\nversion = \"0.1.0\"\ndependencies = [\n {core}\n]\n\n\
             [[package]]\nname = \"drl-store\"\nversion = \"0.1.0\"\ndependencies = [\n \"drl-core\",\n \"rocksdb\",\n]\n\n\
             [[package]]\nname = \"rocksdb\"\nversion = \"0.25.0\"\n"
        )
    }

    #[test]
    fn a_database_that_comes_with_the_client_by_a_detour_is_caught() {
        let tree = Tree::of(&[(LOCK, &lock("\"drl-store\","))]);
        let found = messages(&what_callers_build_stays_light(&tree));
        assert_eq!(found, ["Cargo.lock: callers would have to build drl-client -> drl-core -> drl-store -> rocksdb"]);
    }

    #[test]
    fn what_other_crates_pull_in_is_their_own_affair() {
        let tree = Tree::of(&[(LOCK, &lock("\"syn 3.0.0\","))]);
        assert!(what_callers_build_stays_light(&tree).is_empty());
        assert!(packages(&lock(""))["drl-client"].contains("syn"));
    }
}
