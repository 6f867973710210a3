//! Who uses which key, as it is written down.

use std::collections::BTreeSet;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, query};

use super::rows::Reader;
use super::store::{Store, collect};
use super::{CatalogError, Page, Paging, cursor};
use crate::domain::id::KEY_ID_LENGTH;
use crate::domain::sender::{MAX_SENDERS, OtherSenders, Seen, SeenSender, Sender};
use crate::domain::{KeyId, Slug, Timestamp};

/// What the catalog keeps of those who use keys. Nothing of it is audited: it is no change.
#[async_trait]
pub trait SenderBook {
    /// Adds to what is known of senders, all or nothing. What several nodes write is summed up, the earliest sight stays the first, and
    /// the latest the last. Of one key the [`MAX_SENDERS`] that were seen last stay; what the rest did is kept as that of others. Keys
    /// that are gone are passed over.
    async fn record_senders(&self, seen: &[SeenSender], others: &[(KeyId, OtherSenders)]) -> Result<(), CatalogError>;

    /// The senders of a key, those that were seen last first, and what is left of the others.
    async fn senders_of(&self, key: &KeyId) -> Result<(Vec<SeenSender>, OtherSenders), CatalogError>;

    /// Senders that pass the filter, those that were first seen last first. [`CatalogError::Cursor`] for a bad position.
    async fn senders(&self, filter: &SenderFilter, paging: &Paging) -> Result<Page<ListedSender>, CatalogError>;

    /// Forgets the senders that were last seen before `before`, and says how many there were.
    async fn forget_senders(&self, before: Timestamp) -> Result<u64, CatalogError>;
}

/// Which senders. `None`: any.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SenderFilter {
    /// Those of keys of this project.
    pub project: Option<Slug>,
    /// Those with this `service.name`.
    pub service: Option<String>,
    /// Those with this version of a secret.
    pub secret_version: Option<u32>,
    /// Those that were seen at this instant or later.
    pub since: Option<Timestamp>,
}

/// A sender in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedSender {
    /// Who it is, and when it was seen.
    pub seen: SeenSender,
    /// The name of its key.
    pub key_name: String,
    /// Whether several services are known of its key.
    pub shared: bool,
}

macro_rules! columns {
    () => {
        "s.key_id,
             s.id,
             s.project,
             s.secret_version,
             s.service,
             s.host,
             s.sdk,
             s.agent,
             s.address,
             s.first_at,
             s.last_at,
             s.accepted_at,
             s.exports,
             s.refused"
    };
}

/// The `$8` senders of a list behind the position `$2`, `$3`, `$4`, each with how many services are known of its key.
macro_rules! select_senders {
    ($which:expr) => {
        concat!(
            "SELECT
             ",
            columns!(),
            ",
             k.name AS key_name,
             (
                 SELECT COUNT(DISTINCT o.service) FROM senders AS o WHERE o.key_id = s.key_id
             ) AS services
         FROM senders AS s
         JOIN keys AS k ON k.id = s.key_id
         WHERE ",
            $which,
            "
             AND (s.first_at, s.key_id, s.id) < ($2, $3, $4)
             AND ($5 IS NULL OR s.service = $5)
             AND ($6 IS NULL OR s.secret_version = $6)
             AND ($7 IS NULL OR s.last_at >= $7)
         ORDER BY s.first_at DESC, s.key_id DESC, s.id DESC
         LIMIT $8"
        )
    };
}

#[async_trait]
impl SenderBook for Store {
    async fn record_senders(&self, seen: &[SeenSender], others: &[(KeyId, OtherSenders)]) -> Result<(), CatalogError> {
        self.bounded(async {
            let mut transaction = self.pool.begin_with(self.dialect.begin_write()).await?;
            // Ordered by key and id, so that two nodes do not wait for each other.
            let mut rows: Vec<_> = seen.iter().map(|one| (one.sender.key, one.sender.id(), one)).collect();
            rows.sort_unstable_by(|one, next| (one.0, &one.1).cmp(&(next.0, &next.1)));
            for (_, id, one) in &rows {
                add(&mut transaction, id, one).await?;
            }
            let mut others: Vec<_> = others.to_vec();
            let keys: BTreeSet<KeyId> = seen.iter().map(|one| one.sender.key).collect();
            for key in keys {
                let gone = trim(&mut transaction, &key).await?;
                others.extend((gone.senders > 0).then_some((key, gone)));
            }
            others.sort_unstable_by_key(|(key, _)| *key);
            for (key, more) in &others {
                add_others(&mut transaction, key, more).await?;
            }
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn senders_of(&self, key: &KeyId) -> Result<(Vec<SeenSender>, OtherSenders), CatalogError> {
        let select = query(concat!(
            "SELECT ",
            columns!(),
            " FROM senders AS s WHERE s.key_id = $1 ORDER BY s.last_at DESC, s.id"
        ));
        let others = query("SELECT key_id, senders, exports, refused, last_at FROM other_senders WHERE key_id = $1");
        self.bounded(async {
            let senders = collect(&select.bind(key.to_string()).fetch_all(&self.pool).await?, sender)?;
            let others = others.bind(key.to_string()).fetch_optional(&self.pool).await?;
            Ok((senders, others.as_ref().map(other_senders).transpose()?.unwrap_or_default()))
        })
        .await
    }

    async fn senders(&self, filter: &SenderFilter, paging: &Paging) -> Result<Page<ListedSender>, CatalogError> {
        let after = paging.after.as_deref().map(|text| position(text).ok_or(CatalogError::Cursor)).transpose()?;
        let (at, key, id) = after.unwrap_or((Timestamp::from_micros(i64::MAX), String::new(), String::new()));
        let text = match filter.project {
            Some(_) => select_senders!("s.project = $1"),
            // The parameter has to stand somewhere.
            None => select_senders!("$1 IS NULL"),
        };
        let select = query(text)
            .bind(filter.project.as_ref().map(Slug::as_str))
            .bind(at.micros())
            .bind(key)
            .bind(id)
            .bind(filter.service.as_deref())
            .bind(filter.secret_version.map(i64::from))
            .bind(filter.since.map(Timestamp::micros))
            .bind(cursor::rows_to_read(paging));
        self.bounded(async {
            let listed = collect(&select.fetch_all(&self.pool).await?, listed)?;
            Ok(cursor::page(listed, paging, place))
        })
        .await
    }

    async fn forget_senders(&self, before: Timestamp) -> Result<u64, CatalogError> {
        let senders = query("DELETE FROM senders WHERE last_at < $1").bind(before.micros());
        let others = query("DELETE FROM other_senders WHERE last_at < $1").bind(before.micros());
        self.bounded(async {
            let forgotten = senders.execute(&self.pool).await?.rows_affected();
            others.execute(&self.pool).await?;
            Ok(forgotten)
        })
        .await
    }
}

/// Adds what was seen of one sender.
async fn add(connection: &mut AnyConnection, id: &str, one: &SeenSender) -> Result<(), CatalogError> {
    let SeenSender { project, sender, seen } = one;
    let insert = query(
        "INSERT INTO senders (
             key_id,
             id,
             project,
             secret_version,
             service,
             host,
             sdk,
             agent,
             address,
             first_at,
             last_at,
             accepted_at,
             exports,
             refused
         )
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14
         WHERE EXISTS (SELECT 1 FROM keys WHERE keys.id = $1)
         ON CONFLICT (key_id, id) DO UPDATE
         SET first_at = CASE WHEN senders.first_at < $10 THEN senders.first_at ELSE $10 END,
             last_at = CASE WHEN senders.last_at > $11 THEN senders.last_at ELSE $11 END,
             accepted_at = CASE
                 WHEN $12 IS NULL OR senders.accepted_at > $12 THEN senders.accepted_at
                 ELSE $12
             END,
             exports = senders.exports + $13,
             refused = senders.refused + $14",
    )
    .bind(sender.key.to_string())
    .bind(id)
    .bind(project.as_str())
    .bind(i64::from(sender.secret_version))
    .bind(sender.service.as_deref())
    .bind(sender.host.as_deref())
    .bind(sender.sdk.as_deref())
    .bind(sender.agent.as_deref())
    .bind(sender.address.to_string())
    .bind(seen.first_at.micros())
    .bind(seen.last_at.micros())
    .bind(seen.accepted_at.map(Timestamp::micros))
    .bind(seen.exports.cast_signed())
    .bind(seen.refused.cast_signed());
    insert.execute(connection).await?;
    Ok(())
}

/// Takes those senders of `key` away that are too many, and tells what they did.
async fn trim(connection: &mut AnyConnection, key: &KeyId) -> Result<OtherSenders, CatalogError> {
    let delete = query(
        "DELETE FROM senders
         WHERE key_id = $1
             AND id IN (SELECT id FROM senders WHERE key_id = $1 ORDER BY last_at DESC, id LIMIT $3 OFFSET $2)
         RETURNING key_id, first_at, last_at, accepted_at, exports, refused",
    )
    .bind(key.to_string())
    .bind(i64::try_from(MAX_SENDERS).unwrap_or(i64::MAX))
    .bind(i64::MAX);
    let mut others = OtherSenders::default();
    for row in &delete.fetch_all(connection).await? {
        others = others.with(&seen(&Reader::new(row, "senders", &["key_id"]))?);
    }
    Ok(others)
}

async fn add_others(connection: &mut AnyConnection, key: &KeyId, more: &OtherSenders) -> Result<(), CatalogError> {
    let insert = query(
        "INSERT INTO other_senders (key_id, senders, exports, refused, last_at)
         SELECT $1, $2, $3, $4, $5
         WHERE EXISTS (SELECT 1 FROM keys WHERE keys.id = $1)
         ON CONFLICT (key_id) DO UPDATE
         SET senders = other_senders.senders + $2,
             exports = other_senders.exports + $3,
             refused = other_senders.refused + $4,
             last_at = CASE WHEN other_senders.last_at > $5 THEN other_senders.last_at ELSE $5 END",
    )
    .bind(key.to_string())
    .bind(more.senders.cast_signed())
    .bind(more.exports.cast_signed())
    .bind(more.refused.cast_signed())
    .bind(more.last_at.map_or(0, Timestamp::micros));
    insert.execute(connection).await?;
    Ok(())
}

/// Forgets who used a key that is erased.
pub(super) async fn erase(connection: &mut AnyConnection, key: &KeyId) -> Result<(), CatalogError> {
    query("DELETE FROM senders WHERE key_id = $1").bind(key.to_string()).execute(&mut *connection).await?;
    query("DELETE FROM other_senders WHERE key_id = $1").bind(key.to_string()).execute(connection).await?;
    Ok(())
}

pub(super) fn sender(row: &AnyRow) -> Result<SeenSender, CatalogError> {
    let row = Reader::new(row, "senders", &["key_id", "id"]);
    let text = |column| row.get::<Option<&str>>(column).map(|text| text.map(Into::into));
    let sender = Sender {
        key: row.parsed("key_id")?,
        secret_version: row.number("secret_version")?,
        service: text("service")?,
        host: text("host")?,
        sdk: text("sdk")?,
        agent: row.get("agent")?,
        address: row.parsed("address")?,
    };
    Ok(SeenSender { project: row.parsed("project")?, sender, seen: seen(&row)? })
}

fn seen(row: &Reader<'_>) -> Result<Seen, CatalogError> {
    Ok(Seen {
        first_at: row.time("first_at")?,
        last_at: row.time("last_at")?,
        accepted_at: row.optional_time("accepted_at")?,
        exports: row.count("exports")?,
        refused: row.count("refused")?,
    })
}

fn other_senders(row: &AnyRow) -> Result<OtherSenders, CatalogError> {
    let row = Reader::new(row, "other_senders", &["key_id"]);
    Ok(OtherSenders {
        senders: row.count("senders")?,
        exports: row.count("exports")?,
        refused: row.count("refused")?,
        last_at: Some(row.time("last_at")?),
    })
}

fn listed(row: &AnyRow) -> Result<ListedSender, CatalogError> {
    let seen = sender(row)?;
    let row = Reader::new(row, "senders", &["key_id", "id"]);
    Ok(ListedSender { seen, key_name: row.get("key_name")?, shared: row.count("services")? > 1 })
}

/// The position of a sender in a list, and back.
fn place(listed: &ListedSender) -> String {
    let SeenSender { sender, seen, .. } = &listed.seen;
    BASE64.encode(format!("{}{}{}", sender.key, sender.id(), seen.first_at.micros()))
}

fn position(text: &str) -> Option<(Timestamp, String, String)> {
    let text = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
    let (key, rest) = text.split_at_checked("key_".len() + KEY_ID_LENGTH)?;
    let (id, micros) = rest.split_at_checked(ID_LENGTH)?;
    let key: KeyId = key.parse().ok()?;
    let is_id = id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then_some((Timestamp::from_micros(micros.parse().ok()?), key.to_string(), id.to_owned()))
}

/// The length of [`Sender::id`].
const ID_LENGTH: usize = 32;
