//! Questions before what cannot be undone.

use clap::Args;

use super::{Exit, Failure, Terminal};

/// Whether to go ahead without a question.
#[derive(Debug, Args)]
pub(super) struct Sure {
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// What is asked.
pub(super) struct Question {
    /// What will be different afterwards, a line each.
    pub(super) consequences: Vec<String>,
    /// The question itself.
    pub(super) text: String,
}

impl Sure {
    /// Goes on with `--yes`, or where the person at the terminal says yes. Where nobody is there to be asked, nothing is sent;
    /// `instead` is what can be done besides giving `--yes`. `question` may look up what the question is about.
    pub(super) async fn or_ask(
        &self,
        terminal: &mut Terminal<'_>,
        instead: Option<&str>,
        question: impl AsyncFnOnce() -> Result<Question, Failure>,
    ) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !terminal.interactive {
            let failure = Failure::new(Exit::Usage, "this cannot be undone and nobody is there to confirm it");
            let instead = instead.map(|instead| format!(", or {instead}")).unwrap_or_default();
            return Err(failure.hint(format!("give --yes{instead}")));
        }
        let question = question().await?;
        for consequence in &question.consequences {
            terminal.say(consequence);
        }
        if terminal.confirm(&question.text)? {
            Ok(())
        } else {
            Err(Failure::new(Exit::Refused, "not confirmed; nothing was changed"))
        }
    }
}
