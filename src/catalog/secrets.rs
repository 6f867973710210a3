//! Secrets as they are used: whose they are, when they were last used, and which are used no more.

use async_trait::async_trait;
use sqlx::{AnyConnection, query};

use super::CatalogError;
use super::keys::HMAC_SHA_256;
use super::rows::Reader;
use super::store::Store;
use crate::domain::uses::{LastUse, Renewal};
use crate::domain::{Digest, KeyId, Timestamp};

/// What the catalog keeps of secrets in use. Nothing of it is a change of a key: it has no entry in the audit log, and the key keeps
/// its version.
#[async_trait]
pub trait Secrets {
    /// The key with a secret that has one of `digests`, whatever the state of either; of several keys the one whose secret is the
    /// oldest.
    async fn key_of_digest(&self, digests: &[Digest]) -> Result<Option<KeyId>, CatalogError>;

    /// Writes uses down, all or nothing, and puts new digests in the place of old ones. Of the uses that several nodes write the
    /// earliest stays the first, and the latest the last. A secret that is gone is passed over, and so is a digest that is no
    /// longer the secret's.
    async fn record_uses(&self, uses: &[LastUse]) -> Result<(), CatalogError>;

    /// Up to `limit` secrets that are drained at `now` ([`Key::is_drained`]) and still good, by key and version. Where it is not
    /// known what was used at the instant `unknown`, each of them counts as used then.
    ///
    /// [`Key::is_drained`]: crate::domain::Key::is_drained
    async fn drained_secrets(
        &self,
        unknown: Option<Timestamp>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(KeyId, u32)>, CatalogError>;
}

/// The statement that finds the key with a secret that has one of the digests `$1` to `$4`. It is public so that its plan can be read.
pub const KEY_OF_DIGEST: &str = "SELECT key_id, created_at
     FROM secrets
     WHERE digest IN ($1, $2, $3, $4)
     ORDER BY created_at, key_id
     LIMIT 1";

#[async_trait]
impl Secrets for Store {
    async fn key_of_digest(&self, digests: &[Digest]) -> Result<Option<KeyId>, CatalogError> {
        self.bounded(async {
            let mut oldest = None;
            for some in digests.chunks(DIGESTS) {
                let mut select = query(KEY_OF_DIGEST);
                for place in 0..DIGESTS {
                    // Every place has to be filled.
                    select = select.bind(some[place.min(some.len() - 1)].as_bytes().as_slice());
                }
                if let Some(row) = select.fetch_optional(&self.pool).await? {
                    let row = Reader::new(&row, "secrets", &["key_id"]);
                    let found: (Timestamp, KeyId) = (row.time("created_at")?, row.parsed("key_id")?);
                    oldest = Some(oldest.map_or(found, |oldest| found.min(oldest)));
                }
            }
            Ok(oldest.map(|(_, id)| id))
        })
        .await
    }

    async fn record_uses(&self, uses: &[LastUse]) -> Result<(), CatalogError> {
        self.bounded(async {
            let mut transaction = self.pool.begin_with(self.dialect.begin_write()).await?;
            // Ordered by key, so that two nodes do not wait for each other: who changes a key takes its row first, too.
            for of_key in uses.chunk_by(|one, next| one.key == next.key) {
                touch_key(&mut transaction, of_key).await?;
                for used in of_key {
                    touch_secret(&mut transaction, used).await?;
                    if let Some(renewal) = &used.renewal {
                        renew(&mut transaction, used, renewal).await?;
                    }
                }
            }
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn drained_secrets(
        &self,
        unknown: Option<Timestamp>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(KeyId, u32)>, CatalogError> {
        let select = query(
            "SELECT s.key_id, s.version
             FROM secrets AS s
             JOIN keys AS k ON k.id = s.key_id
             WHERE s.drained_after IS NOT NULL
                 AND s.retires_at > $1
                 AND k.revoked_at IS NULL
                 AND k.disabled_at IS NULL
                 AND k.updated_at + s.drained_after <= $1
                 AND (s.last_used_at IS NULL OR s.last_used_at + s.drained_after <= $1)
                 AND $2 + s.drained_after <= $1
             ORDER BY s.key_id, s.version
             LIMIT $3",
        )
        .bind(now.micros())
        .bind(unknown.map_or(0, Timestamp::micros))
        .bind(i64::from(limit));
        self.bounded(async {
            let found = select.fetch_all(&self.pool).await?;
            let read = |row| {
                let row = Reader::new(row, "secrets", &["key_id", "version"]);
                Ok((row.parsed("key_id")?, row.number("version")?))
            };
            found.iter().map(read).collect()
        })
        .await
    }
}

/// How many digests one statement looks for: more than an installation has peppers.
const DIGESTS: usize = 4;

async fn touch_key(connection: &mut AnyConnection, of_key: &[LastUse]) -> Result<(), CatalogError> {
    let Some(last) = of_key.iter().max_by_key(|used| used.last_at) else { return Ok(()) };
    // It is written in any case, so that the key is taken before its secrets.
    let update = query(
        "UPDATE keys
         SET last_used_at = CASE WHEN last_used_at > $2 THEN last_used_at ELSE $2 END
         WHERE id = $1",
    )
    .bind(last.key.to_string())
    .bind(last.last_at.micros());
    update.execute(connection).await?;
    Ok(())
}

async fn touch_secret(connection: &mut AnyConnection, used: &LastUse) -> Result<(), CatalogError> {
    // Every expression sees the row as it was.
    let update = query(
        "UPDATE secrets
         SET first_used_at = CASE WHEN first_used_at < $3 THEN first_used_at ELSE $3 END,
             last_used_at = CASE WHEN last_used_at > $4 THEN last_used_at ELSE $4 END,
             last_used_address = CASE WHEN last_used_at > $4 THEN last_used_address ELSE $5 END,
             last_used_agent = CASE WHEN last_used_at > $4 THEN last_used_agent ELSE $6 END
         WHERE key_id = $1 AND version = $2",
    )
    .bind(used.key.to_string())
    .bind(i64::from(used.version))
    .bind(used.first_at.micros())
    .bind(used.last_at.micros())
    .bind(used.address.to_string())
    .bind(used.agent.text());
    update.execute(connection).await?;
    Ok(())
}

/// Only over the digest that it is taken in place of: a secret that was replaced meanwhile has another one, or is gone.
async fn renew(connection: &mut AnyConnection, used: &LastUse, renewal: &Renewal) -> Result<(), CatalogError> {
    let update = query(
        "UPDATE secrets
         SET digest = $4, algorithm = $5, pepper = $6
         WHERE key_id = $1 AND version = $2 AND digest = $3",
    )
    .bind(used.key.to_string())
    .bind(i64::from(used.version))
    .bind(renewal.old.as_bytes().as_slice())
    .bind(renewal.new.as_bytes().as_slice())
    .bind(HMAC_SHA_256)
    .bind(i64::from(renewal.pepper));
    update.execute(connection).await?;
    Ok(())
}
