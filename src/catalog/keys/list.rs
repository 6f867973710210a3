//! Lists of keys: which, in which order, and the statement that reads a page of them.
//!
//! Every page is read from its position on along an index of its order, so that it costs the same wherever it is. A filter becomes
//! a condition only where it is given, and one that an index can serve.

use crate::domain::{KeyId, KeyStatus, Slug, Timestamp, TokenKind};

use super::read::select_keys;

/// Which keys to list, and in which order. Absent means: all.
#[derive(Clone, PartialEq, Eq, Default, Hash, Debug)]
pub struct KeyFilter {
    /// Only keys of this project.
    pub project: Option<Slug>,
    /// Only ingest keys of this grid.
    pub grid: Option<Slug>,
    /// Only ingest keys of this environment.
    pub environment: Option<Slug>,
    /// Only keys of this kind.
    pub kind: Option<TokenKind>,
    /// Only keys with one of these statuses; empty: any.
    pub statuses: Vec<KeyStatus>,
    /// Only keys with this role.
    pub role: Option<Slug>,
    /// Only keys with this tag.
    pub tag: Option<String>,
    /// Only keys of this customer or owner.
    pub owner: Option<String>,
    /// Only keys of members, or only others.
    pub member: Option<bool>,
    /// Only keys that are found by this.
    pub search: Option<Search>,
    /// Only keys that were last used before this instant, or never.
    pub last_used_before: Option<Timestamp>,
    /// Only keys that expire before this instant.
    pub expires_before: Option<Timestamp>,
    /// The order.
    pub order: Order,
}

/// What keys are searched by.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Search {
    /// The whole id.
    Id(KeyId),
    /// The beginning of the name, in any case.
    Name(String),
}

/// An order of keys; keys at the same place are in the order of their ids.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Order {
    /// What they are ordered by.
    pub by: OrderBy,
    /// Whether the last comes first.
    pub descending: bool,
}

/// The newest first.
impl Default for Order {
    fn default() -> Self {
        Self { by: OrderBy::CreatedAt, descending: true }
    }
}

/// What keys are ordered by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OrderBy {
    /// Their creation.
    CreatedAt,
    /// Their name, without the difference of upper and lower case.
    Name,
    /// Their last use; those that were never used are before all others.
    LastUsedAt,
    /// Their expiry; those that never expire are behind all others.
    ExpiresAt,
}

impl OrderBy {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::CreatedAt, Self::Name, Self::LastUsedAt, Self::ExpiresAt];

    /// The name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::Name => "name",
            Self::LastUsedAt => "last_used_at",
            Self::ExpiresAt => "expires_at",
        }
    }
}

/// A statement with its values: `$1` is the first. It is the same on both databases.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// The text.
    pub sql: String,
    /// The values.
    pub values: Vec<Value>,
}

/// A value of a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// `TEXT`
    Text(String),
    /// `BIGINT`
    Integer(i64),
}

/// The position of a key in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Position {
    /// What the list is ordered by.
    pub value: Value,
    /// The key.
    pub id: KeyId,
}

/// The statement that reads the `rows` keys behind `after` of those that pass `filter` at `now`, each with its secrets. It is public so
/// that its plans can be read.
#[must_use]
pub fn statement(filter: &KeyFilter, now: Timestamp, after: Option<&Position>, rows: i64) -> Statement {
    let mut build = Build { conditions: Vec::new(), values: Vec::new() };
    let tagged = filter.tag.is_some();
    build.bound_to(filter);
    build.statuses(filter, now);
    build.labels(filter);
    build.instants(filter);
    if let Some(search) = &filter.search {
        build.search(search);
    }
    let Order { by, descending } = filter.order;
    // Along the index of tags where there is a tag, which is in the order of creation.
    let (from, place, id) = match by {
        OrderBy::CreatedAt if tagged => {
            ("key_tags CROSS JOIN keys", "key_tags.created_at".to_owned(), "key_tags.key_id")
        }
        _ if tagged => ("key_tags CROSS JOIN keys", place(by, "keys"), "keys.id"),
        _ => ("keys", place(by, "keys"), "keys.id"),
    };
    if let Some(Position { value, id: last }) = after {
        let (value, last) = (build.bind(value.clone()), build.text(last));
        let behind = if descending { "<" } else { ">" };
        build.conditions.push(format!("({place}, {id}) {behind} ({value}, {last})"));
    }
    let conditions = build.conditions.join(" AND ");
    let filtered = if conditions.is_empty() { String::new() } else { format!("WHERE {conditions}") };
    let rows = build.bind(Value::Integer(rows));
    let way = if descending { "DESC" } else { "ASC" };
    let (columns, joins, outer) = (select_keys!(@columns), select_keys!(@joins), self::place(by, "k"));
    let sql = format!(
        "{columns},
             k.position
         FROM (
             SELECT keys.*, CAST({place} AS TEXT) AS position
             FROM {from}
             {filtered}
             ORDER BY {place} {way}, {id} {way}
             LIMIT {rows}
         ) AS k{joins}
         ORDER BY {outer} {way}, k.id {way}, s.version DESC"
    );
    Statement { sql, values: build.values }
}

/// What `table` is ordered by, as the indexes have it.
fn place(by: OrderBy, table: &str) -> String {
    match by {
        OrderBy::CreatedAt => format!("{table}.created_at"),
        OrderBy::Name => format!("{table}.name_folded"),
        OrderBy::LastUsedAt => last_used(table),
        OrderBy::ExpiresAt => expiry(table),
    }
}

fn last_used(table: &str) -> String {
    format!("COALESCE({table}.last_used_at, -9223372036854775807)")
}

fn expiry(table: &str) -> String {
    format!("COALESCE({table}.expires_at, 9223372036854775807)")
}

/// A statement in the making.
struct Build {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Build {
    /// The place of `value`.
    fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    fn text(&mut self, value: impl ToString) -> String {
        self.bind(Value::Text(value.to_string()))
    }

    fn instant(&mut self, value: Timestamp) -> String {
        self.bind(Value::Integer(value.micros()))
    }

    fn equal(&mut self, column: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            let value = self.text(value);
            self.conditions.push(format!("{column} = {value}"));
        }
    }

    fn require(&mut self, condition: &str) {
        self.conditions.push(condition.to_owned());
    }

    fn bound_to(&mut self, filter: &KeyFilter) {
        if let Some(tag) = &filter.tag {
            self.require("keys.id = key_tags.key_id");
            self.equal("key_tags.tag", Some(tag));
            self.equal("key_tags.project", filter.project.as_ref());
        } else {
            self.equal("keys.project", filter.project.as_ref());
        }
        self.equal("keys.grid", filter.grid.as_ref());
        self.equal("keys.environment", filter.environment.as_ref());
    }

    /// The few that there are of a kind have an index of their own, which a text in a value would not be enough for.
    fn labels(&mut self, filter: &KeyFilter) {
        match filter.kind {
            Some(TokenKind::Admin) => self.require("keys.kind = 'admin'"),
            Some(TokenKind::Ingest) => self.require("keys.kind = 'ingest'"),
            None => {}
        }
        match filter.member {
            Some(true) => self.require("keys.member = 1"),
            Some(false) => self.require("keys.member = 0"),
            None => {}
        }
        self.equal("keys.role", filter.role.as_ref());
        self.equal("keys.owner", filter.owner.as_ref());
    }

    /// One condition for the status, from those that hold of each.
    fn statuses(&mut self, filter: &KeyFilter, now: Timestamp) {
        let has = |status| filter.statuses.is_empty() || filter.statuses.contains(&status);
        let [revoked, expired, disabled, active] = KeyStatus::ALL.map(has);
        if revoked && expired && disabled && active {
            return;
        }
        if !revoked {
            self.require("keys.revoked_at IS NULL");
            if filter.tag.is_some() {
                self.require("key_tags.revoked = 0");
            }
        }
        if !revoked && expired && disabled && active {
            return;
        }
        let now = self.instant(now);
        // Few keys have expired, and most have not: only the one is worth the index of expiries, unless that is the order.
        let has_expired = format!("{} <= {now}", expiry("keys"));
        let has_not = match filter.order.by {
            OrderBy::ExpiresAt => format!("{} > {now}", expiry("keys")),
            _ => format!("(keys.expires_at IS NULL OR keys.expires_at > {now})"),
        };
        let mut either = Vec::new();
        if revoked {
            either.push("keys.revoked_at IS NOT NULL".to_owned());
        }
        let living = if revoked { "keys.revoked_at IS NULL AND " } else { "" };
        if expired {
            either.push(format!("{living}{has_expired}"));
        }
        match (disabled, active) {
            (true, true) => either.push(format!("{living}{has_not}")),
            (true, false) => either.push(format!("{living}keys.disabled_at IS NOT NULL AND {has_not}")),
            (false, true) => either.push(format!("{living}keys.disabled_at IS NULL AND {has_not}")),
            (false, false) => {}
        }
        match either.as_slice() {
            [one] => self.conditions.push(one.clone()),
            several => self.conditions.push(format!("({})", several.join(" OR "))),
        }
    }

    fn instants(&mut self, filter: &KeyFilter) {
        if let Some(before) = filter.last_used_before {
            let before = self.instant(before);
            self.conditions.push(format!("{} < {before}", last_used("keys")));
        }
        if let Some(before) = filter.expires_before {
            let before = self.instant(before);
            self.conditions.push(format!("{} < {before}", expiry("keys")));
        }
    }

    /// A range instead of `LIKE`: it has no characters to escape, and both databases read it along the index.
    fn search(&mut self, search: &Search) {
        let name = match search {
            Search::Id(id) => return self.equal("keys.id", Some(id)),
            Search::Name(prefix) => crate::domain::key::folded(prefix),
        };
        let end = behind(&name);
        let from = self.text(name);
        self.conditions.push(format!("keys.name_folded >= {from}"));
        if let Some(end) = end {
            let end = self.text(end);
            self.conditions.push(format!("keys.name_folded < {end}"));
        }
    }
}

/// The first text behind all that begin with `prefix`, in the order of bytes; `None`: there is no text behind them.
fn behind(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // Between U+D7FF and U+E000 there are no characters.
        let next = if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}
