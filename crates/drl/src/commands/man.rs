//! `drl man`: the manual, one page for the program and all its commands.

use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man as Page;

use crate::cli::Cli;
use crate::exit::Verdict;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  drl man | man -l -
  drl man > /usr/local/share/man/man1/drl.1";

/// Print the manual page.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Man {}

impl Man {
    /// # Errors
    /// When stdout cannot be written.
    pub(crate) fn run() -> anyhow::Result<Verdict> {
        let mut page = Vec::new();
        let mut program = Cli::command();
        program.build();
        Page::new(program.clone()).render(&mut page)?;
        render_commands(&program, &mut page)?;
        output::write(&String::from_utf8_lossy(&page))?;
        Ok(Verdict::Yes)
    }
}

/// The commands behind the program's own sections, outer before inner.
fn render_commands(program: &Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    for command in program.get_subcommands() {
        let name = command.get_display_name().unwrap_or(command.get_name()).replace('-', " ");
        page.extend_from_slice(format!(".SH \"{}\"\n", name.to_uppercase()).as_bytes());
        let section = Page::new(command.clone());
        section.render_description_section(page)?;
        section.render_synopsis_section(page)?;
        section.render_options_section(page)?;
        section.render_extra_section(page)?;
        render_commands(command, page)?;
    }
    Ok(())
}
