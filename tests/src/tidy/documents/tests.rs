//! A violation of each rule about documents, planted and seen.

use super::super::finding::messages;
use super::*;

const SOUND: &str = "# 0001 Counters live in memory\n\n## Context\n\n## Decision\n\n## Consequences\n";
const LINE: &str = "* [0001 Counters live in memory](0001-memory.md)\n";

#[test]
fn a_sound_decision_passes() {
    let tree = Tree::of(&[(INDEX, LINE), ("docs/adr/0001-memory.md", SOUND)]);
    assert!(decisions_are_numbered_and_indexed(&tree).is_empty());
}

#[test]
fn a_gap_in_the_numbers_is_caught() {
    let second = SOUND.replace("0001", "0003");
    let index = LINE.to_owned() + &LINE.replace("0001", "0003");
    let tree = Tree::of(&[(INDEX, &index), ("docs/adr/0001-memory.md", SOUND), ("docs/adr/0003-memory.md", &second)]);
    let found = messages(&decisions_are_numbered_and_indexed(&tree));
    assert_eq!(found, ["docs/adr/0003-memory.md: the next decision is number 0002"]);
}

#[test]
fn a_title_that_the_index_does_not_have_is_caught() {
    let renamed = SOUND.replace("Counters live", "Counters do not live");
    let tree = Tree::of(&[(INDEX, LINE), ("docs/adr/0001-memory.md", &renamed)]);
    let found = messages(&decisions_are_numbered_and_indexed(&tree));
    assert_eq!(found, ["docs/adr/README.md: has no line `[0001 Counters do not live in memory](0001-memory.md)`"]);
}

#[test]
fn a_title_without_its_number_and_a_missing_section_are_caught() {
    let text = "# Counters\n\n## Context\n\n## Decision\n";
    let tree = Tree::of(&[(INDEX, "* [Counters](0001-memory.md)\n"), ("docs/adr/0001-memory.md", text)]);
    let expected = [
        "docs/adr/0001-memory.md: must open with `# NNNN The decision`, with its own number",
        "docs/adr/0001-memory.md: has no `## Consequences`",
    ];
    assert_eq!(messages(&decisions_are_numbered_and_indexed(&tree)), expected);
}

#[test]
fn a_missing_index_is_caught() {
    let found = messages(&decisions_are_numbered_and_indexed(&Tree::of(&[])));
    assert_eq!(found, ["docs/adr/README.md: the index of decisions is missing"]);
}

#[test]
fn a_noun_that_is_missing_or_said_twice_is_caught() {
    let all = NOUNS.iter().map(|noun| format!("* **{noun}**: a word.")).collect::<Vec<_>>().join("\n");
    assert!(glossary_has_every_noun(&Tree::of(&[(GLOSSARY, &all)])).is_empty());
    let without = all.replace("**epoch**: a word", "**owner**: a word");
    let found = messages(&glossary_has_every_noun(&Tree::of(&[(GLOSSARY, &without)])));
    assert_eq!(found, ["docs/glossary.md: has no entry for `epoch`", "docs/glossary.md: has two entries for `owner`"]);
}

#[test]
fn a_missing_glossary_is_caught() {
    assert_eq!(glossary_has_every_noun(&Tree::of(&[])).len(), NOUNS.len());
}

#[test]
fn a_dead_link_is_caught_and_code_is_left_alone() {
    let text = "[a](../README.md#top) [b](adr/) [c](https://example.org) [d](#here)\n[e](gone.md) [f](../../x)\n```\n[g](h)\n```\n";
    let tree = Tree::of(&[("docs/architecture.md", text), ("README.md", ""), (INDEX, "")]);
    let expected = [
        "docs/architecture.md:2: the link to gone.md leads nowhere",
        "docs/architecture.md:2: the link to ../../x leads nowhere",
    ];
    assert_eq!(messages(&links_lead_somewhere(&tree)), expected);
}

#[test]
fn every_place_outside_the_repository_is_caught() {
    for place in OUTSIDE {
        let tree = Tree::of(&[("deploy/quickstart", &format!("cd {place}x\n"))]);
        let expected = format!("deploy/quickstart:1: points to {place}, outside the repository");
        assert_eq!(messages(&nothing_points_outside(&tree)), [expected]);
    }
}
