//! Real kills: the test binary runs itself as a child that writes and says what was answered, kills it, and reads back. What was
//! answered must be there and the journal whole; what is then taken away must be missed.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use drl_core::CommitNo;
use drl_store::{CommitSync, Record, RecordKind, Store, Wholeness};

use crate::sample::{ReadBack, frame, page, page_id, recover, recover_whole};
use crate::subjects::{copy, database_files, open};

const CHILD: &str = "DRL_STORE_TEST_CHILD";
/// The child ends by itself when nobody kills it.
const COMMITS_MAX: u64 = 200_000;
/// Not at a checkpoint (every 50), so that the WAL holds frames.
const QUIET_AFTER: u64 = 1_030;

/// The child's whole life; as a test of its own it does nothing.
#[test]
fn child_writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let store = open(Path::new(&dir), "boot").unwrap();
    let last = store.recover(&mut ReadBack::default()).unwrap().last.0;
    for commit in last + 1..=last + COMMITS_MAX {
        let sync = if commit % 16 == 0 { CommitSync::Now } else { CommitSync::Later };
        store.append(CommitNo(commit), &frame(commit), sync).unwrap();
        println!("commit {commit}");
        if commit % 50 == 0 {
            let number = u16::try_from(commit / 50 % 5).unwrap();
            store.write_pages(&[(page_id(number), page(number, commit)), (page_id(9), page(9, commit))]).unwrap();
            store.checkpoint(CommitNo(commit)).unwrap();
        }
        if commit % 70 == 0 {
            let record =
                Record { kind: RecordKind::Meta, key: b"seen".to_vec(), value: Some(commit.to_be_bytes().to_vec()) };
            store.put_records(&[record]).unwrap();
            println!("record {commit}");
        }
        if commit == last + QUIET_AFTER {
            // Quiet: nothing in flight when the kill comes. Ends when the parent does.
            println!("quiet");
            let _ = std::io::stdin().read(&mut [0]);
        }
    }
}

/// What the child said was done.
#[derive(Debug, Default)]
struct Answered {
    commit: u64,
    record: u64,
}

struct Writing {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    answered: Answered,
}

impl Writing {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::child_writes_until_it_is_killed", "--nocapture", "--test-threads=1"])
            .env(CHILD, dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, answered: Answered::default() }
    }

    /// Takes in one line; `None` at the end of the child.
    fn hear(&mut self) -> Option<String> {
        let line = self.lines.next()?.unwrap();
        // The test harness prints its own words before the first line, without a line end.
        if let Some(at) = line.find("commit ") {
            self.answered.commit = line[at + 7..].parse().unwrap();
        } else if let Some(at) = line.find("record ") {
            self.answered.record = line[at + 7..].parse().unwrap();
        }
        Some(line)
    }

    /// kill -9, then everything that was still on its way.
    fn kill(mut self) -> Answered {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        while self.hear().is_some() {}
        self.answered
    }
}

#[test]
fn killed_while_writing_everything_answered_is_there_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut seen_record = 0;
    for round in 0..12_u64 {
        let mut writing = Writing::start(dir.path());
        for _ in 0..round * 83 % 400 + 5 {
            writing.hear().unwrap();
        }
        let answered = writing.kill();
        let store = open(dir.path(), "boot").unwrap();
        let (recovered, read_back) = recover_whole(&store);
        assert!(recovered.last.0 >= answered.commit, "{recovered:?} {answered:?}");
        if let (Some(first), Some(page)) = (read_back.commits.first(), read_back.pages.get(&page_id(9))) {
            assert!(*first <= page + 1, "frames {first}.. do not reach page {page}");
        }
        let records = store.records(RecordKind::Meta).unwrap();
        let record = records.first().map_or(0, |(_, value)| u64::from_be_bytes(value[..].try_into().unwrap()));
        seen_record = answered.record.max(seen_record);
        assert!(record >= seen_record, "record {record} of {seen_record}");
    }
}

#[test]
fn truncated_tail_is_never_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut writing = Writing::start(dir.path());
    while writing.hear().unwrap() != "quiet" {}
    let answered = writing.kill();
    let whole = copy(dir.path());
    assert_eq!(recover_whole(&open(whole.path(), "boot").unwrap()).0.last.0, answered.commit);

    let logs = database_files(dir.path(), "log");
    let newest = logs.last().unwrap();
    let length = newest.metadata().unwrap().len();
    for bytes in [1, 7, 100, 3_000, length / 3, length - 1, length] {
        let cut = copy(dir.path());
        let log = cut.path().join("db").join(newest.file_name().unwrap());
        File::options().write(true).open(&log).unwrap().set_len(length - bytes).unwrap();
        must_be_missed(cut.path(), &format!("{bytes} of {length} bytes"));
    }
    let removed = copy(dir.path());
    std::fs::remove_file(removed.path().join("db").join(newest.file_name().unwrap())).unwrap();
    must_be_missed(removed.path(), "the whole file");
}

/// Refused, or read back as a doubtful prefix.
fn must_be_missed(dir: &Path, what: &str) {
    let Ok(store) = open(dir, "boot") else { return };
    let (recovered, _) = recover(&store);
    assert!(matches!(recovered.wholeness, Wholeness::Doubtful(_)), "{what} cut off: {recovered:?}");
    // Said once more by the next start, settled by discarding.
    drop(store);
    let store = open(dir, "boot").unwrap();
    assert!(matches!(recover(&store).0.wholeness, Wholeness::Doubtful(_)), "{what} cut off, second start");
    store.discard_counters().unwrap();
    drop(store);
    assert_eq!(recover_whole(&open(dir, "another boot").unwrap()).0.last, recovered.last);
}
