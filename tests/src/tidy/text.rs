//! Reading Rust sources as text: what belongs to tests, and where a word stands alone.

/// Whether the whole file is there for tests, examples or benchmarks.
pub(super) fn is_for_tests(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|part| ["tests", "examples", "benches"].contains(&part))
}

/// How many lines stand before the test module inside the file; all of them when there is none.
pub(super) fn lines_before_tests(text: &str) -> usize {
    let lines: Vec<_> = text.lines().collect();
    (0..lines.len()).find(|index| opens_test_module(&lines[*index..])).unwrap_or(lines.len())
}

/// `#[cfg(test)]`, then maybe more attributes, then `mod name {`. A single item for tests, or `mod tests;`, ends nothing.
fn opens_test_module(lines: &[&str]) -> bool {
    let Some((&"#[cfg(test)]", rest)) = lines.split_first() else { return false };
    let item = rest.iter().find(|line| !line.starts_with("#["));
    item.is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
}

/// Whether `word` stands in the line and is not a piece of a longer word.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let is_inner = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let is_piece = before.is_some_and(is_inner) || word.ends_with(is_inner) && after.is_some_and(is_inner);
        !is_piece
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_module_ends_the_code_and_a_test_item_does_not() {
        assert_eq!(lines_before_tests("a\n#[cfg(test)]\nuse b;\nc\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n}\n"), 4);
        assert_eq!(lines_before_tests("a\n#[cfg(test)]\nmod tests;\n"), 3);
    }

    #[test]
    fn a_word_is_found_and_a_piece_of_one_is_not() {
        assert!(has_word("time::wait(x)", "wait(") && has_word("wait(x)", "wait("));
        assert!(!has_word("fn does_not_wait()", "wait("));
        assert!(has_word("see YY: here", "YY") && !has_word("mktemp YYY", "YY") && !has_word("YYes", "YY"));
    }

    #[test]
    fn files_for_tests_are_known_by_their_path() {
        assert!(is_for_tests("crates/limits/tests/properties.rs") && is_for_tests("tests/src/node.rs"));
        assert!(is_for_tests("crates/store/src/memory/tests.rs") && is_for_tests("crates/limits/examples/check.rs"));
        assert!(!is_for_tests("crates/limits/src/latest.rs"));
    }
}
