//! The request log at rest: single exports, for as long as they are kept.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, query};

use super::keys::bound;
use super::keys::list::{Statement, Value};
use super::rows::Reader;
use super::store::{Store, collect};
use super::{CatalogError, Page, Paging, cursor};
use crate::domain::request::{Ended, Ending, Outcome, RequestFilter};
use crate::domain::{Origin, Reason, RecordId, Signal, Slug, Tenant, Timestamp, Transport};

/// What the catalog keeps of single exports.
#[async_trait]
pub trait RequestLog {
    /// Writes exports down, all or none. One whose id is there already is left as it is, so that a repetition changes nothing.
    async fn record_requests(&self, requests: &[(RecordId, Arc<Ended>)]) -> Result<(), CatalogError>;

    /// Adds to the numbers of exports that were not remembered, by the first instant of their minute and by project; `None`: nobody
    /// proved whose they were.
    async fn record_not_logged(&self, counts: &[(Timestamp, Option<Slug>, u64)]) -> Result<(), CatalogError>;

    /// Exports, newest first. [`CatalogError::Cursor`] for a bad position.
    async fn requests(&self, filter: &RequestFilter, paging: &Paging) -> Result<Page<Logged>, CatalogError>;

    /// How many exports were not remembered, of `project` or of all, in the minutes that begin from `from` on and before `to`.
    async fn not_logged(
        &self,
        project: Option<&Slug>,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<u64, CatalogError>;

    /// How many exports each has; `None`: those of which nobody proved whose they are.
    async fn request_counts(&self) -> Result<BTreeMap<Option<Slug>, u64>, CatalogError>;

    /// Takes away the oldest exports that arrived before `before`, `limit` at most, and returns how many it were.
    async fn forget_requests(&self, whose: &Whose, before: Timestamp, limit: u32) -> Result<u64, CatalogError>;

    /// Takes away the numbers of exports that were not remembered in minutes before `before`.
    async fn forget_not_logged(&self, before: Timestamp) -> Result<(), CatalogError>;
}

/// An export in the request log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Logged {
    /// 32 hexadecimal digits.
    pub id: String,
    /// The export.
    pub ended: Ended,
}

/// Of whom exports are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whose {
    /// Of anybody.
    All,
    /// Of nobody, as far as was proved.
    Nobody,
    /// Of a project.
    Project(Slug),
}

/// The statement that reads the `rows` exports behind `after` of those that pass `filter`, newest first. It is public so that its
/// plans can be read.
#[must_use]
pub fn statement(filter: &RequestFilter, after: Option<&(i64, String)>, rows: i64) -> Statement {
    let mut build = Build::default();
    build.equal("project", filter.project.as_ref());
    build.equal("grid", filter.grid.as_ref());
    build.equal("environment", filter.environment.as_ref());
    build.equal("key_id", filter.key.as_ref());
    build.equal("signal", filter.signal.as_ref());
    build.equal("outcome", filter.outcome.map(Outcome::as_str));
    build.equal("reason", filter.reason.map(Reason::as_str));
    build.equal("address", filter.address.as_ref());
    build.equal("service", filter.service.as_ref());
    let least = filter.min_latency.map(|least| i64::try_from(least.as_micros()).unwrap_or(i64::MAX));
    build.compare("took >=", least);
    build.compare("at >=", filter.from.map(Timestamp::micros));
    let to = filter.to.map(Timestamp::micros);
    // SQLite goes by one of two bounds on the same side, and not always by the better one.
    if let Some((at, id)) = after.filter(|(at, _)| to.is_none_or(|to| *at < to)) {
        let (at, id) = (build.bind(Value::Integer(*at)), build.bind(Value::Text(id.clone())));
        build.conditions.push(format!("(at, id) < ({at}, {id})"));
    } else {
        build.compare("at <", to);
    }
    let rows = build.bind(Value::Integer(rows));
    let conditions = build.conditions.join(" AND ");
    let filtered = if conditions.is_empty() { String::new() } else { format!("WHERE {conditions}") };
    let sql = format!("{SELECT} {filtered} ORDER BY at DESC, id DESC LIMIT {rows}");
    Statement { sql, values: build.values }
}

const SELECT: &str = "SELECT
     id, at, took, transport, signal, project, grid, environment, key_id, secret_version, outcome, reason, detail, items,
     wire_bytes, bytes, address, agent, service, host, deployment
 FROM requests";

/// A statement in the making.
#[derive(Default)]
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

    fn equal(&mut self, column: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            let value = self.bind(Value::Text(storable(&value.to_string())));
            self.conditions.push(format!("{column} = {value}"));
        }
    }

    fn compare(&mut self, what: &str, value: Option<i64>) {
        if let Some(value) = value {
            let value = self.bind(Value::Integer(value));
            self.conditions.push(format!("{what} {value}"));
        }
    }
}

/// Takes the oldest `$2` exports away of which `$which` is true.
macro_rules! forget {
    ($which:literal) => {
        concat!(
            "DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE ",
            $which,
            " ORDER BY at, id LIMIT $2)"
        )
    };
}
#[async_trait]
impl RequestLog for Store {
    async fn record_requests(&self, requests: &[(RecordId, Arc<Ended>)]) -> Result<(), CatalogError> {
        self.bounded(async {
            let mut transaction = self.pool.begin_with(self.dialect.begin_write()).await?;
            for (id, ended) in requests {
                insert(&mut transaction, id, ended).await?;
            }
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn record_not_logged(&self, counts: &[(Timestamp, Option<Slug>, u64)]) -> Result<(), CatalogError> {
        self.bounded(async {
            let mut transaction = self.pool.begin_with(self.dialect.begin_write()).await?;
            for (minute, project, exports) in counts {
                let upsert = query(
                    "INSERT INTO requests_not_logged (minute, project, exports) VALUES ($1, $2, $3)
                     ON CONFLICT (minute, project)
                     DO UPDATE SET exports = requests_not_logged.exports + excluded.exports",
                )
                .bind(minute.micros())
                .bind(project.as_ref().map_or("", Slug::as_str))
                .bind(count(*exports));
                upsert.execute(&mut *transaction).await?;
            }
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn requests(&self, filter: &RequestFilter, paging: &Paging) -> Result<Page<Logged>, CatalogError> {
        let after = paging.after.as_deref().map(position).transpose()?;
        let select = bound(statement(filter, after.as_ref(), cursor::rows_to_read(paging)));
        self.bounded(async {
            let logged = collect(&select.fetch_all(&self.pool).await?, logged)?;
            Ok(cursor::page(logged, paging, |one| format!("{}.{}", one.ended.at.micros(), one.id)))
        })
        .await
    }

    async fn not_logged(
        &self,
        project: Option<&Slug>,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<u64, CatalogError> {
        let select = query(
            "SELECT CAST(COALESCE(SUM(exports), 0) AS BIGINT) AS exports
             FROM requests_not_logged
             WHERE minute >= $1 AND minute < $2 AND ($3 IS NULL OR project = $3)",
        )
        .bind(from.map_or(i64::MIN, Timestamp::micros))
        .bind(to.map_or(i64::MAX, Timestamp::micros))
        .bind(project.map(Slug::as_str));
        self.bounded(async {
            Reader::new(&select.fetch_one(&self.pool).await?, "requests_not_logged", &[]).count("exports")
        })
        .await
    }

    async fn request_counts(&self) -> Result<BTreeMap<Option<Slug>, u64>, CatalogError> {
        let select = query("SELECT project, COUNT(*) AS exports FROM requests GROUP BY project");
        self.bounded(async {
            let rows = select.fetch_all(&self.pool).await?;
            rows.iter()
                .map(|row| Reader::new(row, "requests", &["project"]))
                .map(|row| Ok((project(&row)?, row.count("exports")?)))
                .collect()
        })
        .await
    }

    async fn forget_requests(&self, whose: &Whose, before: Timestamp, limit: u32) -> Result<u64, CatalogError> {
        let delete = match whose {
            Whose::All => query(forget!("at < $1")),
            Whose::Nobody | Whose::Project(_) => query(forget!("project = $3 AND at < $1")),
        };
        let delete = delete.bind(before.micros()).bind(i64::from(limit));
        let delete = match whose {
            Whose::All => delete,
            Whose::Nobody => delete.bind(""),
            Whose::Project(project) => delete.bind(project.as_str()),
        };
        self.bounded(async { Ok(delete.execute(&self.pool).await?.rows_affected()) }).await
    }

    async fn forget_not_logged(&self, before: Timestamp) -> Result<(), CatalogError> {
        let delete = query("DELETE FROM requests_not_logged WHERE minute < $1").bind(before.micros());
        self.bounded(async { Ok(delete.execute(&self.pool).await.map(drop)?) }).await
    }
}

async fn insert(connection: &mut AnyConnection, id: &RecordId, ended: &Ended) -> Result<(), CatalogError> {
    let tenant = ended.tenant.as_deref();
    let detail = match &ended.ending {
        Ending::Refused { detail, .. } => detail.as_deref(),
        Ending::Accepted | Ending::Gone => None,
    };
    let text = |text: Option<&str>| text.map(storable);
    let insert = query(
        "INSERT INTO requests (
             id,
             at,
             took,
             transport,
             signal,
             project,
             grid,
             environment,
             key_id,
             secret_version,
             outcome,
             reason,
             detail,
             items,
             wire_bytes,
             bytes,
             address,
             agent,
             service,
             host,
             deployment
         ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(id.to_string())
    .bind(ended.at.micros())
    .bind(i64::try_from(ended.took.as_micros()).unwrap_or(i64::MAX))
    .bind(ended.transport.as_str())
    .bind(ended.signal.map(Signal::as_str))
    .bind(tenant.map_or("", |tenant| tenant.project.as_str()))
    .bind(tenant.map(|tenant| tenant.grid.as_str()))
    .bind(tenant.map(|tenant| tenant.environment.as_str()))
    .bind(ended.key.map(|key| key.to_string()))
    .bind(ended.secret_version.map(i64::from))
    .bind(ended.ending.outcome().as_str())
    .bind(ended.ending.reason().map(Reason::as_str))
    .bind(text(detail))
    .bind(ended.items.map(count))
    .bind(ended.wire_bytes.map(count))
    .bind(ended.bytes.map(count))
    .bind(ended.address.to_string())
    .bind(text(ended.agent.as_deref()))
    .bind(text(ended.origin.service.as_deref()))
    .bind(text(ended.origin.host.as_deref()))
    .bind(text(ended.origin.environment.as_deref()));
    insert.execute(connection).await?;
    Ok(())
}

/// PostgreSQL has no text with a zero in it.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A position: the instant, a dot, and the id.
fn position(text: &str) -> Result<(i64, String), CatalogError> {
    let (at, id) = text.split_once('.').ok_or(CatalogError::Cursor)?;
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let at = at.parse().ok().filter(|_| is_id).ok_or(CatalogError::Cursor)?;
    Ok((at, id.to_owned()))
}

fn logged(row: &AnyRow) -> Result<Logged, CatalogError> {
    let row = Reader::new(row, "requests", &["id"]);
    let transport = row.get::<&str>("transport")?;
    let transport = Transport::ALL.into_iter().find(|one| one.as_str() == transport);
    let tenant = match (project(&row)?, row.optional("grid")?, row.optional("environment")?) {
        (Some(project), Some(grid), Some(environment)) => Some(Arc::new(Tenant { project, grid, environment })),
        (None, None, None) => None,
        _ => return Err(row.damaged("project", "project, grid and environment do not fit together")),
    };
    let text = |column| Ok::<_, CatalogError>(row.get::<Option<&str>>(column)?.map(Box::from));
    Ok(Logged {
        id: row.get("id")?,
        ended: Ended {
            at: row.time("at")?,
            took: row.optional_span("took")?.unwrap_or_default(),
            transport: transport.ok_or_else(|| row.damaged("transport", "there is no such transport"))?,
            signal: row.optional("signal")?,
            address: row.parsed::<IpAddr>("address")?,
            agent: row.get("agent")?,
            key: row.optional("key_id")?,
            secret_version: row.optional_number("secret_version")?,
            tenant,
            items: row.optional_count("items")?,
            wire_bytes: row.optional_count("wire_bytes")?,
            bytes: row.optional_count("bytes")?,
            origin: Origin {
                service: text("service")?,
                host: text("host")?,
                environment: text("deployment")?,
                ..Origin::default()
            },
            ending: ending(&row)?,
        },
    })
}

fn ending(row: &Reader<'_>) -> Result<Ending, CatalogError> {
    match (row.get::<&str>("outcome")?, row.get::<Option<&str>>("reason")?) {
        ("accepted", None) => Ok(Ending::Accepted),
        ("gone", None) => Ok(Ending::Gone),
        ("refused", Some(label)) => {
            let reason = Reason::ALL.iter().find(|reason| reason.as_str() == label);
            let reason = *reason.ok_or_else(|| row.damaged("reason", "there is no such reason"))?;
            Ok(Ending::Refused { reason, detail: row.get("detail")? })
        }
        _ => Err(row.damaged("outcome", "outcome and reason do not fit together")),
    }
}

/// None is kept as the empty text.
fn project(row: &Reader<'_>) -> Result<Option<Slug>, CatalogError> {
    if row.get::<&str>("project")?.is_empty() { Ok(None) } else { row.parsed("project").map(Some) }
}
