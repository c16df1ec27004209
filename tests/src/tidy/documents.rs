//! What the documents owe their reader: decisions that are numbered and indexed, a glossary with every noun, links that lead
//! somewhere, and nothing that only this machine has.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::tree::Tree;

const DECISIONS: &str = "docs/adr/";
const INDEX: &str = "docs/adr/README.md";
const GLOSSARY: &str = "docs/glossary.md";

/// What a decision record is made of.
const SECTIONS: &[&str] = &["## Context", "## Decision", "## Consequences"];

/// The words that have one meaning in this project.
const NOUNS: &[&str] = &[
    "client",
    "namespace",
    "limit key",
    "limit",
    "policy",
    "check",
    "decision",
    "cost",
    "counter",
    "emission interval",
    "tolerance",
    "TAT",
    "shard",
    "ring",
    "virtual node",
    "placement",
    "owner",
    "follower",
    "learner",
    "session",
    "lease",
    "epoch",
    "generation",
    "fencing token",
    "frame",
    "journal",
    "checkpoint",
    "snapshot",
    "tail",
    "handoff",
    "failover",
    "drain",
    "shard time",
    "denied",
    "rejected",
    "failed",
];

/// Places outside the repository. Written in two pieces, so that this file does not point there.
const OUTSIDE: &[&str] =
    &[concat!("../", "shared"), concat!("/wo", "rk/"), concat!(".lib", "rary"), concat!("/tmp/", "plan")];

pub(super) fn decisions_are_numbered_and_indexed(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let index = tree.get(INDEX).unwrap_or_default();
    if index.is_empty() {
        findings.push(Finding::of_file(INDEX, "the index of decisions is missing"));
    }
    let records = tree.files_ending(".md").filter(|(path, _)| path.starts_with(DECISIONS) && *path != INDEX);
    for (expected, (path, text)) in (1..).zip(records) {
        let number = format!("{expected:04}");
        let file = path.trim_start_matches(DECISIONS);
        if !file.starts_with(&format!("{number}-")) {
            findings.push(Finding::of_file(path, format!("the next decision is number {number}")));
        }
        let title = text.lines().next().unwrap_or_default().trim_start_matches("# ");
        if !title.starts_with(&file[..file.len().min(4)]) {
            findings.push(Finding::of_file(path, "must open with `# NNNN The decision`, with its own number"));
        }
        if !index.contains(&format!("[{title}]({file})")) {
            findings.push(Finding::of_file(INDEX, format!("has no line `[{title}]({file})`")));
        }
        for section in SECTIONS.iter().filter(|section| !text.lines().any(|line| line == **section)) {
            findings.push(Finding::of_file(path, format!("has no `{section}`")));
        }
    }
    findings
}

/// An entry is a line that starts with its noun in bold.
pub(super) fn glossary_has_every_noun(tree: &Tree) -> Vec<Finding> {
    let mut entries: BTreeMap<&str, usize> = BTreeMap::new();
    for line in tree.get(GLOSSARY).unwrap_or_default().lines() {
        let noun = line.trim_start_matches("* ").strip_prefix("**").and_then(|rest| rest.split("**").next());
        *entries.entry(noun.unwrap_or_default()).or_default() += 1;
    }
    let missing =
        NOUNS.iter().filter(|noun| !entries.contains_key(**noun)).map(|noun| format!("has no entry for `{noun}`"));
    let twice = entries.iter().filter(|(noun, times)| !noun.is_empty() && **times > 1);
    let twice = twice.map(|(noun, _)| format!("has two entries for `{noun}`"));
    missing.chain(twice).map(|message| Finding::of_file(GLOSSARY, message)).collect()
}

pub(super) fn links_lead_somewhere(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files_ending(".md") {
        let mut in_code = false;
        for (index, line) in text.lines().enumerate() {
            in_code ^= line.trim_start().starts_with("```");
            if in_code {
                continue;
            }
            let dead = links(line).filter(|target| !resolve(path, target).is_some_and(|path| tree.has(&path)));
            findings.extend(
                dead.map(|target| Finding::of_line(path, index, format!("the link to {target} leads nowhere"))),
            );
        }
    }
    findings
}

/// The targets of the line's links into this repository, without their fragments.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next());
    targets.filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
}

/// The path from the root; `None` when the target climbs out of the repository.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

pub(super) fn nothing_points_outside(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        for (index, line) in text.lines().enumerate() {
            let places = OUTSIDE.iter().filter(|place| line.contains(**place));
            findings.extend(
                places.map(|place| Finding::of_line(path, index, format!("points to {place}, outside the repository"))),
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests;
