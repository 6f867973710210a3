//! What a command reads from and writes to: the process's own, or a test's.

use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::Failure;
use crate::domain::{Clock, SystemClock};

/// Standard streams, and what commands take from the environment.
pub struct Terminal<'a> {
    /// Data.
    pub out: Box<dyn Write + Send + 'a>,
    /// Talk.
    pub err: Box<dyn Write + Send + 'a>,
    /// Answers to questions.
    pub input: Box<dyn BufRead + Send + 'a>,
    /// Whether a person sits there to answer.
    pub interactive: bool,
    /// Whether a person sees what is written to `out`.
    pub shown: bool,
    /// The value of `GRIDGATE_ADMIN_KEY`.
    pub admin_key: Option<Zeroizing<String>>,
    /// The value of `GRIDGATE_TOKEN`.
    pub token: Option<Zeroizing<String>>,
    /// The variables whose names begin with `OTEL_EXPORTER_OTLP_`, and their values, which may hold a token.
    pub exporter: Vec<(String, Zeroizing<String>)>,
    /// What «in 90 days» is counted from.
    pub clock: Arc<dyn Clock>,
}

impl Terminal<'static> {
    /// The process's own streams and environment.
    #[must_use]
    pub fn process() -> Self {
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            input: Box::new(BufReader::new(io::stdin())),
            interactive: io::stdin().is_terminal() && io::stderr().is_terminal(),
            shown: io::stdout().is_terminal(),
            admin_key: std::env::var("GRIDGATE_ADMIN_KEY").ok().map(Zeroizing::new),
            token: std::env::var("GRIDGATE_TOKEN").ok().map(Zeroizing::new),
            exporter: exporter_variables(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// Those that are text: no other can be meant.
fn exporter_variables() -> Vec<(String, Zeroizing<String>)> {
    let all =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let ours = all.filter(|(name, _)| name.starts_with("OTEL_EXPORTER_OTLP_"));
    ours.map(|(name, value)| (name, Zeroizing::new(value))).collect()
}

impl Terminal<'_> {
    /// Writes `text` and a line end to stdout.
    pub(super) fn data(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// Writes `text` and a line end to stderr. Talk that cannot be written changes nothing about what was done.
    pub(super) fn say(&mut self, text: &str) {
        let _ = writeln!(self.err, "{text}").and_then(|()| self.err.flush());
    }

    /// Says why a command failed.
    pub(super) fn report(&mut self, failure: &Failure) {
        for (index, line) in failure.lines.iter().enumerate() {
            self.say(&format!("{}{line}", if index == 0 { "error: " } else { "  " }));
        }
    }

    /// Asks a question; only `yes` and `y` are yes.
    pub(super) fn confirm(&mut self, question: &str) -> io::Result<bool> {
        write!(self.err, "{question} [y/N] ")?;
        self.err.flush()?;
        let mut answer = String::new();
        self.input.read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}
