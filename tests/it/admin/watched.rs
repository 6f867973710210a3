//! The real catalog, watched: commits are noted, look-ups are counted, changes and look-ups can be held up, and the database can
//! be taken away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use gridgate::catalog::{Catalog, CatalogError, Grid, KeyFilter, Keys, Page, Paging, Project, Projects, Secrets};
use gridgate::domain::audit::{Action, Actor};
use gridgate::domain::uses::LastUse;
use gridgate::domain::{Changed, Digest, Environment, Key, KeyChange, KeyId, Slug, Timestamp};
use tokio::sync::Semaphore;

use super::Events;

pub(crate) struct Watched {
    inner: Arc<dyn Catalog>,
    events: Events,
    /// Every call fails as if the database were gone.
    pub(crate) down: AtomicBool,
    /// Changes wait for a permit here.
    pub(crate) changes: Semaphore,
    /// Gets a permit for each change that has begun.
    pub(crate) begun: Semaphore,
    /// Look-ups of keys that have begun.
    pub(crate) asked: AtomicUsize,
    /// A look-up that has its answer waits for a permit here before it returns.
    pub(crate) lookups: Semaphore,
    /// Gets a permit for each look-up that waits with its answer.
    pub(crate) answered: Semaphore,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn Catalog>, events: Events) -> Self {
        let changes = Semaphore::new(Semaphore::MAX_PERMITS);
        Self {
            inner,
            events,
            down: AtomicBool::new(false),
            changes,
            begun: Semaphore::new(0),
            asked: AtomicUsize::new(0),
            lookups: Semaphore::new(Semaphore::MAX_PERMITS),
            answered: Semaphore::new(0),
        }
    }

    fn inner(&self) -> Result<&dyn Catalog, CatalogError> {
        if self.down.load(Ordering::SeqCst) {
            Err(CatalogError::Unavailable("db.internal:5432 refused the connection".to_owned()))
        } else {
            Ok(&*self.inner)
        }
    }

    fn committed(&self, what: &str, id: &KeyId) {
        self.events.lock().expect("events").push(format!("{what} {id}"));
    }
}

#[async_trait]
impl Catalog for Watched {
    async fn ping(&self) -> Result<(), CatalogError> {
        self.inner()?.ping().await
    }
}

#[async_trait]
impl Projects for Watched {
    async fn environments(&self) -> Result<Vec<Environment>, CatalogError> {
        self.inner()?.environments().await
    }

    async fn create_environment(&self, environment: &Environment, by: &Actor) -> Result<(), CatalogError> {
        self.inner()?.create_environment(environment, by).await
    }

    async fn create_project(&self, project: &Project, by: &Actor) -> Result<(), CatalogError> {
        self.inner()?.create_project(project, by).await
    }

    async fn project(&self, slug: &Slug) -> Result<Option<Project>, CatalogError> {
        self.inner()?.project(slug).await
    }

    async fn projects(&self, paging: &Paging) -> Result<Page<Project>, CatalogError> {
        self.inner()?.projects(paging).await
    }

    async fn create_grid(&self, grid: &Grid, by: &Actor) -> Result<(), CatalogError> {
        self.inner()?.create_grid(grid, by).await
    }

    async fn grid(&self, project: &Slug, slug: &Slug) -> Result<Option<Grid>, CatalogError> {
        self.inner()?.grid(project, slug).await
    }

    async fn grids(&self, project: &Slug, paging: &Paging) -> Result<Page<Grid>, CatalogError> {
        self.inner()?.grids(project, paging).await
    }
}

#[async_trait]
impl Keys for Watched {
    async fn create_key(&self, key: &Key, action: Action, by: &Actor) -> Result<(), CatalogError> {
        self.inner()?.create_key(key, action, by).await?;
        self.committed("created", &key.id);
        Ok(())
    }

    async fn key(&self, id: &KeyId) -> Result<Option<Key>, CatalogError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let found = self.inner()?.key(id).await;
        self.answered.add_permits(1);
        self.lookups.acquire().await.expect("it is never closed").forget();
        found
    }

    async fn keys(&self, filter: &KeyFilter, now: Timestamp, paging: &Paging) -> Result<Page<Key>, CatalogError> {
        self.inner()?.keys(filter, now, paging).await
    }

    async fn change_key(
        &self,
        id: &KeyId,
        change: &KeyChange,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<(Key, Changed)>, CatalogError> {
        self.begun.add_permits(1);
        self.changes.acquire().await.expect("it is never closed").forget();
        let changed = self.inner()?.change_key(id, change, expected, by).await?;
        self.committed("changed", id);
        Ok(changed)
    }
}

#[async_trait]
impl Secrets for Watched {
    async fn key_of_digest(&self, digests: &[Digest]) -> Result<Option<KeyId>, CatalogError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let found = self.inner()?.key_of_digest(digests).await;
        self.answered.add_permits(1);
        self.lookups.acquire().await.expect("it is never closed").forget();
        found
    }

    async fn record_uses(&self, uses: &[LastUse]) -> Result<(), CatalogError> {
        self.inner()?.record_uses(uses).await
    }

    async fn drained_secrets(
        &self,
        unknown: Option<Timestamp>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(KeyId, u32)>, CatalogError> {
        self.inner()?.drained_secrets(unknown, now, limit).await
    }
}
