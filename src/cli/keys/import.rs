//! `gridgate keys import`

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::csv::{self, Record};
use crate::admin::keys::KeyView;
use crate::admin::terms::NewLimit;
use crate::cli::client::{Client, Data, Once};
use crate::cli::output::{self, Output, inert};
use crate::cli::{Exit, Failure, Terminal};
use crate::domain::Limits;

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

/// A column of a file, and what its cells are.
const COLUMNS: [(&str, Cell); 16] = [
    ("name", Cell::Text),
    ("note", Cell::Text),
    ("tags", Cell::List),
    ("owner", Cell::Text),
    ("kind", Cell::Text),
    ("project", Cell::Text),
    ("grid", Cell::Text),
    ("environment", Cell::Text),
    ("role", Cell::Text),
    ("permissions", Cell::List),
    ("allowed_addresses", Cell::List),
    ("limits", Cell::Limits),
    ("expires_at", Cell::Text),
    ("disabled", Cell::Bool),
    ("token", Cell::Text),
    ("sha256", Cell::Text),
];

#[derive(Clone, Copy)]
enum Cell {
    Text,
    List,
    Limits,
    Bool,
}

/// The rows of a file.
#[derive(Debug)]
struct Rows {
    /// As they stand there: what is wrong in one of them, such as a field that is repeated, is for the server to see.
    keys: Vec<Box<RawValue>>,
    /// The line of each row, where the file has lines.
    lines: Vec<usize>,
}

/// What is sent, which a file may hold as well.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    keys: Vec<Box<RawValue>>,
}

impl Import {
    pub(super) async fn run(self, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let text = read(&self.file, terminal)?;
        let Rows { keys, lines } = rows(&text)?;
        if keys.is_empty() {
            return Err(Failure::new(Exit::Usage, "--file: there is no row in it"));
        }
        let once = self.once.key()?;
        let sent = client.post_once("/keys/import", &Body { keys }, &once).await;
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

/// The rows of JSON, which begins with a bracket, or of comma-separated values, which do not.
fn rows(text: &str) -> Result<Rows, Failure> {
    let usage = |error: String| Failure::new(Exit::Usage, format!("--file: {error}"));
    if !text.trim_start().starts_with(['[', '{']) {
        return csv_rows(&csv::records(text).map_err(|error| usage(error.to_string()))?);
    }
    let read = if text.trim_start().starts_with('[') {
        serde_json::from_str(text)
    } else {
        serde_json::from_str(text).map(|Body { keys }| keys)
    };
    let neither = "the JSON is neither an array nor an object with the array \"keys\" alone, once";
    let why = |error: serde_json::Error| if error.is_data() { neither.to_owned() } else { format!("no JSON: {error}") };
    let keys = read.map_err(|error| usage(why(error)))?;
    Ok(Rows { keys, lines: Vec::new() })
}

fn csv_rows(records: &[Record]) -> Result<Rows, Failure> {
    let Some((head, records)) = records.split_first() else { return Ok(Rows { keys: Vec::new(), lines: Vec::new() }) };
    let columns = columns(head)?;
    let mut wrong = Vec::new();
    let mut keys = Vec::with_capacity(records.len());
    for record in records {
        if record.cells.len() != columns.len() {
            let (line, found, head) = (record.line, record.cells.len(), columns.len());
            wrong.push(format!("line {line}: it has {found} cells, and the first line {head}"));
            continue;
        }
        let mut key = Map::new();
        for (&(name, cell), text) in columns.iter().zip(&record.cells).filter(|(_, text)| !text.is_empty()) {
            match cell.value(text) {
                Ok(value) => drop(key.insert(name.to_owned(), value)),
                Err(why) => wrong.push(format!("line {}: {name}{why}", record.line)),
            }
        }
        let row = to_raw_value(&key);
        keys.push(row.map_err(|error| Failure::new(Exit::Failed, format!("line {}: {error}", record.line)))?);
    }
    if wrong.is_empty() {
        return Ok(Rows { keys, lines: records.iter().map(|record| record.line).collect() });
    }
    let failure = Failure::new(Exit::Usage, "--file: it is not as it must be; nothing was sent");
    Err(wrong.into_iter().fold(failure, Failure::hint))
}

fn columns(head: &Record) -> Result<Vec<(&'static str, Cell)>, Failure> {
    let mut columns: Vec<(&'static str, Cell)> = Vec::new();
    for name in &head.cells {
        let found = COLUMNS.iter().find(|(known, _)| known == name);
        if let Some(column) = found.filter(|(known, _)| columns.iter().all(|(other, _)| other != known)) {
            columns.push(*column);
            continue;
        }
        let what = if found.is_some() { "it is there twice" } else { "there is no such column" };
        let names = COLUMNS.map(|(name, _)| name).join(", ");
        return Err(Failure::new(Exit::Usage, format!("--file: column \"{}\": {what}", inert(name)))
            .hint(format!("each of {names} at most once, in the first line")));
    }
    Ok(columns)
}

impl Cell {
    /// The JSON of a cell that is not empty, or what follows its column's name to say what is wrong.
    fn value(self, text: &str) -> Result<Value, String> {
        match self {
            Self::Text => Ok(json!(text)),
            Self::List => Ok(json!(text.split_whitespace().collect::<Vec<_>>())),
            Self::Limits => {
                let limits: Limits = text.parse().map_err(|error| format!(": {error}"))?;
                Ok(json!(limits.iter().map(NewLimit::from).collect::<Vec<_>>()))
            }
            Self::Bool => text.parse::<bool>().map(Value::Bool).map_err(|_| " is true, false or empty".to_owned()),
        }
    }
}

/// The failure with the lines of the file in place of the places in the request.
fn located(mut failure: Failure, lines: &[usize]) -> Failure {
    for told in &mut failure.lines {
        let Some((line, rest)) = told.strip_prefix("/keys/").and_then(|rest| line(lines, rest)) else { continue };
        let rest = rest.trim_start_matches(['/', ':', ' ']);
        let (before, other) = rest.split_once(OTHER).unwrap_or((rest, ""));
        *told = match self::line(lines, other) {
            Some((other, rest)) => format!("line {line}: {before}the key in line {other}{rest}"),
            None => format!("line {line}: {rest}"),
        };
    }
    failure
}

/// How another key of the import is told, before its number.
const OTHER: &str = "the key ";

/// The line of the row whose number `text` begins with, and the rest of the text.
fn line<'a>(lines: &[usize], text: &'a str) -> Option<(usize, &'a str)> {
    let (index, rest) = text.split_at(text.find(|character: char| !character.is_ascii_digit())?);
    Some((*lines.get(index.parse::<usize>().ok()?)?, rest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Rows, located, rows};
    use crate::cli::{Exit, Failure};

    #[test]
    fn a_row_of_a_file_is_the_body_of_a_key() {
        let found = rows("name,tags,disabled,owner,token\nTill 1,pos  south,true,,0f8f\n").expect("rows");
        let value = |rows: &Rows| serde_json::to_value(&rows.keys).expect("JSON");
        assert_eq!(
            value(&found),
            json!([{"name": "Till 1", "tags": ["pos", "south"], "disabled": true, "token": "0f8f"}])
        );
        assert_eq!(found.lines, [2]);
        let found = rows("name,limits\na,\"10 items/day warn, 5 requests/second\"\nb,\n").expect("rows");
        let limit = |unit: &str, per: &str, amount: u64, burst: Option<u64>, mode: &str| json!({"unit": unit, "per": per, "amount": amount, "burst": burst, "signal": null, "mode": mode});
        let limits =
            json!([limit("requests", "second", 5, Some(5), "enforce"), limit("items", "day", 10, None, "warn")]);
        assert_eq!(value(&found), json!([{"name": "a", "limits": limits}, {"name": "b"}]));
        for text in ["[{\"name\": \"a\"}]", " {\"keys\": [{\"name\": \"a\"}]}"] {
            assert_eq!(value(&rows(text).expect("rows")), json!([{"name": "a"}]));
        }
        assert!(rows("").expect("no rows").keys.is_empty());
    }

    #[test]
    fn every_row_that_is_wrong_is_named() {
        let failure = rows("name,limits\na,10 items/day burst 20\n").expect_err("it is wrong");
        assert_eq!(failure.lines[1..], ["line 2: limits: only a limit per second has a burst"]);
        let failure = rows("name,disabled\na,yes\nb\nc,false\nd,1,2\n").expect_err("it is wrong");
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(
            failure.lines[1..],
            [
                "line 2: disabled is true, false or empty",
                "line 3: it has 1 cells, and the first line 2",
                "line 5: it has 3 cells, and the first line 2"
            ]
        );
    }

    const NEITHER: &str = "--file: the JSON is neither an array nor an object with the array \"keys\" alone, once";

    #[test]
    fn a_column_is_known_and_there_once() {
        for (text, told) in [
            ("name,id\n", "--file: column \"id\": there is no such column"),
            ("name,name\n", "--file: column \"name\": it is there twice"),
            ("na\u{202e}me\n", "--file: column \"na\\u{202e}me\": there is no such column"),
            ("[1", "--file: no JSON: EOF while parsing a list at line 1 column 2"),
            ("{\"keys\": 1}", NEITHER),
            ("{\"keys\": [], \"keys\": []}", NEITHER),
            ("{\"keys\": [], \"more\": []}", NEITHER),
            ("\"a", "--file: line 1: the quote that begins here does not end"),
        ] {
            let failure = rows(text).expect_err("it is wrong");
            assert_eq!((failure.exit, failure.lines[0].as_str()), (Exit::Usage, told));
        }
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
