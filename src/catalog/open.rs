//! Opening a catalog: settings, the schema's version, and the way from a URL to a connection.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers};
use sqlx::migrate::{AppliedMigration, Migrate as _, MigrateError, Migration};
use sqlx::{AnyConnection, AssertSqlSafe, ConnectOptions as _, Connection as _, query, raw_sql};
use tokio::time::Instant;

use super::Catalog;
use super::dialect::Dialect;
use super::store::Store;

/// Where the catalog is, and how long it may take.
#[derive(Clone)]
pub struct CatalogSettings {
    /// `sqlite:<path>` (relative to the working directory, or absolute), or `postgres://user:password@host:port/database` with
    /// the usual parameters. It may hold a password: `Debug` leaves it out.
    pub url: String,
    /// The largest number of connections, at least 1.
    pub max_connections: u32,
    /// How long to wait for a connection, new or pooled.
    pub connect_timeout: Duration,
    /// How long one statement may take; on SQLite, how long to wait for another writer.
    pub statement_timeout: Duration,
    /// How many keys of a tenant may be active at once, unless its project has a number of its own.
    pub max_active_keys: u32,
    /// How long a revoked key is kept before it can be erased.
    pub purge_after: Duration,
    /// How long an import may keep every other change waiting; one that takes longer is given up.
    pub import_timeout: Duration,
}

/// Why a catalog is not opened or migrated. No message holds a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is none that a catalog can be at.
    #[error("the catalog's url {0}")]
    Url(&'static str),
    /// The database's file or its folder cannot be used.
    #[error("the catalog's file {path}: {error}")]
    File {
        /// The file, or the folder it should be in.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The schema is not the one this version works with.
    #[error("the catalog at {address} {why}")]
    Schema {
        /// The file, or host and port.
        address: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The database cannot be reached, refused us or did not answer in time.
    #[error("the catalog at {address} is unavailable: {why}")]
    Unavailable {
        /// The file, or host and port.
        address: String,
        /// What the database or the driver says.
        why: String,
    },
}

/// Opens the catalog. Nothing is created or changed.
///
/// # Errors
/// [`OpenError::Schema`] unless exactly this version's migrations have been applied; the others by their names.
pub async fn connect(settings: &CatalogSettings) -> Result<Arc<dyn Catalog>, OpenError> {
    let place = Place::of(&settings.url)?;
    if let Some(file) = place.file.as_ref().filter(|file| !file.exists()) {
        let why = "does not exist yet; create it by `gridgate migrate`".to_owned();
        return Err(OpenError::Schema { address: file.display().to_string(), why });
    }
    let session = place.dialect.serving_session(settings.statement_timeout);
    // One connection of its own before the pool: its error says what is wrong, the pool's only that there was none in time.
    let look = async {
        let mut connection = place.connection(&session).await?;
        let missing = place.missing(&mut connection).await?;
        connection.close().await.map_err(|error| place.unavailable(&error))?;
        Ok(missing)
    };
    let patience = settings.connect_timeout.saturating_add(settings.statement_timeout);
    if !place.in_time(patience, look).await?.is_empty() {
        let why = "lacks migrations of this version; apply them by `gridgate migrate`".to_owned();
        return Err(place.schema(why));
    }
    let pool = AnyPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(settings.connect_timeout)
        .after_connect(move |connection, _| {
            let session = raw_sql(AssertSqlSafe(session.clone()));
            Box::pin(async move { session.execute(connection).await.map(|_| ()) })
        })
        .connect_lazy_with(place.options);
    let limit = patience.saturating_add(Duration::from_secs(1));
    Ok(Arc::new(Store {
        pool,
        dialect: place.dialect,
        limit,
        max_active_keys: settings.max_active_keys,
        purge_after: settings.purge_after,
        import_limit: settings.import_timeout,
    }))
}

/// Brings the catalog's schema to this version's; a new SQLite file is created in its existing folder, readable and
/// writable by its owner alone. What has been applied already stays. Concurrent calls wait for each other.
///
/// # Errors
/// [`OpenError::Schema`] where the database is newer than this version, or was migrated by other files; the others by their
/// names.
pub async fn migrate(settings: &CatalogSettings) -> Result<(), OpenError> {
    let place = Place::of(&settings.url)?;
    if let Some(file) = &place.file {
        create_private(file).map_err(|error| OpenError::File { path: file.clone(), error })?;
    }
    let session = place.dialect.migrating_session(settings.statement_timeout);
    let mut connection = place.in_time(settings.connect_timeout, place.connection(&session)).await?;
    if place.dialect == Dialect::Sqlite {
        let set = write_ahead(&mut connection, settings.statement_timeout).await;
        set.map_err(|error| place.unavailable(&error))?;
    }
    place.apply_missing(&mut connection).await?;
    connection.close().await.map_err(|error| place.unavailable(&error))
}

impl fmt::Debug for CatalogSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = if self.url.starts_with("sqlite:") {
            self.url.clone()
        } else {
            Place::of(&self.url).map_or_else(|_| "(not usable)".to_owned(), |place| place.address)
        };
        f.debug_struct("CatalogSettings")
            .field("url", &address)
            .field("max_connections", &self.max_connections)
            .field("connect_timeout", &self.connect_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("max_active_keys", &self.max_active_keys)
            .field("purge_after", &self.purge_after)
            .field("import_timeout", &self.import_timeout)
            .finish()
    }
}

/// The table of applied migrations, in the form of sqlx's own tools.
const APPLIED: &str = "_sqlx_migrations";

/// A URL, understood.
struct Place {
    dialect: Dialect,
    /// For people: the file, or host and port.
    address: String,
    /// SQLite's file.
    file: Option<PathBuf>,
    options: AnyConnectOptions,
}

impl Place {
    fn of(url: &str) -> Result<Self, OpenError> {
        // The URL itself is never part of a message: even a malformed one may hold a password.
        match url.split_once(':') {
            Some(("sqlite", path)) => Self::sqlite(path.strip_prefix("//").unwrap_or(path)),
            Some(("postgres" | "postgresql", _)) => Self::postgres(url),
            _ => Err(OpenError::Url("must begin with sqlite: or postgres: (or postgresql:)")),
        }
    }

    fn sqlite(text: &str) -> Result<Self, OpenError> {
        let path = Path::new(text);
        let Some(name) = path.file_name().filter(|_| !text.starts_with(':') && !text.contains('?')) else {
            return Err(OpenError::Url("must be sqlite: and the path of a file, without parameters"));
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Resolved here, because a URL's `..` is taken off without regard to symbolic links.
        let folder = folder.canonicalize().map_err(|error| OpenError::File { path: folder.to_path_buf(), error })?;
        let file = folder.join(name);
        let mut url = "sqlite:".to_owned();
        for byte in file.as_os_str().as_encoded_bytes() {
            url.push_str(&format!("%{byte:02X}"));
        }
        let options = Self::options(&url)?;
        Ok(Self { dialect: Dialect::Sqlite, address: file.display().to_string(), file: Some(file), options })
    }

    fn postgres(url: &str) -> Result<Self, OpenError> {
        let options = Self::options(url)?;
        let url = &options.database_url;
        let host = url.host_str().filter(|host| !host.is_empty()).unwrap_or("the default host");
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self { dialect: Dialect::Postgres, address: format!("{host}{port}"), file: None, options })
    }

    fn options(url: &str) -> Result<AnyConnectOptions, OpenError> {
        url.parse().map_err(|_| OpenError::Url("is not a well-formed url; a password in it must be percent-encoded"))
    }

    /// A new connection, after `session`.
    async fn connection(&self, session: &str) -> Result<AnyConnection, OpenError> {
        install_default_drivers();
        let connected = async {
            let mut connection = self.options.connect().await?;
            raw_sql(AssertSqlSafe(session.to_owned())).execute(&mut connection).await?;
            Ok(connection)
        };
        connected.await.map_err(|error: sqlx::Error| self.unavailable(&error))
    }

    async fn in_time<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, OpenError>>,
    ) -> Result<T, OpenError> {
        let late = |_| Err(self.unavailable(&format!("no answer in {} s", limit.as_secs_f64())));
        tokio::time::timeout(limit, work).await.unwrap_or_else(late)
    }

    /// Applies what is missing. Concurrent migrators wait for each other: on PostgreSQL by an advisory lock, on SQLite by
    /// the one transaction around it all.
    async fn apply_missing(&self, connection: &mut AnyConnection) -> Result<(), OpenError> {
        let failed = |error: &dyn fmt::Display| self.unavailable(error);
        match self.dialect {
            Dialect::Postgres => {
                connection.lock().await.map_err(|error| failed(&error))?;
                self.apply_in(connection).await?;
                connection.unlock().await.map_err(|error| failed(&error))
            }
            Dialect::Sqlite => {
                let begin = self.dialect.begin_write();
                let mut transaction = connection.begin_with(begin).await.map_err(|error| failed(&error))?;
                self.apply_in(&mut transaction).await?;
                transaction.commit().await.map_err(|error| failed(&error))
            }
        }
    }

    async fn apply_in(&self, connection: &mut AnyConnection) -> Result<(), OpenError> {
        connection.ensure_migrations_table(APPLIED).await.map_err(|error| self.unavailable(&error))?;
        for migration in self.missing(connection).await? {
            connection.apply(APPLIED, &migration).await.map_err(|error| self.unavailable(&error))?;
        }
        Ok(())
    }

    /// This version's migrations that have not been applied yet, in order; an error where others have been.
    async fn missing(&self, connection: &mut AnyConnection) -> Result<Vec<Migration>, OpenError> {
        let applied = self.applied(connection).await.map_err(|error| match error {
            MigrateError::Dirty(version) => {
                self.schema(format!("has migration {version} applied in part; restore it from a backup"))
            }
            other => self.unavailable(&other),
        })?;
        let mut missing = self.dialect.migrations();
        for AppliedMigration { version, checksum } in applied {
            let Some(index) = missing.iter().position(|known| known.version == version) else {
                return Err(self.schema(format!(
                    "has migration {version}, which is newer than this version of gridgate; use the newer gridgate"
                )));
            };
            if missing.remove(index).checksum != checksum {
                return Err(self.schema(format!("was migrated by another text of migration {version}")));
            }
        }
        Ok(missing)
    }

    async fn applied(&self, connection: &mut AnyConnection) -> Result<Vec<AppliedMigration>, MigrateError> {
        if query(self.dialect.has_migrations()).fetch_optional(&mut *connection).await?.is_none() {
            return Ok(Vec::new());
        }
        match connection.dirty_version(APPLIED).await? {
            Some(version) => Err(MigrateError::Dirty(version)),
            None => connection.list_applied_migrations(APPLIED).await,
        }
    }

    fn schema(&self, why: String) -> OpenError {
        OpenError::Schema { address: self.address.clone(), why }
    }

    fn unavailable(&self, why: &dyn fmt::Display) -> OpenError {
        OpenError::Unavailable { address: self.address.clone(), why: why.to_string() }
    }
}

/// Creates the file where there is none, for its owner alone. SQLite gives the files beside it the same mode.
fn create_private(file: &Path) -> io::Result<()> {
    // One at a time: closing a file takes from the whole process the locks that another thread's SQLite may hold on it.
    static CREATING: Mutex<()> = Mutex::new(());
    let _turn = CREATING.lock().unwrap_or_else(PoisonError::into_inner);
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Sets the journal's mode, which stays with the file. SQLite waits for no lock here, so that we do.
async fn write_ahead(connection: &mut AnyConnection, timeout: Duration) -> Result<(), sqlx::Error> {
    const BUSY: &str = "5";
    let started = Instant::now();
    loop {
        match raw_sql("PRAGMA journal_mode = WAL").execute(&mut *connection).await {
            Err(sqlx::Error::Database(error))
                if error.code().as_deref() == Some(BUSY) && started.elapsed() < timeout =>
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            other => return other.map(|_| ()),
        }
    }
}
