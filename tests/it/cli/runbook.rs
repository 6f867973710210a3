//! `docs/runbook.md`: in an emergency nobody wants to find out that a command has another name.

use clap::Parser as _;
use gridgate::cli::Cli;

#[test]
fn every_command_of_the_runbook_is_one() {
    let text = include_str!("../../../docs/runbook.md");
    let quoted = text.split('`').skip(1).step_by(2).chain(text.lines());
    let commands: Vec<_> = quoted.filter(|text| text.starts_with("gridgate ")).collect();
    assert!(commands.len() > 20, "{commands:?}");
    for command in commands {
        let line = command.replace("key_…", "key_7Hq2mZxK9wPa").replace('…', "viewer");
        let words = line.split_whitespace().take_while(|word| *word != "<");
        assert!(Cli::try_parse_from(words).is_ok(), "{command}");
    }
}
