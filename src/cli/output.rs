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

/// What is shown of one thing alone.
pub(super) trait Card {
    /// Its fields, each with its name.
    fn fields(&self) -> Vec<(&'static str, String)>;
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

/// Writes everything about one thing: its fields below one another, or a JSON object.
pub(super) fn whole<T: Card + Serialize>(
    terminal: &mut Terminal<'_>,
    output: Output,
    thing: &T,
) -> Result<(), Failure> {
    match output {
        Output::Table => terminal.data(&card(&thing.fields()))?,
        Output::Json => json(terminal, thing)?,
    }
    Ok(())
}

/// Writes JSON.
pub(super) fn json(terminal: &mut Terminal<'_>, value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::new(Exit::Failed, format!("the output cannot be written as JSON: {error}")))?;
    Ok(terminal.data(&text)?)
}

/// Aligned columns with two spaces between them, without white space at the ends of lines. Values are [`inert`].
fn table<T: Row>(rows: &[T]) -> String {
    let head = T::COLUMNS.iter().map(|name| (*name).to_owned()).collect();
    let values = rows.iter().map(|row| row.values().iter().map(|value| inert(value)).collect());
    aligned(std::iter::once(head).chain(values).collect())
}

/// A list of fields with a name each, below one another.
pub(super) fn card(fields: &[(&str, String)]) -> String {
    aligned(fields.iter().map(|(name, value)| vec![(*name).to_owned(), inert(value)]).collect())
}

fn aligned(lines: Vec<Vec<String>>) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for line in &lines {
        widths.resize(widths.len().max(line.len()), 0);
        for (width, text) in widths.iter_mut().zip(line) {
            *width = (*width).max(text.chars().count());
        }
    }
    let line = |values: Vec<String>| {
        let cells: Vec<_> = values.iter().zip(&widths).map(|(text, &width)| format!("{text:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    lines.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Text that a table or a sentence can hold whoever wrote it: what would control the terminal, reorder the line or cannot be
/// seen stands as its number, `\u{202e}`; line feeds and the like as `\n`, a backslash as two.
pub(super) fn inert(text: &str) -> String {
    // The standard library escapes by Unicode's categories: controls, formats, separators and what is not assigned. Marks that
    // combine with the letter before them it leaves alone, save in front, hence the letter. Quotes need no escape here.
    let escaped = format!("a{text}").escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'");
    let mut inert = String::with_capacity(escaped.len());
    for character in escaped.chars().skip(1) {
        if unseen(character) {
            inert.extend(character.escape_unicode());
        } else {
            inert.push(character);
        }
    }
    inert
}

/// Letters and marks without a form of their own (`Default_Ignorable_Code_Point`), besides those of category Cf.
const fn unseen(character: char) -> bool {
    matches!(character, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}')
        || matches!(character, '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}')
}

/// A value that may be absent.
pub(super) fn or_dash(value: Option<&str>) -> String {
    value.unwrap_or("-").to_owned()
}

/// An instant without the fraction of its second.
pub(super) fn moment(instant: &str) -> String {
    instant.split_once('.').map_or_else(|| instant.to_owned(), |(whole, _)| format!("{whole}Z"))
}

/// An instant that may be absent.
pub(super) fn moment_or_dash(instant: Option<&str>) -> String {
    instant.map_or_else(|| "-".to_owned(), moment)
}

/// Texts in one cell.
pub(super) fn joined(values: &[String]) -> String {
    if values.is_empty() { "-".to_owned() } else { values.join(",") }
}

/// As much of a text that people wrote as a list has room for; `show` shows all of it.
pub(super) fn brief(text: &str) -> String {
    let mut characters = text.chars();
    let mut brief: String = characters.by_ref().take(BRIEF).collect();
    if characters.next().is_some() {
        brief.pop();
        brief.push('…');
    }
    brief
}

const BRIEF: usize = 40;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BRIEF, brief, inert};

    #[test]
    fn text_that_people_read_stays_as_it_is() {
        for text in ["checkout", "Prüfstand «ä» \"x\" 'y'", "日本語", "e\u{301}a", "5 €, 100 %", "🚀"] {
            assert_eq!(inert(text), text);
        }
    }

    #[test]
    fn hostile_text_is_shown_by_its_numbers() {
        for (text, shown) in [
            ("a\u{202e}b", r"a\u{202e}b"),
            ("a\u{200b}b\u{feff}", r"a\u{200b}b\u{feff}"),
            ("\u{1b}[31mred\u{7}", r"\u{1b}[31mred\u{7}"),
            ("one\ntwo\r\tthree", r"one\ntwo\r\tthree"),
            ("\u{9b}2J", r"\u{9b}2J"),
            ("a\u{2028}b", r"a\u{2028}b"),
            ("a\u{3164}\u{34f}\u{e0041}", r"a\u{3164}\u{34f}\u{e0041}"),
            (r"a\u{202e}b", r"a\\u{202e}b"),
            (r#"\""#, r#"\\""#),
        ] {
            assert_eq!(inert(text), shown);
        }
    }

    #[test]
    fn a_list_has_room_for_the_beginning_of_a_text() {
        assert_eq!(brief(&"x".repeat(BRIEF)), "x".repeat(BRIEF));
        assert_eq!(brief(&"x".repeat(BRIEF + 1)), format!("{}…", "x".repeat(BRIEF - 1)));
    }

    proptest! {
        /// Nothing gets through that a terminal obeys or that has no width, and no two texts look alike by being shown.
        #[test]
        fn no_control_gets_through(one in any::<String>(), other in any::<String>()) {
            let shown = inert(&one);
            let obeyed = |c: char| {
                c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            };
            let through = shown.chars().find(|&c| obeyed(c));
            prop_assert_eq!(through, None);
            prop_assert_eq!(one == other, shown == inert(&other));
        }
    }
}
