//! Comma-separated values (RFC 4180): quoted cells may hold commas, line ends and, doubled, quotes.

/// One record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Record {
    /// The line that it begins on, from 1.
    pub(super) line: usize,
    /// Its cells.
    pub(super) cells: Vec<String>,
}

/// What is no comma-separated values.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CsvError {
    /// A quote is not closed.
    #[error("line {0}: the quote that begins here does not end")]
    Open(usize),
    /// A quote stands where none may.
    #[error("line {0}: a quote stands inside of a cell that does not begin with one; write \"a \"\"word\"\"\"")]
    Stray(usize),
}

/// The records of `text`. Empty lines are none.
pub(super) fn records(text: &str) -> Result<Vec<Record>, CsvError> {
    let mut records = Vec::new();
    let mut rest = Rest { text: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    while !rest.text.is_empty() {
        let line = rest.line;
        let mut cells = Vec::new();
        loop {
            cells.push(rest.cell()?);
            if !rest.take(',') {
                break;
            }
        }
        rest.end_of_line();
        if cells != [""] {
            records.push(Record { line, cells });
        }
    }
    Ok(records)
}

/// What is still to be read.
struct Rest<'a> {
    text: &'a str,
    line: usize,
}

impl Rest<'_> {
    fn cell(&mut self) -> Result<String, CsvError> {
        if self.take('"') {
            return self.quoted();
        }
        let end = self.text.find([',', '\n', '\r', '"']).unwrap_or(self.text.len());
        let (cell, rest) = self.text.split_at(end);
        if rest.starts_with('"') {
            return Err(CsvError::Stray(self.line));
        }
        self.text = rest;
        Ok(cell.to_owned())
    }

    /// A cell after its first quote.
    fn quoted(&mut self) -> Result<String, CsvError> {
        let first = self.line;
        let mut cell = String::new();
        loop {
            let (part, rest) = self.text.split_once('"').ok_or(CsvError::Open(first))?;
            self.line += part.matches('\n').count();
            cell.push_str(part);
            self.text = rest;
            if !self.take('"') {
                break;
            }
            cell.push('"');
        }
        let ended = self.text.is_empty() || self.text.starts_with([',', '\n', '\r']);
        if ended { Ok(cell) } else { Err(CsvError::Stray(self.line)) }
    }

    fn end_of_line(&mut self) {
        self.take('\r');
        if self.take('\n') {
            self.line += 1;
        }
    }

    fn take(&mut self, character: char) -> bool {
        let rest = self.text.strip_prefix(character);
        self.text = rest.unwrap_or(self.text);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{CsvError, Record, records};

    fn record(line: usize, cells: &[&str]) -> Record {
        Record { line, cells: cells.iter().map(|&cell| cell.to_owned()).collect() }
    }

    #[test]
    fn cells_with_and_without_quotes() {
        let text = "\u{feff}name,note\r\none,\"a, \"\"b\"\"\r\nc\"\r\n\r\n\"\",two\nlast,";
        let expected = [
            record(1, &["name", "note"]),
            record(2, &["one", "a, \"b\"\r\nc"]),
            record(5, &["", "two"]),
            record(6, &["last", ""]),
        ];
        assert_eq!(records(text), Ok(expected.to_vec()));
        assert_eq!(records(""), Ok(Vec::new()));
    }

    #[test]
    fn quotes_out_of_place() {
        for (text, error) in [
            ("a\n\"b", CsvError::Open(2)),
            ("a\nb\"c\"", CsvError::Stray(2)),
            ("\"a\nb\"c", CsvError::Stray(2)),
            ("\"", CsvError::Open(1)),
        ] {
            assert_eq!(records(text), Err(error), "{text:?}");
        }
    }

    proptest! {
        /// What was written with every cell in quotes is read as it was.
        #[test]
        fn what_is_quoted_comes_back(rows in prop::collection::vec(prop::collection::vec(any::<String>(), 2..5), 0..5)) {
            let line = |cells: &Vec<String>| {
                let cells: Vec<_> = cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
                cells.join(",")
            };
            let text: String = rows.iter().map(|cells| line(cells) + "\r\n").collect();
            let read = records(&text).map(|read| read.into_iter().map(|record| record.cells).collect::<Vec<_>>());
            prop_assert_eq!(read, Ok(rows));
        }

        /// No text makes it panic or go on for ever, and every record begins on a line of its own.
        #[test]
        fn any_text_has_an_end(text in "[a,\"\r\n]{0,40}") {
            if let Ok(read) = records(&text) {
                prop_assert!(read.windows(2).all(|pair| pair[0].line <= pair[1].line));
            }
        }
    }
}
