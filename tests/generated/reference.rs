//! `docs/cli.md`, out of what the command line says about itself.

use std::fmt::Write as _;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command, CommandFactory as _};
use gridgate::cli::{Cli, Exit};

/// What stands before the commands.
const PRELUDE: &str = "\
# Command line

Generated from the program; `gridgate help <command>` says the same. `quickstart`, `serve`, `bootstrap`, `migrate` and `quarantine`
open an installation on this machine. Everything else is a client of the admin API (`docs/api.md`) and can do what it can, no more.

## Where and as whom

What opens an installation takes

{Installation}
What is a client of the admin API takes

{Admin API}
The environment variable `GRIDGATE_ADMIN_KEY` holds the admin key. It is never an argument, which every user of the machine could
read. For `https` see `docs/listeners.md`.

## Output

Data goes to stdout, everything else to stderr, so that `token=$(gridgate keys create …)` holds the token alone. `--output json` is
what the admin API answered. In tables, names that people chose are shown inert: what would control the terminal, reorder the
line or cannot be seen stands as its number (`\\u{202e}`), and a backslash as two.

A token is shown once. `--output` gives it as `token`, `env` (variables of the OpenTelemetry SDKs), `collector-yaml` (an exporter of
the Collector), `table` or `json`.

## What cannot be undone

Verbs that cannot be undone name their consequences and ask. `--yes` goes ahead without a question. Where nobody is there to be
asked and `--yes` is missing, nothing is sent and the exit code is 2.

## Lost answers

What makes a token is sent with an `Idempotency-Key`, and where the answer is lost (the connection broke, or 503) sent again under
the same one, four times in all. If that fails too, the message names the key: the same command with `--idempotency-key` gets the same
answer within 15 minutes.

## Two people at once

`keys edit` and `roles edit` change what they have read, and nothing else: where somebody was faster, nothing is changed, the exit
code is 6, and the message says who it was. `--if-version` names the version that was read by other means.
";

/// The headings of the options that many commands share; they are described in the prelude, where each stands in braces.
const SHARED: [&str; 2] = ["Installation", "Admin API"];

/// The whole document.
pub(crate) fn document() -> String {
    let mut text = PRELUDE.to_owned();
    let mut root = Cli::command();
    root.build();
    for (heading, example) in SHARED.into_iter().zip(["serve", "keys"]) {
        let command = root.find_subcommand(example).expect("the command");
        let options: String =
            command.get_arguments().filter(|arg| arg.get_help_heading() == Some(heading)).map(entry).collect();
        assert!(!options.is_empty(), "{heading}: there are no such options");
        text = text.replace(&format!("{{{heading}}}"), &options);
    }
    text.push_str("\n## Exit codes\n\n| exit code | meaning |\n|---|---|\n");
    for exit in Exit::ALL {
        text.push_str(&format!("| {} | {} |\n", exit.code(), exit.meaning()));
    }
    text.push_str("\n## Commands\n\n");
    for command in commands(&root) {
        writeln!(
            text,
            "- [`{name}`](#{anchor}): {about}",
            name = command.get_name(),
            anchor = anchor(command),
            about = about(command)
        )
        .expect("a string takes everything");
    }
    for command in commands(&root) {
        section(&mut text, command, 2, &[]);
    }
    text
}

/// One command and those below it. `known`: options that a command above has described.
fn section(text: &mut String, command: &Command, depth: usize, known: &[String]) {
    let path = command.get_bin_name().unwrap_or_else(|| command.get_name());
    text.push_str(&format!("\n{} {path}\n\n{}\n", "#".repeat(depth), sentence(&about(command))));
    let own: Vec<_> =
        command.get_arguments().filter(|arg| shown(arg) && !known.contains(&arg.get_id().to_string())).collect();
    let leaf = commands(command).next().is_none();
    if leaf {
        let usage = command.clone().render_usage().to_string();
        text.push_str(&format!("\n```\n{}\n```\n", usage.trim_start_matches("Usage: ").trim()));
    }
    if !own.is_empty() {
        text.push('\n');
    }
    for arg in &own {
        text.push_str(&entry(arg));
    }
    if let Some(after) = command.get_after_help().filter(|_| leaf) {
        text.push_str(&format!("\n```sh\n{after}\n```\n"));
    }
    let known: Vec<_> = known
        .iter()
        .cloned()
        .chain(own.iter().filter(|arg| arg.is_global_set()).map(|arg| arg.get_id().to_string()))
        .collect();
    for inner in commands(command) {
        section(text, inner, depth + 1, &known);
    }
}

/// One argument's line, and a line for each of its values.
fn entry(arg: &Arg) -> String {
    let mut notes = Vec::new();
    let defaults: Vec<_> =
        arg.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        notes.push(format!("default {}", defaults.join(", ")));
    }
    if let Some(variable) = arg.get_env() {
        notes.push(format!("environment `{}`", variable.to_string_lossy()));
    }
    if matches!(arg.get_action(), ArgAction::Append) {
        notes.push("may be repeated".to_owned());
    }
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let help = help.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let mut text = format!("- `{}`: {}{notes}\n", arg.to_string().replace("...", ""), help.trim_end_matches('.'));
    if arg.get_action().takes_values() {
        for value in arg.get_possible_values().iter().filter(|value| !value.is_hide_set()) {
            text.push_str(&possible(value));
        }
    }
    text
}

fn possible(value: &PossibleValue) -> String {
    match value.get_help() {
        Some(help) => format!("  - `{}`: {}\n", value.get_name(), help.to_string().trim_end_matches('.')),
        None => format!("  - `{}`\n", value.get_name()),
    }
}

fn commands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|inner| inner.get_name() != "help")
}

fn shown(arg: &Arg) -> bool {
    !arg.is_hide_set()
        && !arg.get_help_heading().is_some_and(|heading| SHARED.contains(&heading))
        && !["help", "version"].contains(&arg.get_id().as_str())
}

fn about(command: &Command) -> String {
    let about = command.get_long_about().or(command.get_about());
    about.map(ToString::to_string).unwrap_or_default().lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

fn sentence(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

fn anchor(command: &Command) -> String {
    command.get_bin_name().unwrap_or_else(|| command.get_name()).replace(' ', "-")
}
