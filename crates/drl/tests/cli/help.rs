//! Help, completions and the manual.

use std::process::Stdio;

use crate::process::{command, drl, finish};

const COMMANDS: [&[&str]; 22] = [
    &["dev"],
    &["serve"],
    &["limits"],
    &["limits", "set"],
    &["limits", "get"],
    &["limits", "list"],
    &["limits", "delete"],
    &["limits", "validate"],
    &["check"],
    &["reset"],
    &["refund"],
    &["explain"],
    &["cluster"],
    &["cluster", "status"],
    &["cluster", "nodes"],
    &["cluster", "shards"],
    &["cluster", "drain"],
    &["cluster", "undrain"],
    &["replay"],
    &["bench"],
    &["completions"],
    &["man"],
];

#[test]
fn every_command_explains_itself_with_examples() {
    for command in COMMANDS {
        let ran = drl(&[command, &["--help"]].concat()).expect_code(0);
        let example = format!("\n  drl {}", command.join(" "));
        assert!(ran.stdout.contains("Examples:") && ran.stdout.contains(&example), "{}", ran.stdout);
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn every_command_that_prints_data_documents_its_exit_codes_and_output() {
    for command in COMMANDS {
        if ["limits", "cluster", "completions", "man"].contains(&command.join(" ").as_str()) {
            continue;
        }
        let help = drl(&[command, &["--help"]].concat()).expect_code(0).stdout;
        assert!(help.contains("Exit codes: 0"), "{help}");
        assert!(["dev", "serve"].contains(&command[0]) || help.contains("--output"), "{help}");
    }
}

#[test]
fn without_a_command_the_help_is_shown_and_it_is_an_error() {
    let ran = drl(&[]).expect_code(2);
    assert!(ran.stderr.contains("Usage: drl"), "{ran:?}");
    assert!(drl(&["--version"]).expect_code(0).stdout.starts_with("drl 0."));
}

#[test]
fn completions_exist_for_every_shell_and_know_the_names_of_values() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = drl(&["completions", shell]).expect_code(0).stdout;
        assert!(script.contains("replay") && script.len() > 1_000, "{shell}");
    }
    assert!(drl(&["completions", "bash"]).stdout.contains("fixed-window sliding-window token-bucket"));
    drl(&["completions", "tcsh"]).expect_refusal(2, "invalid value 'tcsh'");
}

#[test]
fn the_manual_has_a_section_for_every_command() {
    let page = drl(&["man"]).expect_code(0).stdout;
    assert!(page.contains(".TH drl 1"), "{page}");
    for command in COMMANDS {
        let section = format!(".SH \"DRL {}\"", command.join(" ").to_uppercase());
        assert!(page.contains(&section), "{section}");
    }
}

#[test]
fn a_reader_that_goes_away_is_not_an_error() {
    for arguments in [&["man"][..], &["completions", "zsh"], &["limits", "set", "--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran = finish(command(arguments).stdout(Stdio::from(writer)));
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}
