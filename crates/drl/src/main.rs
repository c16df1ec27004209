//! The `drl` program: reads the command line, runs one command, turns its result into an exit code. What a command does is
//! in `commands`, one file each; nothing here decides about limits.

mod cli;
mod commands;
mod config_file;
mod connection;
mod etcd_args;
mod exit;
mod logging;
mod output;
mod policy_args;
mod policy_store;
mod selector;
mod store_args;
mod values;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(cli) => {
            let meaning = cli.command.exit_codes();
            exit::code_of(commands::run(cli.command), meaning)
        }
        Err(error) => exit::refusal(&error),
    }
}
