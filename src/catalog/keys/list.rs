//! Lists of keys: which, in which order, and the statement that reads a page of them.
//!
//! Every page is read from its position on along an index of its order, so that it costs the same wherever it is. A filter becomes
//! a condition only where it is given, and one that an index can serve.

use crate::domain::hygiene::{Flag, RotationPolicy};
use crate::domain::key::folded;
use crate::domain::{KeyId, KeyStatus, Slug, Timestamp, TokenKind};

use super::prefix::behind;
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
    /// Only active keys that need attention for this reason.
    pub attention: Option<Flag>,
    /// Only active keys that need attention, for whatever reason.
    pub needs_attention: bool,
    /// Only keys in the overlap of two secrets, or only others.
    pub rotating: Option<bool>,
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

impl Order {
    const fn way(self) -> &'static str {
        if self.descending { "DESC" } else { "ASC" }
    }
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
    /// The instant by which the flag of [`KeyFilter::attention`] is decided: the expiry, the last use or else the creation, or the
    /// creation of the current secret. For the other flags, and without one, the creation.
    Attention,
}

impl OrderBy {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::CreatedAt, Self::Name, Self::LastUsedAt, Self::ExpiresAt, Self::Attention];

    /// The name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::Name => "name",
            Self::LastUsedAt => "last_used_at",
            Self::ExpiresAt => "expires_at",
            Self::Attention => "attention",
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
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
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

/// The statement that reads the `rows` keys behind `after` of those that pass `filter` at `now`, each with its secrets; `policy` says
/// whose rotation is due. It is public so that its plans can be read.
#[must_use]
pub fn statement(
    filter: &KeyFilter,
    policy: &RotationPolicy,
    now: Timestamp,
    after: Option<&Position>,
    rows: i64,
) -> Statement {
    let (way, column) = (filter.order.way(), column(filter));
    let (pages, mut values) = pages(filter, policy, now, after, rows, Vec::new(), Columns::All);
    // A page of each part has everything that may be on the page of all.
    let page = if let [page] = &*pages {
        page.clone()
    } else {
        values.push(Value::Integer(rows));
        let (pages, rows) = (pages.join(") AS part UNION ALL SELECT * FROM ("), values.len());
        format!("SELECT * FROM ({pages}) AS part ORDER BY {column} {way}, id {way} LIMIT ${rows}")
    };
    let (columns, joins) = (select_keys!(@columns), select_keys!(@joins));
    let sql = format!(
        "{columns},
             k.position
         FROM ({page}) AS k{joins}
         ORDER BY k.{column} {way}, k.id {way}, s.version DESC"
    );
    Statement { sql, values }
}

/// The statement that counts the keys that pass one of `filters` at `now`, up to `most`: of each filter so many are read in its order, so
/// that it costs the same among any number of keys.
#[must_use]
pub fn count_statement(filters: &[KeyFilter], policy: &RotationPolicy, now: Timestamp, most: i64) -> Statement {
    let (mut all, mut values) = (Vec::new(), Vec::new());
    for filter in filters {
        let (pages, bound) = pages(filter, policy, now, None, most, values, Columns::Id);
        all.extend(pages);
        values = bound;
    }
    values.push(Value::Integer(most));
    let (pages, most) = (all.join(") AS part UNION SELECT id FROM ("), values.len());
    let sql = format!("SELECT COUNT(*) AS number FROM (SELECT id FROM ({pages}) AS part LIMIT ${most}) AS counted");
    Statement { sql, values }
}

/// What is read of each key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Columns {
    All,
    Id,
}

/// The first `rows` keys behind `after`, as a select or as several ones that have no key in common, and `values` with theirs.
fn pages(
    filter: &KeyFilter,
    policy: &RotationPolicy,
    now: Timestamp,
    after: Option<&Position>,
    rows: i64,
    values: Vec<Value>,
    columns: Columns,
) -> (Vec<String>, Vec<Value>) {
    let column = column(filter);
    let tagged = filter.tag.is_some();
    let in_keys = || format!("keys.{column}");
    // Along the index of tags where there is a tag, which is in the order of creation.
    let (from, place, id) = match column {
        CREATED if tagged => ("key_tags CROSS JOIN keys", "key_tags.created_at".to_owned(), "key_tags.key_id"),
        _ if tagged => ("key_tags CROSS JOIN keys", in_keys(), "keys.id"),
        _ => ("keys", in_keys(), "keys.id"),
    };
    let mut build = Build { column, bounds: (None, None), conditions: Vec::new(), values };
    build.bound_to(filter);
    build.statuses(&filter.statuses, tagged, now);
    build.labels(filter);
    build.instants(filter);
    build.attention(filter, now);
    build.rotating(filter.rotating, now);
    build.search(filter.search.as_ref());
    let (way, descending) = (filter.order.way(), filter.order.descending);
    let rows = build.bind(Value::Integer(rows));
    let columns = match columns {
        Columns::All => format!("keys.*, CAST({place} AS TEXT) AS position"),
        Columns::Id => "keys.id".to_owned(),
    };
    let parts = if column == SECRET { build.due(filter, policy, now) } else { vec![None] };
    let common = build.conditions.len();
    let mut pages = Vec::new();
    for part in parts {
        if let Some((whose, before)) = part {
            build.conditions.push(whose);
            build.bounds = (None, Some(before));
        }
        build.between(&place, id, after, descending);
        let conditions = build.conditions.join(" AND ");
        let filtered = if conditions.is_empty() { String::new() } else { format!("WHERE {conditions}") };
        pages.push(format!(
            "SELECT {columns}
             FROM {from}
             {filtered}
             ORDER BY {place} {way}, {id} {way}
             LIMIT {rows}"
        ));
        build.conditions.truncate(common);
    }
    (pages, build.values)
}

/// What keys are ordered by, as the indexes have it.
fn column(filter: &KeyFilter) -> &'static str {
    match filter.order.by {
        OrderBy::CreatedAt => CREATED,
        OrderBy::Name => NAME,
        OrderBy::LastUsedAt => USED,
        OrderBy::ExpiresAt => EXPIRY,
        OrderBy::Attention => match filter.attention {
            Some(Flag::Expiring | Flag::ExpiringSoon | Flag::ExpiringNow) => EXPIRY,
            Some(Flag::Unused45 | Flag::Unused90) => IDLE,
            Some(Flag::RotationDue) => SECRET,
            Some(Flag::NeverUsed | Flag::Weak | Flag::Exposed) | None => CREATED,
        },
    }
}

pub(super) const CREATED: &str = "created_at";
const NAME: &str = "name_folded";
const USED: &str = "used_order";
pub(super) const EXPIRY: &str = "expiry_order";
pub(super) const IDLE: &str = "idle_order";
pub(super) const SECRET: &str = "secret_order";

/// A statement in the making.
pub(super) struct Build {
    pub(super) column: &'static str,
    /// From where, and before where, in the order of the list.
    bounds: (Option<Value>, Option<Value>),
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Build {
    /// The place of `value`.
    pub(super) fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    pub(super) fn text(&mut self, value: &(impl ToString + ?Sized)) -> String {
        self.bind(Value::Text(value.to_string()))
    }

    fn equal(&mut self, column: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            let value = self.text(&value);
            self.conditions.push(format!("{column} = {value}"));
        }
    }

    pub(super) fn require(&mut self, condition: &str) {
        self.conditions.push(condition.to_owned());
    }

    /// Requires `column` to be at `from` or behind it, and before `before`.
    pub(super) fn within(&mut self, column: &str, from: Option<Value>, before: Option<Value>) {
        if column == self.column {
            let (lower, upper) = &mut self.bounds;
            *lower = lower.take().max(from);
            *upper = [upper.take(), before].into_iter().flatten().min();
            return;
        }
        for (how, bound) in [(">=", from), ("<", before)] {
            if let Some(bound) = bound {
                let bound = self.bind(bound);
                self.conditions.push(format!("keys.{column} {how} {bound}"));
            }
        }
    }

    /// Begins the page behind `after`. Of a bound and a position on the same side only the one that leaves out more is asked for,
    /// because SQLite would go by either.
    fn between(&mut self, place: &str, id: &str, after: Option<&Position>, descending: bool) {
        let (mut from, mut before) = std::mem::take(&mut self.bounds);
        let bound = if descending { &mut before } else { &mut from };
        let is_behind = |position: &&Position| match bound {
            Some(bound) if descending => position.value < *bound,
            Some(bound) => position.value >= *bound,
            None => true,
        };
        if let Some(Position { value, id: last }) = after.filter(is_behind) {
            *bound = None;
            let (value, last) = (self.bind(value.clone()), self.text(last));
            let how = if descending { "<" } else { ">" };
            self.conditions.push(format!("({place}, {id}) {how} ({value}, {last})"));
        }
        for (how, bound) in [(">=", from), ("<", before)] {
            if let Some(bound) = bound {
                let bound = self.bind(bound);
                self.conditions.push(format!("{place} {how} {bound}"));
            }
        }
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

    /// The statuses in SQL: revoked hides expired, and expired hides the rest.
    pub(super) fn statuses(&mut self, wanted: &[KeyStatus], tagged: bool, now: Timestamp) {
        let has = |status| wanted.is_empty() || wanted.contains(&status);
        let [revoked, expired, disabled, active] = KeyStatus::ALL.map(has);
        if !revoked {
            self.require("keys.revoked_at IS NULL");
        }
        if !revoked && tagged {
            self.require("key_tags.revoked = 0");
        }
        if expired && disabled && active {
            return;
        }
        let end = Some(Value::Integer(now.micros().saturating_add(1)));
        if !revoked && !disabled && !active {
            return self.within(EXPIRY, None, end);
        }
        let now = Value::Integer(now.micros());
        let mut either = Vec::new();
        if revoked {
            either.push("keys.revoked_at IS NOT NULL".to_owned());
        }
        if expired {
            either.push(format!("keys.expires_at <= {}", self.bind(now.clone())));
        }
        if disabled || active {
            let mut both = match (disabled, active) {
                (true, true) => Vec::new(),
                (true, false) => vec!["keys.disabled_at IS NOT NULL".to_owned()],
                (false, _) => vec!["keys.disabled_at IS NULL".to_owned()],
            };
            // Most keys have not expired, which is not worth the order of expiries where another is asked for.
            if self.column == EXPIRY && either.is_empty() {
                self.within(EXPIRY, end, None);
            } else {
                both.push(format!("(keys.expires_at IS NULL OR keys.expires_at > {})", self.bind(now)));
            }
            either.extend((!both.is_empty()).then(|| both.join(" AND ")));
        }
        if !either.is_empty() {
            self.conditions.push(format!("({})", either.join(" OR ")));
        }
    }

    fn instants(&mut self, filter: &KeyFilter) {
        let instant = |at: Timestamp| Value::Integer(at.micros());
        self.within(USED, None, filter.last_used_before.map(instant));
        self.within(EXPIRY, None, filter.expires_before.map(instant));
    }

    /// Secrets with an end that is still to come are few, and have an index of their own.
    fn rotating(&mut self, wanted: Option<bool>, now: Timestamp) {
        let Some(wanted) = wanted else { return };
        let now = self.bind(Value::Integer(now.micros()));
        let which = if wanted { "IN" } else { "NOT IN" };
        self.conditions.push(format!("keys.id {which} (SELECT key_id FROM secrets WHERE retires_at > {now})"));
    }

    /// A range instead of `LIKE`: it has no characters to escape, and both databases read it along the index.
    fn search(&mut self, search: Option<&Search>) {
        match search {
            Some(Search::Id(id)) => self.equal("keys.id", Some(id)),
            Some(Search::Name(prefix)) => {
                let from = folded(prefix);
                let before = behind(&from);
                self.within(NAME, Some(Value::Text(from)), before.map(Value::Text));
            }
            None => {}
        }
    }
}
