//! Tables for people, JSON for programs.

use clap::ValueEnum;
use serde::Serialize;

use super::{Exit, Failure, Terminal};

/// The form of the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Output {
    /// Columns for people.
    Table,
    /// JSON, as the admin API gives it.
    Json,
}

/// A row of a table.
pub(super) trait Row {
    /// The columns' names.
    const COLUMNS: &'static [&'static str];

    /// The columns' values.
    fn values(&self) -> Vec<String>;
}

/// Writes a list: a table, or a JSON array.
pub(super) fn rows<T: Row + Serialize>(terminal: &mut Terminal<'_>, output: Output, rows: &[T]) -> Result<(), Failure> {
    match output {
        Output::Table => terminal.data(&table(rows))?,
        Output::Json => json(terminal, &rows)?,
    }
    Ok(())
}

/// Writes one thing: a table of one row, or a JSON object.
pub(super) fn one<T: Row + Serialize>(terminal: &mut Terminal<'_>, output: Output, row: &T) -> Result<(), Failure> {
    match output {
        Output::Table => terminal.data(&table(std::slice::from_ref(row)))?,
        Output::Json => json(terminal, row)?,
    }
    Ok(())
}

/// Writes JSON.
pub(super) fn json(terminal: &mut Terminal<'_>, value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::new(Exit::Failed, format!("the output cannot be written as JSON: {error}")))?;
    Ok(terminal.data(&text)?)
}

/// Aligned columns with two spaces between them, without white space at the ends of lines.
fn table<T: Row>(rows: &[T]) -> String {
    let head = T::COLUMNS.iter().map(|name| (*name).to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(rows.iter().map(Row::values)).collect();
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|text| text.chars().count()).max();
    let widths: Vec<_> = (0..T::COLUMNS.len()).map(|column| width(column).unwrap_or(0)).collect();
    let line = |values: &Vec<String>| {
        let cells: Vec<_> = values.iter().zip(&widths).map(|(text, &width)| format!("{text:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A value that may be absent.
pub(super) fn or_dash(value: Option<&str>) -> String {
    value.unwrap_or("-").to_owned()
}
