//! The house, checked by reading the tree: which crate may name which, what every file looks like, what the documents owe each
//! other. Each rule is a function from a [`Tree`] to its [`Finding`]s and is proved by a test that plants a violation.
//!
//! What a compiler or clippy can see (functions of at most 70 lines, `unwrap` outside tests, banned calls) is left to them.

mod documents;
mod finding;
mod layers;
mod locked;
mod manifest;
mod sources;
mod text;
mod tree;
mod workspace;

pub use finding::Finding;
pub use tree::Tree;

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: &[Rule] = &[
    layers::arrows_point_down,
    layers::effects_have_one_home,
    layers::pure_crates_stay_pure,
    locked::what_callers_build_stays_light,
    workspace::crates_inherit_the_lints,
    workspace::versions_live_in_the_workspace_table,
    workspace::dependencies_have_a_reason_and_a_user,
    sources::files_say_what_they_hold,
    sources::files_are_short,
    sources::modules_are_named_files,
    sources::nothing_is_left_over,
    sources::tests_do_not_sleep,
    sources::only_clocks_read_the_clock,
    documents::decisions_are_numbered_and_indexed,
    documents::glossary_has_every_noun,
    documents::links_lead_somewhere,
    documents::nothing_points_outside,
];

/// Everything in the tree that breaks a rule.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Finding> {
    RULES.iter().flat_map(|rule| rule(tree)).collect()
}
