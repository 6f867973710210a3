//! `gridgate completion`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Failure, Terminal};

/// Print a script that teaches a shell to complete these commands.
#[derive(Debug, Args)]
#[command(after_help = "For bash: gridgate completion bash > /etc/bash_completion.d/gridgate\n\
    For zsh: gridgate completion zsh > \"${fpath[1]}/_gridgate\"\n\
    For fish: gridgate completion fish > ~/.config/fish/completions/gridgate.fish")]
pub struct Completion {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completion {
    pub(super) fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        // The generator panics where it cannot write, so it writes into memory.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "gridgate", &mut script);
        terminal.out.write_all(&script)?;
        Ok(terminal.out.flush()?)
    }
}
