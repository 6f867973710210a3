//! Who has used the most: whole ranges of time in one row for each group.

use crate::catalog::CatalogError;
use crate::catalog::keys::bound;
use crate::catalog::keys::list::{Statement, Value};
use crate::catalog::rows::Reader;
use crate::catalog::store::Store;

use super::read::{self, Dimension, UsageFilter, UsageRow, sums};

/// What groups are ranked by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rank {
    /// Items of accepted exports.
    Items,
    /// Decompressed bytes of accepted exports.
    Bytes,
    /// Exports that came in.
    Received,
}

impl Rank {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Items, Self::Bytes, Self::Received];

    /// Its name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Items => "items",
            Self::Bytes => "bytes",
            Self::Received => "received",
        }
    }

    /// The outcome and the number of it that counts.
    const fn counted(self) -> (&'static str, &'static str) {
        match self {
            Self::Items => ("accepted", "items"),
            Self::Bytes => ("accepted", "bytes"),
            Self::Received => ("received", "exports"),
        }
    }
}

/// The groups with the most.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct UsageTop {
    /// The first of them; each with the beginning of the range.
    pub rows: Vec<UsageRow>,
    /// How many groups there are, without that of which nobody proved anything.
    pub groups: u64,
}

/// The statement that reads the `most` groups with the most in the range of `filter`, one row for each of their fates. It is public so
/// that its plans can be read.
#[must_use]
pub fn top_statement(filter: &UsageFilter, rank: Rank, most: u32) -> Statement {
    let Statement { sql: steps, mut values } = read::statement(filter, None, i64::MAX);
    values.push(Value::Integer(most.into()));
    let most = values.len();
    let names: Vec<_> = filter.by.iter().map(|by| by.column()).collect();
    let list = |before: &str| names.iter().fold(String::new(), |text, name| text + before + name + ", ");
    let grouped = if names.is_empty() { String::new() } else { format!("GROUP BY {}", names.join(", ")) };
    let joined = names.iter().fold(String::new(), |text, name| format!("{text} AND chosen.{name} = ranked.{name}"));
    let proved =
        names.first().map_or_else(|| "1".to_owned(), |name| format!("CASE WHEN {name} = '' THEN 0 ELSE 1 END"));
    let ties = names.iter().fold(String::new(), |text, name| text + ", " + name);
    let (outcome, number) = rank.counted();
    let (columns, of_chosen, sums) = (list(""), list("chosen."), sums!());
    let sql = format!(
        "WITH chosen AS (
             SELECT {columns}outcome, {sums} FROM ({steps}) AS steps GROUP BY {columns}outcome
         ), ranked AS (
             SELECT
                 {columns}
                 ROW_NUMBER() OVER (
                     ORDER BY SUM(CASE WHEN outcome = '{outcome}' THEN {number} ELSE 0 END) DESC{ties}
                 ) AS place,
                 CAST(SUM({proved}) OVER () AS BIGINT) AS named
             FROM chosen
             {grouped}
         )
         SELECT
             {of_chosen}
             chosen.outcome,
             chosen.exports,
             chosen.items,
             chosen.wire_bytes,
             chosen.bytes,
             ranked.named
         FROM chosen
         INNER JOIN ranked ON ranked.place <= ${most}{joined}
         ORDER BY ranked.place, chosen.outcome"
    );
    Statement { sql, values }
}

pub(super) async fn top(store: &Store, filter: &UsageFilter, rank: Rank, most: u32) -> Result<UsageTop, CatalogError> {
    let rows = bound(top_statement(filter, rank, most)).fetch_all(&store.pool).await?;
    let mut top = UsageTop::default();
    for row in &rows {
        let row = Reader::new(row, "usage", &["outcome"]);
        top.groups = row.count("named")?;
        let names: Vec<String> =
            filter.by.iter().map(|by: &Dimension| row.get(by.column())).collect::<Result<_, _>>()?;
        let amount = (row.parsed("outcome")?, read::amount(&row)?);
        match top.rows.last_mut().filter(|last| last.names == names) {
            Some(last) => last.amounts.push(amount),
            None => top.rows.push(UsageRow { at: filter.from, names, amounts: vec![amount] }),
        }
    }
    Ok(top)
}
