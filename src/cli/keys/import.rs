//! `gridgate keys import`

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use crate::admin::keys::KeyView;
use crate::admin::keys::import_file::{self, FileError, Rows, columns, rows};
use crate::cli::client::{Client, Data, Once};
use crate::cli::output::{self, Output, inert};
use crate::cli::{Exit, Failure, Terminal};

#[derive(Debug, Args)]
#[command(after_help = "\
# CSV: the first line names the columns; lists are separated by spaces
name,project,grid,environment,tags,token
till,shop,web,production,pos south,0f8fad5b-d9cb-469f-a165-70867728950e

# JSON
[{\"name\": \"till\", \"project\": \"shop\", \"grid\": \"web\", \"environment\": \"production\", \"sha256\": \"…\"}]")]
pub(super) struct Import {
    /// A file with a row for each key, `-` for standard input: JSON, or comma-separated values with the columns `name`, `note`, `tags`,
    /// `owner`, `kind`, `project`, `grid`, `environment`, `role`, `permissions`, `allowed_addresses`, `limits` (with commas between them), `expires_at`,
    /// `disabled`, and `token`
    /// (a UUID) or `sha256` (64 hexadecimal digits of the digest of the UUID in lower case with hyphens).
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    once: Once,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

impl Import {
    pub(super) async fn run(self, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let text = read(&self.file, terminal)?;
        let Rows { body, lines } = rows(&text).map_err(|error| unusable(&error))?;
        if body.keys.is_empty() {
            return Err(Failure::new(Exit::Usage, "--file: there is no row in it"));
        }
        let once = self.once.key()?;
        let sent = client.post_once("/keys/import", &body, &once).await;
        let imported: Data<KeyView> = sent.map_err(|failure| located(failure, &lines))?;
        terminal.say(&format!("imported {} keys", imported.data.len()));
        output::rows(terminal, self.output, &imported.data)
    }
}

fn read(path: &Path, terminal: &mut Terminal<'_>) -> Result<Zeroizing<String>, Failure> {
    let unreadable = |error| Failure::new(Exit::Usage, format!("cannot read --file {}: {error}", path.display()));
    if path == Path::new("-") {
        let mut text = Zeroizing::new(String::new());
        terminal.input.read_to_string(&mut text).map_err(unreadable)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(unreadable)
}

/// What is wrong with the file, all at once.
fn unusable(error: &FileError) -> Failure {
    let failure = Failure::new(Exit::Usage, format!("--file: {}", inert(&error.to_string())));
    match error {
        FileError::Column { .. } => failure.hint(format!("each of {} at most once, in the first line", columns())),
        FileError::Rows(wrong) => wrong.iter().fold(failure, |failure, row| failure.hint(row.to_string())),
        FileError::Csv(_) | FileError::Json(_) | FileError::Shape | FileError::Row(_) => failure,
    }
}

/// The failure with the lines of the file in place of the places in the request.
fn located(mut failure: Failure, lines: &[usize]) -> Failure {
    for told in &mut failure.lines {
        *told = import_file::located(told, lines);
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::{located, rows, unusable};
    use crate::cli::{Exit, Failure};

    #[test]
    fn a_file_that_is_wrong_is_told_whole() {
        let lines = |text: &str| unusable(&rows(text).expect_err("it is wrong")).lines;
        assert_eq!(
            lines("name,disabled\na,yes\nb\n"),
            [
                "--file: it is not as it must be; nothing was sent",
                "line 2: disabled is true, false or empty",
                "line 3: it has 1 cells, and the first line 2",
            ]
        );
        let column = lines("na\u{202e}me\n");
        assert_eq!(column[0], "--file: column \"na\\u{202e}me\": there is no such column");
        assert!(column[1].starts_with("each of name, note, "), "{column:?}");
    }

    #[test]
    fn a_fault_is_told_by_the_line_of_the_file() {
        let failure =
            Failure::new(Exit::Refused, "2 fields").hint("/keys/1/name: it is empty").hint("/keys/9/name: no");
        let failure = failure.hint("/keys/0: 2 and/or 3").hint("/keys/1/token: the key 0 of this import has the same");
        let lines = located(failure, &[2, 5]).lines;
        assert_eq!(
            lines,
            [
                "2 fields",
                "line 5: name: it is empty",
                "/keys/9/name: no",
                "line 2: 2 and/or 3",
                "line 5: token: the key in line 2 of this import has the same"
            ]
        );
    }
}
