//! How many connections the process's file descriptors allow, with some kept back: what arrives has to be written somewhere.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors beside connections to the ingest listeners and to the catalog: the admin's connections, segments, files of the lake,
/// listeners, and whatever else is open for a moment.
const RESERVE: usize = super::ADMIN_CONNECTIONS + 64;

/// What one connection of the catalog may have open: with SQLite the database, its log and its index.
const OF_CATALOG: usize = 3;

/// Lets the process have as many descriptors as it may have. Systems start processes with 1024 for the sake of those that use
/// `select`, which cannot count further; this one does not.
pub(super) fn raise() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    // Where that is refused, it goes with what there is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// The most connections at the same time: `configured`, or what there are descriptors for where that is less.
pub(super) fn connections(configured: usize, catalog_connections: u32) -> usize {
    soft_limit().map_or(configured, |limit| configured.min(allowed(limit, catalog_connections)))
}

/// Says in the log where there are fewer than `configured`.
pub(super) fn tell(configured: usize, catalog_connections: u32) {
    let connections = connections(configured, catalog_connections);
    if connections < configured {
        tracing::warn!(
            connections,
            "limits.connections is {configured}, which is more than there are file descriptors for (ulimit -Hn, LimitNOFILE)"
        );
    }
}

/// A quarter at the least: with very few descriptors it is better to serve somebody.
fn allowed(limit: usize, catalog_connections: u32) -> usize {
    let of_catalog = OF_CATALOG.saturating_mul(catalog_connections as usize);
    limit.saturating_sub(RESERVE.saturating_add(of_catalog)).max(limit / 4).max(1)
}

/// How many descriptors the process has; `None` where there is no limit.
fn soft_limit() -> Option<usize> {
    getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_kept_back() {
        assert_eq!(allowed(1024, 8), 1024 - 64 - 64 - 24);
        assert_eq!(allowed(64, 8), 16);
        assert_eq!(allowed(1, 8), 1);
        assert_eq!(connections(1, 8), 1);
    }
}
