//! Keys and their secrets.

mod attention;
mod hygiene;
mod import;
mod limit;
pub mod list;
mod prefix;
mod purge;
mod read;
mod write;

use async_trait::async_trait;
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, query};

use super::audit::{self, of_key};
use super::projects::{Projects as _, ensure_tenant, require_project};
use super::rows::Reader;
use super::store::Store;
use super::{CatalogError, Page, Paging, cursor, guard, rows};
use crate::domain::audit::{Action, Target, TargetKind};
use crate::domain::authority::is_standing_owner;
use crate::domain::hygiene::{Flag, RotationPolicy};
use crate::domain::{Actor, Binding, Changed, Key, KeyChange, KeyId, Permissions, Timestamp};
pub use hygiene::{Hygiene, Notice, Review};
pub use import::{ImportFault, ImportedKey, KEYS_OF_NAMES};
pub use list::KeyFilter;
use list::{Statement, Value};
pub use read::KEY_BY_ID;
pub(super) use read::read_key;
pub use write::KEYS_OF_NAME;
pub(super) use write::{HMAC_SHA_256, SHA_256};

/// What the catalog keeps of keys.
#[async_trait]
pub trait Keys {
    /// Adds a key with its secrets, and its tenant where it is the tenant's first key; all or nothing. `action` says how it came.
    /// [`CatalogError::Missing`] without its project, grid, environment or role; [`CatalogError::Exists`] where the id is taken, or the
    /// name among the living keys with the same binding; [`CatalogError::Refused`] where the actor lacks what the key may do;
    /// [`CatalogError::KeyLimit`] where its tenant has enough active keys.
    async fn create_key(&self, key: &Key, action: Action, by: &Actor) -> Result<(), CatalogError>;

    /// Adds keys that come with their secrets, in one transaction. What is wrong with any of them is told of each, by the errors that
    /// [`create_key`](Self::create_key) fails with, and [`CatalogError::Exists`] where its token is a key's already; nothing is written
    /// then. [`CatalogError::ImportTimeout`] where it would take too long.
    async fn import_keys(&self, keys: &[ImportedKey], by: &Actor) -> Result<Vec<ImportFault>, CatalogError>;

    /// What [`import_keys`](Self::import_keys) would find wrong. Nothing is written.
    async fn check_import(&self, keys: &[ImportedKey], by: &Actor) -> Result<Vec<ImportFault>, CatalogError>;

    /// Erases a key; whether there was one. [`CatalogError::NotRevoked`] unless it is revoked, [`CatalogError::RetentionNotOver`] until
    /// it has been for long enough, [`CatalogError::Refused`] where the actor lacks what it could do.
    async fn purge_key(&self, id: &KeyId, by: &Actor) -> Result<bool, CatalogError>;

    /// One key with its secrets, whatever its status. [`CatalogError::Damaged`] where the row cannot be read.
    async fn key(&self, id: &KeyId) -> Result<Option<Key>, CatalogError>;

    /// Keys with their secrets that pass the filter at `now`, in its order. [`CatalogError::Cursor`] for a position that is none, or
    /// that is one of another filter.
    async fn keys(&self, filter: &KeyFilter, now: Timestamp, paging: &Paging) -> Result<Page<Key>, CatalogError>;

    /// How many keys pass one of `filters` at `now`, counted up to `most`.
    async fn count_keys(&self, filters: &[KeyFilter], now: Timestamp, most: u32) -> Result<u64, CatalogError>;

    /// Makes a change at the actor's instant, guarded against a concurrent one, and returns the key as it is then, with what the
    /// change did. `expected` is the version that the change is meant for; `None`: any. `None` without such a key;
    /// [`CatalogError::VersionConflict`] at another version, [`CatalogError::ChangeRefused`] where it is not possible,
    /// [`CatalogError::Exists`] where a new name is taken, [`CatalogError::Missing`] without its new role, [`CatalogError::Refused`]
    /// where the actor lacks what the key may do or could do then, [`CatalogError::LastOwner`] where no owner would be left,
    /// [`CatalogError::KeyLimit`] where the key would become active and its tenant has enough of those.
    async fn change_key(
        &self,
        id: &KeyId,
        change: &KeyChange,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<(Key, Changed)>, CatalogError>;
}

#[async_trait]
impl Keys for Store {
    async fn create_key(&self, key: &Key, action: Action, by: &Actor) -> Result<(), CatalogError> {
        self.bounded(async {
            let mut writing = self.write(by).await?;
            match &key.binding {
                Binding::Tenant(tenant) => ensure_tenant(writing.connection(), tenant, key.created_at).await?,
                Binding::Project(project) => require_project(writing.connection(), project).await?,
                Binding::Installation => {}
            }
            let wanted = guard::permissions(writing.connection(), key).await?;
            writing.granter().map_or(Ok(()), |granter| granter.may_grant(&Permissions::default(), &wanted))?;
            write::require_free_name(writing.connection(), key, by.at).await?;
            limit::require_room(writing.connection(), None, key, self.max_active_keys, by.at).await?;
            write::insert(writing.connection(), key).await?;
            writing.append(action, &target(key), None, Some(of_key(key))).await?;
            writing.commit().await
        })
        .await
    }

    async fn import_keys(&self, keys: &[ImportedKey], by: &Actor) -> Result<Vec<ImportFault>, CatalogError> {
        let mut writing = self.bounded(self.write(by)).await?;
        let faults = self.importing(import::write_all(&mut writing, keys, self.max_active_keys, by)).await?;
        if faults.is_empty() {
            self.bounded(writing.commit()).await?;
        }
        Ok(faults)
    }

    async fn check_import(&self, keys: &[ImportedKey], by: &Actor) -> Result<Vec<ImportFault>, CatalogError> {
        let mut writing = self.bounded(self.write(by)).await?;
        self.importing(import::check(&mut writing, keys, self.max_active_keys, by)).await
    }

    async fn purge_key(&self, id: &KeyId, by: &Actor) -> Result<bool, CatalogError> {
        self.bounded(async {
            let mut writing = self.write(by).await?;
            let Some(key) = read_key(writing.connection(), id).await? else { return Ok(false) };
            writing.granter().map_or(Ok(()), |granter| granter.may_change(&key, &KeyChange::Revoke, &key))?;
            purge::require_over(&key, self.purge_after, by.at)?;
            purge::erase(writing.connection(), &key).await?;
            writing.append(Action::KeyPurged, &target(&key), Some(purge::remains(&key)), None).await?;
            writing.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn key(&self, id: &KeyId) -> Result<Option<Key>, CatalogError> {
        self.bounded(async { read_key(&mut *self.pool.acquire().await?, id).await }).await
    }

    async fn keys(&self, filter: &KeyFilter, now: Timestamp, paging: &Paging) -> Result<Page<Key>, CatalogError> {
        let after = cursor::after_key(filter, paging)?;
        let policy = self.policy(std::slice::from_ref(filter)).await?;
        let select = list::statement(filter, &policy, now, after.as_ref(), cursor::rows_to_read(paging));
        self.bounded(async {
            let rows = bound(select).fetch_all(&self.pool).await?;
            let placed = rows::keys(&rows)?.into_iter().zip(rows::positions(&rows)?).collect();
            let page = cursor::page(placed, paging, |(key, place): &(Key, _)| cursor::of_key(filter, &key.id, place));
            Ok(Page { items: page.items.into_iter().map(|(key, _)| key).collect(), next: page.next })
        })
        .await
    }

    async fn count_keys(&self, filters: &[KeyFilter], now: Timestamp, most: u32) -> Result<u64, CatalogError> {
        if filters.is_empty() {
            return Ok(0);
        }
        let policy = self.policy(filters).await?;
        let select = list::count_statement(filters, &policy, now, i64::from(most));
        self.bounded(async {
            let row = bound(select).fetch_one(&self.pool).await?;
            Reader::new(&row, "keys", &[]).count("number")
        })
        .await
    }

    async fn change_key(
        &self,
        id: &KeyId,
        change: &KeyChange,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<(Key, Changed)>, CatalogError> {
        self.bounded(async {
            let mut writing = self.write(by).await?;
            let Some(before) = read_key(writing.connection(), id).await? else { return Ok(None) };
            if expected.is_some_and(|expected| expected != before.version) {
                return Err(CatalogError::VersionConflict { current: before.version });
            }
            let mut key = before.clone();
            let changed = key.apply(change, by.at)?;
            if key.grant() != before.grant() {
                key.permissions = guard::permissions(writing.connection(), &key).await?;
            }
            writing.granter().map_or(Ok(()), |granter| granter.may_change(&before, change, &key))?;
            if changed == Changed::Already {
                return Ok(Some((key, Changed::Already)));
            }
            // A name is also taken anew by a key that had expired.
            if key.revoked_at.is_none() {
                write::require_free_name(writing.connection(), &key, by.at).await?;
            }
            limit::require_room(writing.connection(), Some(&before), &key, self.max_active_keys, by.at).await?;
            let ends_owner = is_standing_owner(&before) && !is_standing_owner(&key);
            let had_owner = ends_owner && writing.has_owner().await?;
            write::update(writing.connection(), &before, &key).await?;
            writing.keep_owner(had_owner).await?;
            let (old, new) = audit::changed(of_key(&before), of_key(&key));
            writing.append(change.action(&before, by.at), &target(&key), Some(old), Some(new)).await?;
            writing.commit().await?;
            Ok(Some((key, Changed::Yes)))
        })
        .await
    }
}

impl Store {
    /// When the keys of these lists are due for rotation, where one of them asks for that.
    async fn policy(&self, filters: &[KeyFilter]) -> Result<RotationPolicy, CatalogError> {
        if filters.iter().any(|filter| filter.attention == Some(Flag::RotationDue)) {
            return Ok(RotationPolicy::new(&self.environments().await?));
        }
        Ok(RotationPolicy::default())
    }

    /// The result of `work`, which keeps all other changes waiting, and is given up before they are.
    async fn importing<T>(
        &self,
        work: impl Future<Output = Result<T, CatalogError>> + Send,
    ) -> Result<T, CatalogError> {
        let late = |_| Err(CatalogError::ImportTimeout(self.import_limit));
        tokio::time::timeout(self.import_limit, work).await.unwrap_or_else(late)
    }
}

/// The statement with its values, to be run.
pub(super) fn bound(statement: Statement) -> Query<'static, Any, AnyArguments> {
    let Statement { sql, values } = statement;
    values.into_iter().fold(query(AssertSqlSafe(sql)), |query, value| match value {
        Value::Text(text) => query.bind(text),
        Value::Integer(number) => query.bind(number),
    })
}

/// The key in the audit log.
fn target(key: &Key) -> Target {
    Target { kind: TargetKind::Key, id: key.id.to_string(), project: key.binding.project().cloned() }
}
