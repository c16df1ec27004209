//! What every Rust file looks like: a first line that says what it holds, a length that can be read in one go, nothing left over,
//! and tests that wait for events instead of sleeping.

use super::finding::Finding;
use super::text::{has_word, is_for_tests, lines_before_tests};
use super::tree::Tree;

/// Lines of code in one file, tests aside: beyond that it holds more than one concept.
const LINES_MAX: usize = 300;

/// Marks of unfinished work. Written in two pieces, so that this file does not hold them.
const LEFT_OVER: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("dbg", "!("),
    concat!("#[ig", "nore"),
];

/// Calls that wait for time to pass.
const SLEEPS: &[&str] = &[concat!("sleep", "("), concat!("sleep_until", "("), concat!("sleep_ms", "(")];

/// The files that may ask the machine for the time, one of a node and one of a client, and the calls that do.
const CLOCKS: [&str; 2] = ["crates/host/src/clock.rs", "crates/client/src/clock.rs"];
const CLOCK_READS: &[&str] = &["Instant::now", "SystemTime::now", "clock_gettime"];

pub(super) fn files_say_what_they_hold(tree: &Tree) -> Vec<Finding> {
    tree.files_ending(".rs")
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| {
            Finding::of_file(path, "must open with `//!`: what it holds, what it keeps, what it does not know")
        })
        .collect()
}

pub(super) fn files_are_short(tree: &Tree) -> Vec<Finding> {
    tree.files_ending(".rs")
        .filter(|(path, _)| !is_for_tests(path))
        .map(|(path, text)| (path, lines_before_tests(text)))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(path, lines)| {
            Finding::of_file(path, format!("has {lines} lines, tests aside; at {LINES_MAX} it is split"))
        })
        .collect()
}

pub(super) fn modules_are_named_files(tree: &Tree) -> Vec<Finding> {
    tree.files_ending("/mod.rs")
        .map(|(path, _)| Finding::of_file(path, "must be named for what it holds: `foo.rs` beside `foo/`"))
        .collect()
}

pub(super) fn nothing_is_left_over(tree: &Tree) -> Vec<Finding> {
    let written = tree.files().filter(|(path, _)| *path != "Cargo.lock");
    each_line(written, |line| {
        let word = LEFT_OVER.iter().find(|word| has_word(line, word))?;
        Some(format!("`{word}` is left over: do it, or say in an issue what is missing"))
    })
}

pub(super) fn tests_do_not_sleep(tree: &Tree) -> Vec<Finding> {
    tree.files_ending(".rs")
        .flat_map(|(path, text)| {
            let first = if is_for_tests(path) { 0 } else { lines_before_tests(text) };
            text.lines().enumerate().skip(first).map(move |(index, line)| (path, index, line))
        })
        .filter(|(_, _, line)| SLEEPS.iter().any(|call| has_word(line, call)))
        .map(|(path, index, _)| Finding::of_line(path, index, "a test sleeps: wait for the event, with a deadline"))
        .collect()
}

pub(super) fn only_clocks_read_the_clock(tree: &Tree) -> Vec<Finding> {
    tree.files_ending(".rs")
        .filter(|(path, _)| !CLOCKS.contains(path) && !is_for_tests(path))
        .flat_map(|(path, text)| {
            text.lines().take(lines_before_tests(text)).enumerate().map(move |(index, line)| (path, index, line))
        })
        .filter(|(_, _, line)| CLOCK_READS.iter().any(|call| has_word(line, call)))
        .map(|(path, index, _)| {
            Finding::of_line(path, index, format!("reads a clock; only {} do", CLOCKS.join(" and ")))
        })
        .collect()
}

fn each_line<'a>(
    files: impl Iterator<Item = (&'a str, &'a str)>,
    fault: impl Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in files {
        for (index, line) in text.lines().enumerate() {
            findings.extend(fault(line).map(|message| Finding::of_line(path, index, message)));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::messages;
    use super::*;

    const LIB: &str = "crates/core/src/lib.rs";

    #[test]
    fn a_file_that_does_not_say_what_it_holds_is_caught() {
        let tree = Tree::of(&[(LIB, "use std::fmt;\n"), ("crates/core/src/cost.rs", "//! Units charged.\n")]);
        let found = messages(&files_say_what_they_hold(&tree));
        assert_eq!(
            found,
            [format!("{LIB}: must open with `//!`: what it holds, what it keeps, what it does not know")]
        );
    }

    #[test]
    fn a_long_file_is_caught_and_long_tests_are_not() {
        let code = "//! Code.\n".to_owned() + &"x\n".repeat(LINES_MAX);
        let tests = "//! Tests.\n#[cfg(test)]\nmod tests {\n".to_owned() + &"x\n".repeat(LINES_MAX);
        let tree = Tree::of(&[(LIB, &code), ("crates/core/src/a.rs", &tests), ("crates/core/tests/b.rs", &code)]);
        assert_eq!(
            messages(&files_are_short(&tree)),
            [format!("{LIB}: has 301 lines, tests aside; at 300 it is split")]
        );
    }

    #[test]
    fn a_module_without_a_name_is_caught() {
        let tree = Tree::of(&[("crates/core/src/time/mod.rs", "//! Time.\n")]);
        let found = messages(&modules_are_named_files(&tree));
        assert_eq!(found, ["crates/core/src/time/mod.rs: must be named for what it holds: `foo.rs` beside `foo/`"]);
    }

    #[test]
    fn every_mark_of_unfinished_work_is_caught() {
        for mark in LEFT_OVER {
            let tree = Tree::of(&[("docs/limits.md", &format!("fine\nhere: {mark} later\n"))]);
            let expected =
                format!("docs/limits.md:2: `{mark}` is left over: do it, or say in an issue what is missing");
            assert_eq!(messages(&nothing_is_left_over(&tree)), [expected]);
        }
    }

    #[test]
    fn a_sleeping_test_is_caught_wherever_it_stands() {
        let call = format!("    std::thread::{}x);\n", SLEEPS[0]);
        let inline = format!("//! Code.\n{call}#[cfg(test)]\nmod tests {{\n{call}}}\n");
        let tree = Tree::of(&[(LIB, &inline), ("tests/tests/node.rs", &call)]);
        let message = "a test sleeps: wait for the event, with a deadline";
        let expected = [format!("{LIB}:5: {message}"), format!("tests/tests/node.rs:1: {message}")];
        assert_eq!(messages(&tests_do_not_sleep(&tree)), expected);
    }

    #[test]
    fn a_second_clock_is_caught() {
        let text = "//! Code.\nlet now = Instant::now();\n";
        let tree = Tree::of(&[(LIB, text), (CLOCKS[0], text), (CLOCKS[1], text), ("tests/tests/node.rs", text)]);
        let expected = format!("{LIB}:2: reads a clock; only {} do", CLOCKS.join(" and "));
        assert_eq!(messages(&only_clocks_read_the_clock(&tree)), [expected]);
    }
}
