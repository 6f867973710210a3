//! Exports that were turned away, in groups, as they are written down and listed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, query};

use super::rows::Reader;
use super::store::{Store, collect, wrote_one};
use super::{CatalogError, Page, Paging, cursor};
use crate::domain::trouble::{Cause, Group, Seen, Signals, Source, Transports, Trouble};
use crate::domain::{KeyId, Slug, Timestamp, hexadecimal};

/// A group of the list, with what the catalog knows of its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Names the group for as long as it is kept.
    pub id: String,
    /// The group, and what was seen of it.
    pub trouble: Trouble,
    /// The key that was proved or claimed; `None` where there is no such key, or none was named.
    pub key: Option<RefusedKey>,
    /// The service that the same key was last seen with at the same address, where the group has none of its own.
    pub likely_service: Option<String>,
}

/// What there is to know of a group's key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedKey {
    /// Its name.
    pub name: String,
    /// The project that it belongs to.
    pub project: Option<Slug>,
    /// The grid.
    pub grid: Option<Slug>,
    /// The environment.
    pub environment: Option<Slug>,
}

/// Which groups to list. Absent means: all.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RefusalFilter {
    /// Only what is of this project: by a key that was proved, or by one that was claimed and is the project's.
    pub project: Option<Slug>,
    /// Only what names this key, proved or claimed.
    pub key: Option<KeyId>,
    /// Only this.
    pub cause: Option<Cause>,
    /// Only what comes from this address.
    pub address: Option<IpAddr>,
    /// Only what holds this text, in any case of its ASCII letters: in its detail, user agent, service, key or address.
    pub text: Option<String>,
    /// Only groups with an export at this instant or later.
    pub from: Option<Timestamp>,
    /// Only groups whose first export was before this instant.
    pub to: Option<Timestamp>,
}

/// What the catalog keeps of exports that were turned away. Nothing of it is audited: it is no change.
#[async_trait]
pub trait RefusalBook {
    /// Adds to what was seen of these groups. Of a project with more than `most` groups those that are over become part of coarser ones:
    /// first those of the address with the most, and of these the ones that were not seen for the longest time.
    async fn record_refusals(&self, troubles: &[Trouble], most: u32) -> Result<(), CatalogError>;

    /// Groups, the one with the latest export first. [`CatalogError::Cursor`] for a bad position.
    async fn refusals(&self, filter: &RefusalFilter, paging: &Paging) -> Result<Page<Refused>, CatalogError>;

    /// Forgets groups without an export since `before`, and says how many they were.
    async fn forget_refusals(&self, before: Timestamp) -> Result<u64, CatalogError>;
}

/// How many groups of a project one call folds.
const FOLDED: i64 = 1_000;

/// The groups of `$from`, the one with the latest export first.
macro_rules! select_refusals {
    ($from:literal) => {
        concat!(
            "SELECT
                 r.id,
                 r.project,
                 r.key_id,
                 r.reason,
                 r.address,
                 r.agent,
                 r.service,
                 r.first_at,
                 r.last_at,
                 r.exports,
                 r.detail,
                 r.signals,
                 r.transports,
                 k.name AS key_name,
                 k.project AS key_project,
                 k.grid AS key_grid,
                 k.environment AS key_environment,
                 (
                     SELECT known.service FROM (
                         SELECT sender.service, sender.last_at FROM senders AS sender
                         WHERE sender.key_id = r.key_id AND sender.address = r.address
                         UNION ALL
                         SELECT other.service, other.last_at FROM refusals AS other
                         WHERE other.key_id = r.key_id AND other.address = r.address
                     ) AS known
                     WHERE known.service <> '' AND r.key_id <> '' AND r.address <> '' AND r.service = ''
                     ORDER BY known.last_at DESC
                     LIMIT 1
                 ) AS likely_service
             FROM ",
            $from,
            "
             LEFT JOIN keys AS k ON k.id = r.key_id
             WHERE (r.last_at < $1 OR (r.last_at = $1 AND r.id < $2))
                 AND r.last_at >= $3
                 AND r.first_at < $4
                 AND ($5 IS NULL OR r.key_id = $5)
                 AND ($6 IS NULL OR r.reason = $6)
                 AND ($7 IS NULL OR r.address = $7)
                 AND (
                     $8 IS NULL
                     OR LOWER(
                         r.detail || ' ' || r.agent || ' ' || r.service || ' ' || r.address || ' ' || r.reason
                             || ' ' || r.key_id || ' ' || COALESCE(k.name, '')
                     ) LIKE $8 ESCAPE '!'
                 )
                 AND ($9 IS NULL OR $9 <> '')
             ORDER BY r.last_at DESC, r.id DESC
             LIMIT $10"
        )
    };
}

/// Those that are the project's by a proved key, and those that claim a key of it.
const OF_PROJECT: &str = select_refusals!(
    "(
        SELECT * FROM refusals WHERE project = $9
        UNION ALL
        SELECT claimed.*
        FROM refusals AS claimed
        INNER JOIN keys AS own ON own.id = claimed.key_id
        WHERE claimed.project = '' AND own.project = $9
    ) AS r"
);

const OF_ALL: &str = select_refusals!("refusals AS r");

#[async_trait]
impl RefusalBook for Store {
    async fn record_refusals(&self, troubles: &[Trouble], most: u32) -> Result<(), CatalogError> {
        // Always in the same order, so that no two nodes wait for each other's rows.
        let mut groups = BTreeMap::new();
        for trouble in troubles {
            collect_into(&mut groups, trouble.clone());
        }
        let projects: BTreeSet<_> = troubles.iter().map(|trouble| project(&trouble.group)).collect();
        self.bounded(async {
            let mut transaction = self.pool.begin_with(self.dialect.begin_write()).await?;
            for (id, trouble) in &groups {
                add(&mut transaction, id, trouble).await?;
            }
            for project in projects {
                fold(&mut transaction, project, most).await?;
            }
            transaction.commit().await?;
            Ok(())
        })
        .await
    }

    async fn refusals(&self, filter: &RefusalFilter, paging: &Paging) -> Result<Page<Refused>, CatalogError> {
        let (last_at, id) = match &paging.after {
            None => (i64::MAX, String::new()),
            Some(text) => position(text).ok_or(CatalogError::Cursor)?,
        };
        let select = query(if filter.project.is_some() { OF_PROJECT } else { OF_ALL })
            .bind(last_at)
            .bind(id)
            .bind(filter.from.map_or(i64::MIN, Timestamp::micros))
            .bind(filter.to.map_or(i64::MAX, Timestamp::micros))
            .bind(filter.key.map(|key| key.to_string()))
            .bind(filter.cause.map(Cause::as_str))
            .bind(filter.address.map(|address| address.to_canonical().to_string()))
            .bind(filter.text.as_deref().map(pattern))
            .bind(filter.project.as_ref().map(Slug::as_str))
            .bind(cursor::rows_to_read(paging));
        self.bounded(async {
            let refused = collect(&select.fetch_all(&self.pool).await?, refused)?;
            let place = |one: &Refused| format!("{}.{}", one.trouble.seen.last_at.micros(), one.id);
            Ok(cursor::page(refused, paging, place))
        })
        .await
    }

    async fn forget_refusals(&self, before: Timestamp) -> Result<u64, CatalogError> {
        let delete = query("DELETE FROM refusals WHERE last_at < $1").bind(before.micros());
        self.bounded(async { Ok(delete.execute(&self.pool).await?.rows_affected()) }).await
    }
}

/// Adds to what was seen of the group.
async fn add(connection: &mut AnyConnection, id: &str, trouble: &Trouble) -> Result<(), CatalogError> {
    let Trouble { group, seen } = trouble;
    let source = group.source.as_ref();
    let upsert = query(
        "INSERT INTO refusals (
             id,
             project,
             key_id,
             reason,
             address,
             agent,
             service,
             first_at,
             last_at,
             exports,
             detail,
             signals,
             transports
         )
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (id) DO UPDATE SET
             first_at = CASE WHEN excluded.first_at < refusals.first_at THEN excluded.first_at ELSE refusals.first_at END,
             last_at = CASE WHEN excluded.last_at > refusals.last_at THEN excluded.last_at ELSE refusals.last_at END,
             exports = refusals.exports + excluded.exports,
             detail = CASE
                 WHEN excluded.detail = '' OR excluded.last_at < refusals.last_at AND refusals.detail <> ''
                 THEN refusals.detail
                 ELSE excluded.detail
             END,
             signals = refusals.signals | excluded.signals,
             transports = refusals.transports | excluded.transports",
    )
    .bind(id)
    .bind(project(group))
    .bind(group.key.map(|key| key.to_string()).unwrap_or_default())
    .bind(group.cause.as_str())
    .bind(source.map(|source| source.address.to_string()).unwrap_or_default())
    .bind(source.and_then(|source| source.agent.as_deref()).unwrap_or_default())
    .bind(source.and_then(|source| source.service.as_deref()).unwrap_or_default())
    .bind(seen.first_at.micros())
    .bind(seen.last_at.micros())
    .bind(i64::try_from(seen.exports).unwrap_or(i64::MAX))
    .bind(seen.detail.as_deref().unwrap_or_default())
    .bind(i64::from(seen.signals.bits()))
    .bind(i64::from(seen.transports.bits()));
    wrote_one(upsert.execute(connection).await?.rows_affected())
}

/// Makes coarser groups of those of a project that are more than `most`.
async fn fold(connection: &mut AnyConnection, project: &str, most: u32) -> Result<(), CatalogError> {
    let count = query("SELECT COUNT(*) AS groups FROM refusals WHERE project = $1 AND address <> ''").bind(project);
    let row = count.fetch_one(&mut *connection).await?;
    let groups: i64 = Reader::new(&row, "refusals", &[]).get("groups")?;
    if groups <= i64::from(most) {
        return Ok(());
    }
    let select = query(
        "SELECT id
         FROM (
             SELECT id, last_at, COUNT(*) OVER (PARTITION BY address) AS crowd
             FROM refusals
             WHERE project = $1 AND address <> ''
         ) AS alike
         ORDER BY crowd DESC, last_at, id
         LIMIT $2",
    )
    .bind(project)
    .bind((groups - i64::from(most)).min(FOLDED));
    let mut coarser = BTreeMap::new();
    for row in select.fetch_all(&mut *connection).await? {
        let id: &str = Reader::new(&row, "refusals", &[]).get("id")?;
        let delete = query(
            "DELETE FROM refusals
             WHERE id = $1
             RETURNING
                 id,
                 project,
                 key_id,
                 reason,
                 address,
                 agent,
                 service,
                 first_at,
                 last_at,
                 exports,
                 detail,
                 signals,
                 transports",
        )
        .bind(id);
        // Another node may have been faster.
        let Some(gone) = delete.fetch_optional(&mut *connection).await? else { continue };
        match trouble(&gone) {
            Ok(Trouble { group, seen }) => {
                let group = group.coarser().unwrap_or(group);
                collect_into(&mut coarser, Trouble { group, seen });
            }
            // It would keep all others from being written.
            Err(error) => tracing::error!(%error, "a damaged group of refusals is forgotten"),
        }
    }
    for (id, trouble) in &coarser {
        add(connection, id, trouble).await?;
    }
    Ok(())
}

/// The same groups as one, by id.
fn collect_into(groups: &mut BTreeMap<String, Trouble>, Trouble { group, seen }: Trouble) {
    match groups.entry(id_of(&group)) {
        Entry::Occupied(mut there) => there.get_mut().seen.add(seen),
        Entry::Vacant(free) => drop(free.insert(Trouble { group, seen })),
    }
}

/// 32 hexadecimal digits of a hash over the group, each field with its length before it.
fn id_of(group: &Group) -> String {
    let mut hasher = Sha256::new();
    let mut field = |text: &str| {
        hasher.update(text.len().to_be_bytes());
        hasher.update(text);
    };
    field(project(group));
    field(&group.key.map(|key| key.to_string()).unwrap_or_default());
    field(group.cause.as_str());
    if let Some(Source { address, agent, service }) = &group.source {
        field(&address.to_string());
        field(agent.as_deref().unwrap_or_default());
        field(service.as_deref().unwrap_or_default());
    }
    hexadecimal(&hasher.finalize()[..16])
}

/// The text of a group's project.
fn project(group: &Group) -> &str {
    group.project.as_ref().map_or("", Slug::as_str)
}

/// The pattern that finds `text` anywhere.
fn pattern(text: &str) -> String {
    let mut pattern = "%".to_owned();
    for character in text.chars() {
        if matches!(character, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(character.to_ascii_lowercase());
    }
    pattern + "%"
}

/// The place of a group in the list: its latest export, and its id.
fn position(text: &str) -> Option<(i64, String)> {
    let (last_at, id) = text.split_once('.')?;
    let is_id = id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_id.then_some((last_at.parse().ok()?, id.to_owned()))
}

fn refused(row: &AnyRow) -> Result<Refused, CatalogError> {
    let trouble = trouble(row)?;
    let row = Reader::new(row, "refusals", &["id"]);
    let key = match row.get::<Option<&str>>("key_name")? {
        None => None,
        Some(name) => Some(RefusedKey {
            name: name.to_owned(),
            project: row.optional("key_project")?,
            grid: row.optional("key_grid")?,
            environment: row.optional("key_environment")?,
        }),
    };
    let likely_service = row.get::<Option<&str>>("likely_service")?.map(str::to_owned);
    Ok(Refused { id: row.get("id")?, trouble, key, likely_service })
}

fn trouble(row: &AnyRow) -> Result<Trouble, CatalogError> {
    let row = Reader::new(row, "refusals", &["id"]);
    let text = |column| row.get::<&str>(column).map(|text| (!text.is_empty()).then(|| Box::<str>::from(text)));
    let bits = |column: &str| u8::try_from(row.get::<i64>(column)?).map_err(|_| row.damaged(column, "out of range"));
    let (agent, service) = (text("agent")?, text("service")?);
    let source = parsed(&row, "address")?.map(|address| Source { address, agent, service });
    Ok(Trouble {
        group: Group {
            project: parsed(&row, "project")?,
            key: parsed(&row, "key_id")?,
            cause: row.parsed("reason")?,
            source,
        },
        seen: Seen {
            first_at: row.time("first_at")?,
            last_at: row.time("last_at")?,
            exports: row.count("exports")?,
            detail: text("detail")?,
            signals: Signals::from_bits(bits("signals")?),
            transports: Transports::from_bits(bits("transports")?),
        },
    })
}

/// The value of a column, or `None` where it is the empty text.
fn parsed<T: FromStr<Err: Display>>(row: &Reader<'_>, column: &str) -> Result<Option<T>, CatalogError> {
    if row.get::<&str>(column)?.is_empty() { Ok(None) } else { row.parsed(column).map(Some) }
}
