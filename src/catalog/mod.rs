//! The catalog: projects, grids, environments, tenants, keys and secrets, at rest in SQLite or PostgreSQL.
//!
//! Both databases stand behind one trait and pass one contract suite. `sqlx` appears nowhere but here. Times are stored as
//! integers (microseconds UTC), ids as text.
//!
//! [`migrate`] brings a database to this version's schema, [`connect`] opens one that is there already. Behind the trait is
//! one implementation with one text per statement (`store`); what differs between the databases is in `dialect` and in the
//! two folders of `migrations`.

mod cursor;
mod dialect;
mod error;
mod open;
mod rows;
mod store;

pub use open::{CatalogSettings, OpenError, connect, migrate};

pub mod issue;

use async_trait::async_trait;

use crate::domain::{
    Changed, Environment, Key, KeyChange, KeyId, KeyStatus, Slug, Timestamp, TokenKind, key::ChangeRefused,
};

/// A project: a team or product.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Project {
    /// Unique and immutable.
    pub slug: Slug,
    /// Free text for people.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A grid: one application's space inside a project.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grid {
    /// The project it belongs to.
    pub project: Slug,
    /// Unique inside its project, and immutable.
    pub slug: Slug,
    /// Free text for people.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
}

/// One page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// The rows, at most as many as were asked for.
    pub items: Vec<T>,
    /// What to pass as [`Paging::after`] for the next page; `None` at the end.
    pub next: Option<String>,
}

/// Which page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Paging {
    /// The largest number of rows, at least 1.
    pub limit: u32,
    /// Continue after the row whose position this is: [`Page::next`] of the page before. Not yet validated: it may come
    /// from a client.
    pub after: Option<String>,
}

/// Which keys to list. Absent means: all.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
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
}

/// What an operation on the catalog can fail with.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A project, grid or environment that the row refers to does not exist.
    #[error("{0} does not exist")]
    Missing(Entity),
    /// The name, slug, code or id is taken.
    #[error("{0} exists already")]
    Exists(Entity),
    /// The change is refused from the key's present status.
    #[error(transparent)]
    ChangeRefused(#[from] ChangeRefused),
    /// The position in a list is none that this catalog gave out.
    #[error("the cursor is none that a list gave out")]
    Cursor,
    /// A row holds what no version of Gridgate writes. The row is treated as absent data, never as permission.
    #[error("a row of the catalog is damaged: {0}")]
    Damaged(String),
    /// The database cannot be reached or did not answer in time. The message may name the database's address: it is for
    /// the log, not for clients.
    #[error("the catalog's database is unavailable: {0}")]
    Unavailable(String),
}

/// What an error of the catalog speaks of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entity {
    /// A project, by slug.
    Project,
    /// A grid of a project, by slug.
    Grid,
    /// An environment, by slug or code.
    Environment,
    /// A key, by id, or by name among the keys of its tenant (or project, or installation) that are not revoked.
    Key,
}

impl std::fmt::Display for Entity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Project => "the project",
            Self::Grid => "the grid",
            Self::Environment => "the environment",
            Self::Key => "a key with this name",
        })
    }
}

/// The metadata database. No method is called on the path of an export whose key is cached.
///
/// Not-found is `Ok(None)`. Every method can fail with [`CatalogError::Unavailable`]; the other errors are named at the
/// methods that give them.
#[async_trait]
pub trait Catalog: Send + Sync + 'static {
    /// Asks the database for an answer, for readiness.
    async fn ping(&self) -> Result<(), CatalogError>;

    /// Every environment, by slug.
    async fn environments(&self) -> Result<Vec<Environment>, CatalogError>;

    /// Adds an environment. [`CatalogError::Exists`] where slug or code is taken.
    async fn create_environment(&self, environment: &Environment) -> Result<(), CatalogError>;

    /// Adds a project. [`CatalogError::Exists`] where the slug is taken.
    async fn create_project(&self, project: &Project) -> Result<(), CatalogError>;

    /// One project.
    async fn project(&self, slug: &Slug) -> Result<Option<Project>, CatalogError>;

    /// Projects by slug. [`CatalogError::Cursor`] for a bad position.
    async fn projects(&self, paging: &Paging) -> Result<Page<Project>, CatalogError>;

    /// Adds a grid. [`CatalogError::Missing`] without its project, [`CatalogError::Exists`] where the slug is taken.
    async fn create_grid(&self, grid: &Grid) -> Result<(), CatalogError>;

    /// One grid.
    async fn grid(&self, project: &Slug, slug: &Slug) -> Result<Option<Grid>, CatalogError>;

    /// A project's grids by slug. [`CatalogError::Cursor`] for a bad position.
    async fn grids(&self, project: &Slug, paging: &Paging) -> Result<Page<Grid>, CatalogError>;

    /// Adds a key with its secrets, and its tenant where it is the tenant's first key; all or nothing.
    /// [`CatalogError::Missing`] without its project, grid or environment; [`CatalogError::Exists`] where the id is taken,
    /// or the name among the keys with the same binding that are not revoked.
    async fn create_key(&self, key: &Key) -> Result<(), CatalogError>;

    /// One key with its secrets, whatever its status. [`CatalogError::Damaged`] where the row cannot be read.
    async fn key(&self, id: &KeyId) -> Result<Option<Key>, CatalogError>;

    /// Keys with their secrets, newest first, whose status at `now` passes the filter. [`CatalogError::Cursor`] for a bad
    /// position.
    async fn keys(&self, filter: &KeyFilter, now: Timestamp, paging: &Paging) -> Result<Page<Key>, CatalogError>;

    /// Changes the state of a key at `now`, guarded against a concurrent change, and returns the key as it is then, with
    /// what the change did. `None` without such a key; [`CatalogError::ChangeRefused`] where it is not possible.
    async fn change_key(
        &self,
        id: &KeyId,
        change: KeyChange,
        now: Timestamp,
    ) -> Result<Option<(Key, Changed)>, CatalogError>;
}
