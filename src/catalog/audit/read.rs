//! Reading the audit log, and verifying its chain.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::query;

use super::{EntryHash, Link, head};
use crate::catalog::rows::Reader;
use crate::catalog::store::Store;
use crate::catalog::{CatalogError, Page, Paging, cursor};
use crate::domain::audit::{Action, TargetKind};
use crate::domain::{KeyId, Slug, Timestamp};

/// An entry of the audit log. Its texts are shown as they are stored: what does not belong there is for the eye to see, and for
/// verification to find.
#[derive(Clone, PartialEq, Debug)]
pub struct AuditEntry {
    /// Counts the entries, from 1.
    pub seq: u64,
    /// When it was done.
    pub at: Timestamp,
    /// What was done.
    pub action: String,
    /// The admin key that did it; `None` where it was done otherwise.
    pub actor: Option<String>,
    /// The admin key's name at that time, or what of Gridgate it was.
    pub actor_name: String,
    /// By which way.
    pub via: String,
    /// From which address.
    pub address: Option<String>,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// The request.
    pub request_id: Option<String>,
    /// The kind of the thing that it was done to.
    pub target_kind: String,
    /// The thing's name among those of its kind.
    pub target: String,
    /// The project that the thing belongs to; `None`: the installation.
    pub project: Option<String>,
    /// The fields that changed, as they were.
    pub before: Option<Value>,
    /// The fields that changed, as they are since.
    pub after: Option<Value>,
    /// Its hash, over all of it and the hash before.
    pub hash: EntryHash,
}

/// Which entries to list. Absent means: all.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AuditFilter {
    /// Only what was done to things of this project.
    pub project: Option<Slug>,
    /// Only what this admin key did.
    pub actor: Option<KeyId>,
    /// Only what was done to this thing.
    pub target: Option<(TargetKind, String)>,
    /// Only this.
    pub action: Option<Action>,
    /// Only what was done at this instant or later.
    pub since: Option<Timestamp>,
    /// Only what was done before this instant.
    pub until: Option<Timestamp>,
}

/// The end of the chain at a moment: who keeps it finds out later whether what came before was changed or taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditHead {
    /// The number of the last entry; 0 before the first.
    pub seq: u64,
    /// Its hash.
    pub hash: EntryHash,
}

/// The text is not the number of an entry, a colon and a hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an end of the chain is the number of an entry, a colon and its hash")]
pub struct AuditHeadError;

impl FromStr for AuditHead {
    type Err = AuditHeadError;

    fn from_str(text: &str) -> Result<Self, AuditHeadError> {
        let (seq, hash) = text.split_once(':').ok_or(AuditHeadError)?;
        let seq = seq.parse().map_err(|_| AuditHeadError)?;
        Ok(Self { seq, hash: hash.parse().map_err(|_| AuditHeadError)? })
    }
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// What a verification found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditReport {
    /// The end of the chain.
    pub head: AuditHead,
    /// How many entries are good, counted from the first.
    pub entries: u64,
    /// The first entry that is not as it was written, and why.
    pub broken: Option<(u64, Broken)>,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Broken {
    /// It is not there.
    #[error("the entry is missing")]
    Missing,
    /// It was changed, or stands in another's place.
    #[error("the entry's hash does not fit the entry and the one before")]
    Changed,
    /// It has another hash than the one that was noted.
    #[error("the entry has another hash than the one that was noted")]
    Unexpected,
    /// It stands behind the end of the chain.
    #[error("the entry is not part of the chain")]
    Beyond,
    /// It is the last, and the end of the chain says otherwise.
    #[error("the end of the chain has another hash than the last entry")]
    Head,
}

/// What the catalog tells of the audit log. Entries are written together with the changes that they tell of.
#[async_trait]
pub trait Audit {
    /// Entries, newest first. [`CatalogError::Cursor`] for a bad position.
    async fn audit_entries(&self, filter: &AuditFilter, paging: &Paging) -> Result<Page<AuditEntry>, CatalogError>;

    /// The end of the chain.
    async fn audit_head(&self) -> Result<AuditHead, CatalogError>;

    /// Takes each hash of the chain anew, up to its present end. `noted` is an end that was noted earlier, and must be part of it.
    /// Takes as long as there are entries, in many short queries.
    async fn verify_audit(&self, noted: Option<AuditHead>) -> Result<AuditReport, CatalogError>;
}

/// How many entries a verification reads at once.
const BATCH: i64 = 250;

/// What is read of an entry.
macro_rules! columns {
    () => {
        "seq, at, action, actor, actor_name, via, address, user_agent, request_id, target_kind, target, project, before, after, hash"
    };
}

/// Entries of the audit log of which `$which` is true, newest first. Each filter's own index finds them by `$which`; the other
/// filters sort out.
macro_rules! select_entries {
    ($which:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            "
             FROM audit
             WHERE ",
            $which,
            "
                 AND seq < $1
                 AND at >= $2
                 AND at < $3
                 AND ($4 IS NULL OR target_kind = $4)
                 AND ($5 IS NULL OR target = $5)
                 AND ($6 IS NULL OR actor = $6)
                 AND ($7 IS NULL OR action = $7)
                 AND ($8 IS NULL OR project = $8)
             ORDER BY seq DESC
             LIMIT $9"
        )
    };
}

#[async_trait]
impl Audit for Store {
    async fn audit_entries(&self, filter: &AuditFilter, paging: &Paging) -> Result<Page<AuditEntry>, CatalogError> {
        let before = match &paging.after {
            None => i64::MAX,
            Some(text) => text.parse().map_err(|_| CatalogError::Cursor)?,
        };
        let statement = match filter {
            AuditFilter { target: Some(_), .. } => select_entries!("target_kind = $4 AND target = $5"),
            AuditFilter { actor: Some(_), .. } => select_entries!("actor = $6"),
            AuditFilter { action: Some(_), .. } => select_entries!("action = $7"),
            AuditFilter { project: Some(_), .. } => select_entries!("project = $8"),
            _ => select_entries!("seq > 0"),
        };
        let target = filter.target.as_ref();
        let select = query(statement)
            .bind(before)
            .bind(filter.since.map_or(i64::MIN, Timestamp::micros))
            .bind(filter.until.map_or(i64::MAX, Timestamp::micros))
            .bind(target.map(|(kind, _)| kind.as_str()))
            .bind(target.map(|(_, id)| id.as_str()))
            .bind(filter.actor.map(|id| id.to_string()))
            .bind(filter.action.map(Action::as_str))
            .bind(filter.project.as_ref().map(Slug::as_str))
            .bind(cursor::rows_to_read(paging));
        self.bounded(async {
            let rows = select.fetch_all(&self.pool).await?;
            let entries = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
            Ok(cursor::page(entries, paging, |entry| entry.seq.to_string()))
        })
        .await
    }

    async fn audit_head(&self) -> Result<AuditHead, CatalogError> {
        self.bounded(async {
            let row = query("SELECT seq, hash FROM audit_head WHERE id = 1").fetch_one(&self.pool).await?;
            let (seq, hash) = head(&row)?;
            Ok(AuditHead { seq: seq.cast_unsigned(), hash })
        })
        .await
    }

    async fn verify_audit(&self, noted: Option<AuditHead>) -> Result<AuditReport, CatalogError> {
        let mut walk = self.bounded(Walk::begin(self, noted)).await?;
        while walk.broken.is_none() && walk.seq < walk.end {
            let rows = self.bounded(walk.read(self)).await?;
            walk.check(&rows);
        }
        Ok(walk.finish())
    }
}

/// A verification under way.
struct Walk {
    head: AuditHead,
    noted: Option<AuditHead>,
    /// The entry to end with: that of the head, or one that stands beyond it.
    end: i64,
    /// The last entry that is good.
    seq: i64,
    hash: EntryHash,
    broken: Option<(i64, Broken)>,
}

impl Walk {
    /// Reads the ends in one statement: entries that are written from now on are left to the next verification.
    async fn begin(store: &Store, noted: Option<AuditHead>) -> Result<Self, CatalogError> {
        let select = query(
            "SELECT seq, hash, (SELECT MIN(seq) FROM audit) AS first, (SELECT MAX(seq) FROM audit) AS last
             FROM audit_head
             WHERE id = 1",
        );
        let row = select.fetch_one(&store.pool).await?;
        let (seq, hash) = head(&row)?;
        let reader = Reader::new(&row, "audit", &["seq"]);
        let (first, last): (Option<i64>, Option<i64>) = (reader.get("first")?, reader.get("last")?);
        let before = first.filter(|first| *first < 1).map(|first| (first, Broken::Beyond));
        let start = EntryHash::from_bytes([0; 32]);
        let head = AuditHead { seq: seq.cast_unsigned(), hash };
        Ok(Self { head, noted, end: last.unwrap_or(0).max(seq), seq: 0, hash: start, broken: before })
    }

    async fn read(&self, store: &Store) -> Result<Vec<AnyRow>, CatalogError> {
        let select = query(concat!(
            "SELECT ",
            columns!(),
            "
             FROM audit
             WHERE seq > $1 AND seq <= $2
             ORDER BY seq
             LIMIT $3"
        ))
        .bind(self.seq)
        .bind(self.end)
        .bind(BATCH);
        Ok(select.fetch_all(&store.pool).await?)
    }

    /// Goes on through `rows`, of which there are none only where the next entry is missing.
    fn check(&mut self, rows: &[AnyRow]) {
        if rows.is_empty() {
            self.broken = Some((self.seq + 1, Broken::Missing));
        }
        for row in rows {
            let next = self.seq + 1;
            // What cannot even be read was changed.
            let fits = link(row).map(|(link, hash)| (link.seq, link.hash(&self.hash), hash));
            self.broken = match fits {
                Ok((seq, ..)) if seq != next => Some((next, Broken::Missing)),
                Ok(_) if next.cast_unsigned() > self.head.seq => Some((next, Broken::Beyond)),
                Ok((_, taken, stored)) if taken == stored => {
                    self.seq = next;
                    self.hash = stored;
                    self.noted
                        .filter(|noted| noted.seq == next.cast_unsigned() && noted.hash != stored)
                        .map(|_| (next, Broken::Unexpected))
                }
                Ok(_) | Err(_) => Some((next, Broken::Changed)),
            };
            if self.broken.is_some() {
                return;
            }
        }
    }

    fn finish(self) -> AuditReport {
        let broken = self.broken.or_else(|| {
            let noted = self.noted.filter(|noted| noted.seq > self.head.seq);
            let shortened = noted.map(|_| (self.seq + 1, Broken::Missing));
            shortened.or_else(|| (self.hash != self.head.hash).then_some((self.seq, Broken::Head)))
        });
        AuditReport {
            head: self.head,
            entries: self.seq.cast_unsigned(),
            broken: broken.map(|(seq, why)| (seq.max(0).cast_unsigned(), why)),
        }
    }
}

/// An entry as it was hashed, and its hash.
fn link(row: &AnyRow) -> Result<(Link<'_>, EntryHash), CatalogError> {
    let row = Reader::new(row, "audit", &["seq"]);
    let hash: &[u8] = row.get("hash")?;
    let hash = hash.try_into().map_err(|_| row.damaged("hash", "a hash has 32 bytes"))?;
    let link = Link {
        seq: row.get("seq")?,
        at: row.get("at")?,
        action: row.get("action")?,
        actor: row.get("actor")?,
        actor_name: row.get("actor_name")?,
        via: row.get("via")?,
        address: row.get("address")?,
        user_agent: row.get("user_agent")?,
        request_id: row.get("request_id")?,
        target_kind: row.get("target_kind")?,
        target: row.get("target")?,
        project: row.get("project")?,
        before: row.get("before")?,
        after: row.get("after")?,
    };
    Ok((link, EntryHash::from_bytes(hash)))
}

fn entry(row: &AnyRow) -> Result<AuditEntry, CatalogError> {
    let (link, hash) = link(row)?;
    let text = |text: Option<&str>| text.map(str::to_owned);
    let json = |text: Option<&str>| {
        text.map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())))
    };
    Ok(AuditEntry {
        seq: link.seq.cast_unsigned(),
        at: Timestamp::from_micros(link.at),
        action: link.action.to_owned(),
        actor: text(link.actor),
        actor_name: link.actor_name.to_owned(),
        via: link.via.to_owned(),
        address: text(link.address),
        user_agent: text(link.user_agent),
        request_id: text(link.request_id),
        target_kind: link.target_kind.to_owned(),
        target: link.target.to_owned(),
        project: text(link.project),
        before: json(link.before),
        after: json(link.after),
        hash,
    })
}
