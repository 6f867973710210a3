//! Files of keys that other products made: JSON, or comma-separated values with a line for each key.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use super::csv::{self, CsvError, Record};
use crate::admin::terms::NewLimit;
use crate::domain::Limits;

/// The rows of a file. They hold tokens.
pub struct Rows {
    /// What is sent to `POST /keys/import`.
    pub body: Body,
    /// The line of each row, where the file has lines.
    pub lines: Vec<usize>,
}

/// What is sent, which a file may hold as well.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// The rows as they stand there: what is wrong in one of them, such as a field that is repeated, is for the API to see.
    pub keys: Vec<Box<RawValue>>,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is no comma-separated values.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// It is no JSON.
    #[error("no JSON: {0}")]
    Json(serde_json::Error),
    /// It is other JSON.
    #[error("the JSON is neither an array nor an object with the array \"keys\" alone, once")]
    Shape,
    /// A column that is not known, or is there twice.
    #[error("column \"{name}\": {what}")]
    Column {
        /// Its name.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Rows that are not as they must be.
    #[error("it is not as it must be; nothing was sent")]
    Rows(Vec<RowError>),
    /// A row that cannot be sent.
    #[error(transparent)]
    Row(RowError),
}

/// What is wrong with a row of comma-separated values.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {detail}")]
pub struct RowError {
    /// The line that it begins on, from 1.
    pub line: usize,
    /// What is wrong.
    pub detail: String,
}

/// The rows of JSON, which begins with a bracket, or of comma-separated values, which do not.
///
/// # Errors
/// [`FileError`] where the text is neither.
pub fn rows(text: &str) -> Result<Rows, FileError> {
    let start = text.trim_start();
    if !start.starts_with(['[', '{']) {
        return csv_rows(&csv::records(text)?);
    }
    let read = if start.starts_with('[') {
        serde_json::from_str(text).map(|keys| Body { keys })
    } else {
        serde_json::from_str(text)
    };
    let body = read.map_err(|error| if error.is_data() { FileError::Shape } else { FileError::Json(error) })?;
    Ok(Rows { body, lines: Vec::new() })
}

/// What the API says of a row, `/keys/7/name: …`, with the line of the file in its place.
#[must_use]
pub fn located(told: &str, lines: &[usize]) -> String {
    let Some((line, rest)) = told.strip_prefix("/keys/").and_then(|rest| line(lines, rest)) else {
        return told.to_owned();
    };
    let rest = rest.trim_start_matches(['/', ':', ' ']);
    let (before, other) = rest.split_once(OTHER).unwrap_or((rest, ""));
    match self::line(lines, other) {
        Some((other, rest)) => format!("line {line}: {before}the key in line {other}{rest}"),
        None => format!("line {line}: {rest}"),
    }
}

/// The names of all columns.
#[must_use]
pub fn columns() -> String {
    COLUMNS.map(|(name, _)| name).join(", ")
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

/// How another key of the import is told, before its number.
const OTHER: &str = "the key ";

/// The line of the row whose number `text` begins with, and the rest of the text.
fn line<'a>(lines: &[usize], text: &'a str) -> Option<(usize, &'a str)> {
    let (index, rest) = text.split_at(text.find(|character: char| !character.is_ascii_digit())?);
    Some((*lines.get(index.parse::<usize>().ok()?)?, rest))
}

fn csv_rows(records: &[Record]) -> Result<Rows, FileError> {
    let mut rows = Rows { body: Body { keys: Vec::with_capacity(records.len()) }, lines: Vec::new() };
    let Some((head, records)) = records.split_first() else { return Ok(rows) };
    let columns = columns_of(head)?;
    let mut wrong = Vec::new();
    for record in records {
        let at = |detail: String| RowError { line: record.line, detail };
        if record.cells.len() != columns.len() {
            wrong.push(at(format!("it has {} cells, and the first line {}", record.cells.len(), columns.len())));
            continue;
        }
        let mut key = Map::new();
        for (&(name, cell), text) in columns.iter().zip(&record.cells).filter(|(_, text)| !text.is_empty()) {
            match cell.value(text) {
                Ok(value) => drop(key.insert(name.to_owned(), value)),
                Err(why) => wrong.push(at(format!("{name}{why}"))),
            }
        }
        rows.body.keys.push(to_raw_value(&key).map_err(|error| FileError::Row(at(error.to_string())))?);
        rows.lines.push(record.line);
    }
    if wrong.is_empty() { Ok(rows) } else { Err(FileError::Rows(wrong)) }
}

fn columns_of(head: &Record) -> Result<Vec<(&'static str, Cell)>, FileError> {
    let mut columns: Vec<(&'static str, Cell)> = Vec::new();
    for name in &head.cells {
        let found = COLUMNS.iter().find(|(known, _)| known == name);
        if let Some(column) = found.filter(|(known, _)| columns.iter().all(|(other, _)| other != known)) {
            columns.push(*column);
            continue;
        }
        let what = if found.is_some() { "it is there twice" } else { "there is no such column" };
        return Err(FileError::Column { name: name.clone(), what });
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

/// The number of rows: what they hold are tokens.
impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("keys", &self.body.keys.len()).field("lines", &self.lines).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_a_file_is_the_body_of_a_key() {
        let found = rows("name,tags,disabled,owner,token\nTill 1,pos  south,true,,0f8f\n").expect("rows");
        let value = |rows: &Rows| serde_json::to_value(&rows.body.keys).expect("JSON");
        assert_eq!(
            value(&found),
            json!([{"name": "Till 1", "tags": ["pos", "south"], "disabled": true, "token": "0f8f"}])
        );
        assert_eq!(found.lines, [2]);
        assert!(!format!("{found:?}").contains("0f8f"), "no token is in what is written for debugging");
        let found = rows("name,limits\na,\"10 items/day warn, 5 requests/second\"\nb,\n").expect("rows");
        let limit = |unit: &str, per: &str, amount: u64, burst: Option<u64>, mode: &str| json!({"unit": unit, "per": per, "amount": amount, "burst": burst, "signal": null, "mode": mode});
        let limits =
            json!([limit("requests", "second", 5, Some(5), "enforce"), limit("items", "day", 10, None, "warn")]);
        assert_eq!(value(&found), json!([{"name": "a", "limits": limits}, {"name": "b"}]));
        for text in ["[{\"name\": \"a\"}]", " {\"keys\": [{\"name\": \"a\"}]}"] {
            assert_eq!(value(&rows(text).expect("rows")), json!([{"name": "a"}]));
        }
        assert!(rows("").expect("no rows").body.keys.is_empty());
    }

    #[test]
    fn every_row_that_is_wrong_is_named() {
        let wrong = |text: &str| match rows(text) {
            Err(FileError::Rows(wrong)) => wrong.iter().map(ToString::to_string).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            wrong("name,limits\na,10 items/day burst 20\n"),
            ["line 2: limits: only a limit per second has a burst"]
        );
        assert_eq!(
            wrong("name,disabled\na,yes\nb\nc,false\nd,1,2\n"),
            [
                "line 2: disabled is true, false or empty",
                "line 3: it has 1 cells, and the first line 2",
                "line 5: it has 3 cells, and the first line 2"
            ]
        );
    }

    const NEITHER: &str = "the JSON is neither an array nor an object with the array \"keys\" alone, once";

    #[test]
    fn a_column_is_known_and_there_once() {
        for (text, told) in [
            ("name,id\n", "column \"id\": there is no such column"),
            ("name,name\n", "column \"name\": it is there twice"),
            ("[1", "no JSON: EOF while parsing a list at line 1 column 2"),
            ("{\"keys\": 1}", NEITHER),
            ("{\"keys\": [], \"keys\": []}", NEITHER),
            ("{\"keys\": [], \"more\": []}", NEITHER),
            ("\"a", "line 1: the quote that begins here does not end"),
        ] {
            assert_eq!(rows(text).expect_err("it is wrong").to_string(), told);
        }
    }

    #[test]
    fn what_is_told_of_a_row_names_its_line() {
        for (told, line) in [
            ("/keys/1/name: it is empty", "line 5: name: it is empty"),
            ("/keys/9/name: no", "/keys/9/name: no"),
            ("/keys/0: 2 and/or 3", "line 2: 2 and/or 3"),
            (
                "/keys/1/token: the key 0 of this import has the same",
                "line 5: token: the key in line 2 of this import has the same",
            ),
        ] {
            assert_eq!(located(told, &[2, 5]), line);
        }
    }
}
