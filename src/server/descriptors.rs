//! How many connections the process's file descriptors allow, with some kept back: what arrives has to be written somewhere.

use std::fs;

/// Descriptors beside connections to the ingest listeners and to the catalog: the admin's connections, segments, files of the lake,
/// listeners, and whatever else is open for a moment.
const RESERVE: usize = super::ADMIN_CONNECTIONS + 64;

/// What one connection of the catalog may have open: with SQLite the database, its log and its index.
const OF_CATALOG: usize = 3;

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
            "limits.connections is {configured}, which is more than there are file descriptors for (ulimit -n, LimitNOFILE)"
        );
    }
}

/// A quarter at the least: with very few descriptors it is better to serve somebody.
fn allowed(limit: usize, catalog_connections: u32) -> usize {
    let of_catalog = OF_CATALOG.saturating_mul(catalog_connections as usize);
    limit.saturating_sub(RESERVE.saturating_add(of_catalog)).max(limit / 4).max(1)
}

/// How many descriptors the process may have.
fn soft_limit() -> Option<usize> {
    soft_limit_of(&fs::read_to_string("/proc/self/limits").ok()?)
}

/// `None` where there is no limit.
fn soft_limit_of(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_figure_is_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max processes             94721                94721                processes \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(soft_limit_of(limits), Some(1024));
        assert_eq!(soft_limit_of("Max open files            unlimited            unlimited            files"), None);
        assert_eq!(soft_limit_of(""), None);
        assert!(soft_limit().is_some());
    }

    #[test]
    fn some_are_kept_back() {
        assert_eq!(allowed(1024, 8), 1024 - 64 - 64 - 24);
        assert_eq!(allowed(64, 8), 16);
        assert_eq!(allowed(1, 8), 1);
        assert_eq!(connections(1, 8), 1);
    }
}
