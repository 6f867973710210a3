//! Reading the books.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use sqlx::any::AnyRow;

use crate::catalog::keys::bound;
use crate::catalog::keys::list::{Statement, Value};
use crate::catalog::rows::Reader;
use crate::catalog::store::Store;
use crate::catalog::{CatalogError, Page, Paging, cursor};
use crate::domain::limit::ScopeId;
use crate::domain::usage::{Amount, Fate, Step};
use crate::domain::{KeyId, Signal, Slug, Timestamp};

/// What usage is grouped by, beside time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Dimension {
    /// By project.
    Project,
    /// By grid.
    Grid,
    /// By environment.
    Environment,
    /// By key.
    Key,
    /// By signal.
    Signal,
}

impl Dimension {
    /// Every one, in the order of their discriminants.
    pub const ALL: [Self; 5] = [Self::Project, Self::Grid, Self::Environment, Self::Key, Self::Signal];

    /// Its name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Grid => "grid",
            Self::Environment => "environment",
            Self::Key => "key",
            Self::Signal => "signal",
        }
    }

    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::Key => "key_id",
            other => other.as_str(),
        }
    }
}

/// Which usage to read. Absent means: all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsageFilter {
    /// How finely.
    pub step: Step,
    /// Only steps that begin at this instant or later.
    pub from: Timestamp,
    /// Only steps that begin before this instant.
    pub to: Timestamp,
    /// What it is grouped by, each at most once.
    pub by: Vec<Dimension>,
    /// Only of this project.
    pub project: Option<Slug>,
    /// Only of this grid.
    pub grid: Option<Slug>,
    /// Only of this environment.
    pub environment: Option<Slug>,
    /// Only of these keys; empty: of all, and of nobody's.
    pub keys: Vec<KeyId>,
    /// Only of this signal.
    pub signal: Option<Signal>,
}

impl UsageFilter {
    /// The table that it is read from: where nothing is asked of keys, they stand summed up by tenant.
    fn table(&self) -> &'static str {
        let asks_of_keys = !self.keys.is_empty() || self.by.contains(&Dimension::Key);
        if asks_of_keys { "usage" } else { "tenant_usage" }
    }
}

/// Usage of one step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsageRow {
    /// The beginning of the step.
    pub at: Timestamp,
    /// Whose it is: one name for each of [`UsageFilter::by`], empty for what nobody proved anything of.
    pub names: Vec<String>,
    /// How much it was, in the order of the names of its fates.
    pub amounts: Vec<(Fate, Amount)>,
}

/// The sums of the four numbers, as integers on both databases.
macro_rules! sums {
    () => {
        "CAST(SUM(exports) AS BIGINT) AS exports,
         CAST(SUM(items) AS BIGINT) AS items,
         CAST(SUM(wire_bytes) AS BIGINT) AS wire_bytes,
         CAST(SUM(bytes) AS BIGINT) AS bytes"
    };
}
pub(super) use sums;

/// The statement that reads the usage behind `after` of what passes `filter`: `rows` rows of one fate each. It is public so that its
/// plans can be read.
#[must_use]
pub fn statement(filter: &UsageFilter, after: Option<&UsagePosition>, rows: i64) -> Statement {
    let mut values = vec![Value::Text(filter.step.as_str().to_owned())];
    let mut bind = |value| {
        values.push(value);
        format!("${}", values.len())
    };
    let from = after.map_or(filter.from, |after| after.at.max(filter.from));
    let mut conditions = vec!["step = $1".to_owned()];
    conditions.push(format!("at >= {}", bind(Value::Integer(from.micros()))));
    conditions.push(format!("at < {}", bind(Value::Integer(filter.to.micros()))));
    let names = [
        ("project", filter.project.as_ref().map(Slug::to_string)),
        ("grid", filter.grid.as_ref().map(Slug::to_string)),
        ("environment", filter.environment.as_ref().map(Slug::to_string)),
        ("signal", filter.signal.map(|signal| signal.to_string())),
    ];
    for (column, name) in names {
        if let Some(name) = name {
            conditions.push(format!("{column} = {}", bind(Value::Text(name))));
        }
    }
    let keys: Vec<_> = filter.keys.iter().map(|key| bind(Value::Text(key.to_string()))).collect();
    if !keys.is_empty() {
        conditions.push(format!("key_id IN ({})", keys.join(", ")));
    }
    let columns: Vec<_> = ["at"].into_iter().chain(filter.by.iter().map(|by| by.column())).collect();
    let columns = columns.join(", ");
    if let Some(after) = after {
        let mut places = vec![bind(Value::Integer(after.at.micros()))];
        places.extend(after.names.iter().map(|name| bind(Value::Text(name.clone()))));
        conditions.push(format!("({columns}) > ({})", places.join(", ")));
    }
    let conditions = conditions.join(" AND ");
    let rows = bind(Value::Integer(rows));
    let sql = format!(
        "SELECT {columns}, outcome, {}
         FROM {}
         WHERE {conditions}
         GROUP BY {columns}, outcome
         ORDER BY {columns}, outcome
         LIMIT {rows}",
        sums!(),
        filter.table()
    );
    Statement { sql, values }
}

/// A place in the list of usage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsagePosition {
    at: Timestamp,
    names: Vec<String>,
}

impl UsagePosition {
    fn of(row: &UsageRow) -> String {
        let mut text = row.at.micros().to_string();
        for name in &row.names {
            text.push('/');
            text.push_str(name);
        }
        BASE64.encode(text)
    }

    fn read(text: &str, filter: &UsageFilter) -> Option<Self> {
        let text = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
        let mut parts = text.split('/');
        let at = Timestamp::from_micros(parts.next()?.parse().ok()?);
        let names: Vec<_> = parts.map(str::to_owned).collect();
        let good = names.len() == filter.by.len() && names.iter().all(|name| is_name(name));
        good.then_some(Self { at, names })
    }
}

pub(super) async fn page(store: &Store, filter: &UsageFilter, paging: &Paging) -> Result<Page<UsageRow>, CatalogError> {
    let after = match &paging.after {
        None => None,
        Some(text) => Some(UsagePosition::read(text, filter).ok_or(CatalogError::Cursor)?),
    };
    // So many rows hold at least as many groups as are read for a page, and the last of those is whole or not shown.
    let rows = cursor::rows_to_read(paging).saturating_mul(i64::try_from(Fate::COUNT).unwrap_or(i64::MAX));
    let rows = bound(statement(filter, after.as_ref(), rows)).fetch_all(&store.pool).await?;
    let mut groups: Vec<UsageRow> = Vec::new();
    for row in &rows {
        let next = group(row, filter)?;
        match groups.last_mut().filter(|last| last.at == next.at && last.names == next.names) {
            Some(last) => last.amounts.extend(next.amounts),
            None => groups.push(next),
        }
    }
    groups.truncate(usize::try_from(cursor::rows_to_read(paging)).unwrap_or(usize::MAX));
    Ok(cursor::page(groups, paging, UsagePosition::of))
}

pub(super) async fn used(
    store: &Store,
    scope: &ScopeId,
    from: Timestamp,
    to: Timestamp,
) -> Result<[Amount; Signal::ALL.len()], CatalogError> {
    let aligned = |step: &Step| [from, to].into_iter().all(|at| step.start(at) == at);
    let step = Step::ALL.into_iter().rev().find(aligned).unwrap_or(Step::Minute);
    let text = |text: &Slug| Value::Text(text.to_string());
    let (which, names) = match scope {
        ScopeId::Key(key) => ("key_id = $4", vec![Value::Text(key.to_string())]),
        ScopeId::Tenant(tenant) => {
            let names = [&tenant.project, &tenant.grid, &tenant.environment];
            ("project = $4 AND grid = $5 AND environment = $6", names.map(text).to_vec())
        }
        ScopeId::Project(project) => ("project = $4", vec![text(project)]),
    };
    let sql = format!(
        "SELECT signal, {}
         FROM usage
         WHERE step = $1 AND at >= $2 AND at < $3 AND {which} AND outcome = 'accepted'
         GROUP BY signal",
        sums!()
    );
    let mut values = vec![Value::Text(step.as_str().to_owned())];
    values.extend([from, to].map(|at| Value::Integer(at.micros())));
    values.extend(names);
    let mut used = [Amount::default(); Signal::ALL.len()];
    for row in bound(Statement { sql, values }).fetch_all(&store.pool).await? {
        let row = Reader::new(&row, "usage", &["signal"]);
        let signal: Signal = row.parsed("signal")?;
        used[signal.index()] = amount(&row)?;
    }
    Ok(used)
}

fn group(row: &AnyRow, filter: &UsageFilter) -> Result<UsageRow, CatalogError> {
    let row = Reader::new(row, "usage", &["at", "outcome"]);
    let names = filter.by.iter().map(|by| row.get(by.column())).collect::<Result<_, _>>()?;
    Ok(UsageRow { at: row.time("at")?, names, amounts: vec![(row.parsed("outcome")?, amount(&row)?)] })
}

pub(super) fn amount(row: &Reader<'_>) -> Result<Amount, CatalogError> {
    Ok(Amount {
        exports: row.count("exports")?,
        items: row.count("items")?,
        wire_bytes: row.count("wire_bytes")?,
        bytes: row.count("bytes")?,
    })
}

/// No name holds another character, and PostgreSQL takes no zero.
fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filter(by: &[Dimension]) -> UsageFilter {
        UsageFilter {
            step: Step::Hour,
            from: Timestamp::from_micros(0),
            to: Timestamp::from_micros(1),
            by: by.to_vec(),
            project: None,
            grid: None,
            environment: None,
            keys: Vec::new(),
            signal: None,
        }
    }

    proptest! {
        #[test]
        fn a_position_is_read_back(micros: i64, names in proptest::collection::vec("[a-z0-9-]{0,40}", 0..=5)) {
            let row = UsageRow { at: Timestamp::from_micros(micros), names, amounts: Vec::new() };
            let text = UsagePosition::of(&row);
            let read = UsagePosition::read(&text, &filter(&Dimension::ALL[..row.names.len()]));
            prop_assert_eq!(read, Some(UsagePosition { at: row.at, names: row.names.clone() }));
            // A list that is grouped otherwise has no such place.
            let fewer = row.names.len().saturating_sub(1);
            let other = UsagePosition::read(&text, &filter(&Dimension::ALL[..fewer]));
            prop_assert!(row.names.is_empty() || other.is_none());
        }

        #[test]
        fn any_text_is_a_position_or_none(text in "\\PC*|[A-Za-z0-9_-]{0,60}", inner in "-?[0-9]{0,20}(/\\PC{0,9}){0,3}") {
            for text in [text, BASE64.encode(inner)] {
                if let Some(position) = UsagePosition::read(&text, &filter(&[Dimension::Key])) {
                    prop_assert!(position.names.len() == 1 && is_name(&position.names[0]));
                }
            }
        }
    }
}
