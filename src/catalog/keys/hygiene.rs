//! Rotation hygiene: reviews, and which notices about a key have been given.

use async_trait::async_trait;
use sqlx::any::AnyRow;
use sqlx::query;

use super::read::select_keys;
use crate::catalog::rows::{self, Reader};
use crate::catalog::store::{Store, collect, wrote_one};
use crate::catalog::webhooks::insert_delivery;
use crate::catalog::{CatalogError, Page, Paging, cursor};
use crate::domain::hygiene::Flag;
use crate::domain::webhook::Delivery;
use crate::domain::{Key, KeyId, Slug, Timestamp};

/// What the catalog keeps for keys to stay in good order.
#[async_trait]
pub trait Hygiene {
    /// Keys of `project` (`None`: all) that are not revoked, with their secrets, by id. [`CatalogError::Cursor`] for a bad position.
    async fn living_keys(&self, project: Option<&Slug>, paging: &Paging) -> Result<Page<Key>, CatalogError>;

    /// The latest review from `begin` until before `end` of each key on the same page of [`Hygiene::living_keys`].
    async fn reviews(
        &self,
        project: Option<&Slug>,
        paging: &Paging,
        begin: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<Review>, CatalogError>;

    /// The notices that have been given about keys behind `after` and up to `until` (`None`: from the first, to the last).
    async fn notices(&self, after: Option<&KeyId>, until: Option<&KeyId>) -> Result<Vec<(KeyId, Flag)>, CatalogError>;

    /// Writes notices down, each with its deliveries unless it has been given already, and takes those away whose cause is gone;
    /// all or nothing.
    async fn write_notices(&self, given: &[Notice], gone: &[(KeyId, Flag)], now: Timestamp)
    -> Result<(), CatalogError>;
}

/// Something about a key that somebody should hear of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// The key.
    pub key: KeyId,
    /// What it is.
    pub flag: Flag,
    /// The messages that tell of it.
    pub deliveries: Vec<Delivery>,
}

/// That somebody confirmed that a key is still needed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Review {
    /// The key.
    pub key: KeyId,
    /// When it was.
    pub at: Timestamp,
    /// The admin key that did it.
    pub by: Option<String>,
    /// That key's name at that time.
    pub by_name: String,
}

/// The keys of a page: `$1` is the id before it, `$2` the number of rows, `$3` the project where there is one.
macro_rules! living {
    () => {
        "SELECT * FROM keys WHERE id > $1 AND revoked_at IS NULL ORDER BY id LIMIT $2"
    };
    (of_project) => {
        "SELECT * FROM keys WHERE project = $3 AND id > $1 AND revoked_at IS NULL ORDER BY id LIMIT $2"
    };
}

/// Reviews of the keys of `$page`. SQLite takes the sides of a cross join in their order: the entries of each key of the page, and not
/// those of all keys.
macro_rules! select_reviews {
    ($page:expr) => {
        concat!(
            "SELECT
                 a.target,
                 a.at,
                 a.actor,
                 a.actor_name
             FROM (",
            $page,
            ") AS k
             CROSS JOIN audit AS a
             WHERE a.target_kind = 'key' AND a.target = k.id AND a.action = 'key.reviewed' AND a.at >= $4 AND a.at < $5
             ORDER BY a.target, a.seq DESC"
        )
    };
}

#[async_trait]
impl Hygiene for Store {
    async fn living_keys(&self, project: Option<&Slug>, paging: &Paging) -> Result<Page<Key>, CatalogError> {
        let select = match project {
            None => query(select_keys!(living!())),
            Some(_) => query(select_keys!(living!(of_project))),
        };
        let select = select.bind(after(paging)?).bind(cursor::rows_to_read(paging));
        let select = match project {
            None => select,
            Some(project) => select.bind(project.as_str()),
        };
        self.bounded(async {
            let mut keys = rows::keys(&select.fetch_all(&self.pool).await?)?;
            keys.sort_unstable_by_key(|key| key.id);
            Ok(cursor::page(keys, paging, |key| key.id.to_string()))
        })
        .await
    }

    async fn reviews(
        &self,
        project: Option<&Slug>,
        paging: &Paging,
        begin: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<Review>, CatalogError> {
        let select = match project {
            // The parameter has to stand somewhere.
            None => query(select_reviews!(
                "SELECT * FROM keys WHERE id > $1 AND revoked_at IS NULL AND $3 IS NULL ORDER BY id LIMIT $2"
            )),
            Some(_) => query(select_reviews!(living!(of_project))),
        };
        let select = select
            .bind(after(paging)?)
            .bind(cursor::rows_to_read(paging))
            .bind(project.map(Slug::as_str))
            .bind(begin.micros())
            .bind(end.micros());
        self.bounded(async {
            let mut reviews = collect(&select.fetch_all(&self.pool).await?, review)?;
            // The latest of each stands first.
            reviews.dedup_by_key(|review| review.key);
            Ok(reviews)
        })
        .await
    }

    async fn notices(&self, after: Option<&KeyId>, until: Option<&KeyId>) -> Result<Vec<(KeyId, Flag)>, CatalogError> {
        let select = query(
            "SELECT key_id, cause FROM notices WHERE key_id > $1 AND ($2 IS NULL OR key_id <= $2) ORDER BY key_id, cause",
        )
        .bind(after.map(KeyId::to_string).unwrap_or_default())
        .bind(until.map(KeyId::to_string));
        self.bounded(async {
            let notice = |row: &AnyRow| {
                let row = Reader::new(row, "notices", &["key_id", "cause"]);
                Ok((row.parsed("key_id")?, row.parsed("cause")?))
            };
            collect(&select.fetch_all(&self.pool).await?, notice)
        })
        .await
    }

    async fn write_notices(
        &self,
        given: &[Notice],
        gone: &[(KeyId, Flag)],
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        self.bounded(async {
            let mut transaction = self.pool.begin_with(self.dialect.begin_write()).await?;
            for (key, flag) in gone {
                let delete = query("DELETE FROM notices WHERE key_id = $1 AND cause = $2");
                delete.bind(key.to_string()).bind(flag.as_str()).execute(&mut *transaction).await?;
            }
            for Notice { key, flag, deliveries } in given {
                let insert = query(
                    "INSERT INTO notices (key_id, cause, noticed_at)
                     VALUES ($1, $2, $3)
                     ON CONFLICT (key_id, cause) DO NOTHING",
                );
                let insert = insert.bind(key.to_string()).bind(flag.as_str()).bind(now.micros());
                let rows = insert.execute(&mut *transaction).await?.rows_affected();
                if rows == 0 {
                    // Another node was faster, and tells of it.
                    continue;
                }
                wrote_one(rows)?;
                for delivery in deliveries {
                    insert_delivery(&mut transaction, delivery).await?;
                }
            }
            Ok(transaction.commit().await?)
        })
        .await
    }
}

/// The id before a page: the empty text, which sorts before every id, at the start.
fn after(paging: &Paging) -> Result<String, CatalogError> {
    match &paging.after {
        None => Ok(String::new()),
        Some(text) => Ok(text.parse::<KeyId>().map_err(|_| CatalogError::Cursor)?.to_string()),
    }
}

fn review(row: &AnyRow) -> Result<Review, CatalogError> {
    let row = Reader::new(row, "audit", &["target"]);
    Ok(Review {
        key: row.parsed("target")?,
        at: row.time("at")?,
        by: row.get("actor")?,
        by_name: row.get("actor_name")?,
    })
}
