//! A policy file that is edited, swapped, broken and removed. Looks are asked for, so that no test waits for a clock; one test has the
//! thread look by itself.

use std::fs;

use drl_core::{ClientId, Namespace};
use tempfile::TempDir;

use super::*;
use crate::Matched;

/// Long enough that only `reload` looks.
const NEVER: Duration = Duration::from_hours(1);

fn json(requests: u64) -> String {
    let policy = format!(r#"{{"limits":[{{"requests":{requests},"window":"1m"}}]}}"#);
    format!(r#"{{"namespaces":{{"default":{{"default":{policy},"clients":{{"alice":{policy}}}}}}}}}"#)
}

const BROKEN: &str = r#"{"namespaces":{"default":{"default":{"limits":[{"requests":1,"window":"soon"}]}}}}"#;

struct Scene {
    directory: TempDir,
    path: PathBuf,
}

impl Scene {
    fn new(content: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("policies.json");
        fs::write(&path, content).unwrap();
        Self { directory, path }
    }

    fn write(&self, content: &str) {
        fs::write(&self.path, content).unwrap();
    }

    fn open(&self) -> File {
        File::open(&self.path, NEVER).unwrap()
    }
}

/// Requests, revision and match of what applies to `id`.
fn found(file: &File, id: &str) -> (u64, u64, Matched) {
    let found = file.get(LimitKey::new(Namespace::DEFAULT, ClientId::new(id.as_bytes()).unwrap())).unwrap();
    (found.policy.limits()[0].requests(), found.revision, found.matched)
}

#[test]
fn a_file_is_in_force_when_it_is_open() {
    let file = Scene::new(&json(5)).open();
    assert_eq!(found(&file, "alice"), (5, 1, Matched::Client));
    assert_eq!(found(&file, "bob"), (5, 1, Matched::Default));
    assert_eq!((file.revision(), file.with_policies(PolicySet::len)), (1, 2));
}

#[test]
fn a_changed_file_raises_the_revision_and_an_equal_one_does_not() {
    let scene = Scene::new(&json(5));
    let file = scene.open();
    assert_eq!(file.reload().unwrap(), Reload::Unchanged);
    scene.write(&json(6));
    assert_eq!(file.reload().unwrap(), Reload::Applied { revision: 2 });
    assert_eq!(found(&file, "alice"), (6, 2, Matched::Client));
    scene.write(&json(6).replace(':', " : "));
    assert_eq!(file.reload().unwrap(), Reload::Unchanged);
    assert_eq!(file.revision(), 2);
}

#[test]
fn edits_of_one_length_in_one_tick_of_the_clock_are_all_noticed() {
    let scene = Scene::new(&json(10));
    let file = scene.open();
    for requests in 11..=60 {
        scene.write(&json(requests));
        assert_eq!(file.reload().unwrap(), Reload::Applied { revision: requests - 9 });
    }
    assert_eq!(found(&file, "alice").0, 60);
}

#[test]
fn a_deleted_policy_is_noticed() {
    let scene = Scene::new(&json(5));
    let file = scene.open();
    scene.write(r#"{"namespaces":{}}"#);
    assert_eq!(file.reload().unwrap(), Reload::Applied { revision: 2 });
    assert!(file.get(LimitKey::new(Namespace::DEFAULT, ClientId::new(b"alice").unwrap())).is_none());
}

#[test]
fn a_broken_file_keeps_the_last_good_one_and_says_so_until_it_is_mended() {
    let scene = Scene::new(&json(5));
    let file = scene.open();
    scene.write(BROKEN);
    let error = file.reload().unwrap_err();
    assert_eq!(error.faults().unwrap().listed()[0].field, r#"namespaces["default"].default.limits[0].window"#);
    assert_eq!(file.last_error().unwrap().to_string(), error.to_string());
    assert_eq!(found(&file, "alice"), (5, 1, Matched::Client));
    assert!(file.reload().is_err(), "it is still broken");
    scene.write(&json(5));
    assert_eq!(file.reload().unwrap(), Reload::Unchanged);
    assert!(file.last_error().is_none());
}

#[test]
fn a_file_that_is_gone_keeps_its_policies_in_force() {
    let scene = Scene::new(&json(5));
    let file = scene.open();
    fs::remove_file(&scene.path).unwrap();
    assert!(matches!(*file.reload().unwrap_err(), FileError::Read { .. }));
    assert_eq!(found(&file, "alice").0, 5);
    scene.write(&json(7));
    assert_eq!(file.reload().unwrap(), Reload::Applied { revision: 2 });
    assert!(file.last_error().is_none());
}

#[test]
fn a_swapped_link_is_noticed_even_when_the_times_of_both_files_are_old() {
    let scene = Scene::new(&json(5));
    let (other, link, new_link) = ("other.json", "link.json", "new_link.json");
    let [other, link, new_link] = [other, link, new_link].map(|name| scene.directory.path().join(name));
    fs::write(&other, json(6)).unwrap();
    std::os::unix::fs::symlink(&scene.path, &link).unwrap();
    let file = File::open(&link, NEVER).unwrap();
    assert_eq!(file.reload().unwrap(), Reload::Unchanged);
    std::os::unix::fs::symlink(&other, &new_link).unwrap();
    fs::rename(&new_link, &link).unwrap();
    assert_eq!(file.reload().unwrap(), Reload::Applied { revision: 2 });
    assert_eq!(found(&file, "alice").0, 6);
}

#[test]
fn the_first_load_refuses_a_broken_file_with_all_its_faults() {
    let broken = BROKEN.replace(r#"{"requests":1,"window":"soon"}"#, r#"{"requests":0,"window":"soon"}"#);
    let scene = Scene::new(&broken);
    let error = File::open(&scene.path, NEVER).unwrap_err();
    assert_eq!(error.faults().unwrap().count(), 2);
    assert!(matches!(File::open(scene.directory.path().join("none"), NEVER), Err(FileError::Read { .. })));
    assert!(matches!(File::open(scene.directory.path(), NEVER), Err(FileError::Read { .. })));
}

#[tokio::test]
async fn the_thread_notices_a_change_and_stops_with_its_file() {
    let scene = Scene::new(&json(5));
    let file = File::open(&scene.path, Duration::from_millis(5)).unwrap();
    let mut watch = file.watch();
    scene.write(&json(6));
    tokio::time::timeout(Duration::from_secs(30), watch.wait_for(|revision| *revision == 2)).await.unwrap().unwrap();
    assert_eq!(found(&file, "alice").0, 6);
    drop(file);
    assert!(watch.changed().await.is_err(), "the thread held the sender and has ended");
}

#[test]
fn a_hundred_thousand_policies_load() {
    use std::fmt::Write as _;
    let mut clients = String::new();
    for number in 0..100_000u32 {
        let comma = if number == 0 { "" } else { "," };
        let requests = number % 1_000 + 1;
        write!(clients, r#"{comma}"client-{number}":{{"limits":[{{"requests":{requests},"window":"1m"}}]}}"#).unwrap();
    }
    let scene = Scene::new(&format!(r#"{{"namespaces":{{"default":{{"clients":{{{clients}}}}}}}}}"#));
    let file = scene.open();
    assert_eq!(file.with_policies(PolicySet::len), 100_000);
    assert_eq!(found(&file, "client-99999"), (1_000, 1, Matched::Client));
}
