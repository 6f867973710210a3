//! Errors of the database, in the catalog's words.

use sqlx::error::{DatabaseError, ErrorKind};

use super::{CatalogError, Entity};

/// A unique violation becomes [`CatalogError::Exists`], an undecodable row [`CatalogError::Damaged`], everything else
/// [`CatalogError::Unavailable`]. What a row refers to is looked up before it is written, so a violated foreign key is a
/// fault of ours and no answer for a client.
impl From<sqlx::Error> for CatalogError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(reported) if reported.kind() == ErrorKind::UniqueViolation => {
                violated(reported.as_ref()).map_or_else(|| Self::Unavailable(error.to_string()), Self::Exists)
            }
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::AnyDriverError(_) => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// What is there already. PostgreSQL names the table. SQLite has only its message: `UNIQUE constraint failed: ` followed by
/// `table.column, …`, or by `index 'name'` for an index on expressions, and ours begin with the table's name.
fn violated(error: &dyn DatabaseError) -> Option<Entity> {
    let message = error.message();
    let table = error.table().or_else(|| {
        let what = message.strip_prefix("UNIQUE constraint failed: ")?;
        what.strip_prefix("index '").unwrap_or(what).split(['.', '_']).next()
    })?;
    match table {
        "environments" => Some(Entity::Environment),
        "projects" => Some(Entity::Project),
        "grids" => Some(Entity::Grid),
        "keys" | "secrets" => Some(Entity::Key),
        "plans" => Some(Entity::Plan),
        "roles" => Some(Entity::Role),
        _ => None,
    }
}
