//! Rows that no version of Gridgate writes: an error that names the row, never a panic and never permission.

use std::sync::Arc;

use gridgate::catalog::{CatalogError, KeyFilter, Paging};
use gridgate::domain::audit::Action;
use gridgate::domain::{Binding, KeyChange};

use super::{Fresh, at, by, key, on_both, slug, tenant, with_grids};

on_both!(a_damaged_key_is_no_key, damaged_names_fail_their_lists, nonsense_is_refused_by_the_database);

const PAGE: Paging = Paging { limit: 10, after: None };

/// Runs `sql` with every check lifted.
async fn damage(fresh: &Fresh, sql: &str) {
    let lift = if fresh.is_sqlite() {
        "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF".to_owned()
    } else {
        let constraints = [
            ("environments", "slug"),
            ("environments", "code"),
            ("projects", "slug"),
            ("grids", "slug"),
            ("keys", "id"),
            ("keys", "binding"),
            ("secrets", "version"),
            ("secrets", "digest"),
            ("secrets", "pepper"),
        ]
        .map(|(table, what)| format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_{what}"));
        format!("{}; SET session_replication_role = replica", constraints.join("; "))
    };
    fresh.execute(&format!("{lift}; {sql}")).await;
}

fn assert_damaged<T: std::fmt::Debug>(answer: Result<T, CatalogError>, table: &str, id: &str) {
    match answer {
        Err(CatalogError::Damaged(what)) => {
            assert!(what.starts_with(table) && what.contains(id), "{what} names {table} and {id}");
        }
        other => panic!("{table} {id}: {other:?}"),
    }
}

async fn a_damaged_key_is_no_key(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let (good, bad) = (key(1, Binding::Installation), key(2, tenant("shop", "web", "staging")));
    catalog.create_key(&good, Action::KeyCreated, &by(0)).await.expect("a key");
    catalog.create_key(&bad, Action::KeyCreated, &by(0)).await.expect("a key");
    let digest = "2".repeat(62);
    for (table, hurt, heal) in [
        ("keys", "permissions = 'telemetry.traces.write all'", "permissions = 'telemetry.traces.write'"),
        ("keys", "kind = 'root'", "kind = 'ingest'"),
        ("keys", "kind = 'admin'", "kind = 'ingest'"),
        ("keys", "grid = NULL", "grid = 'web'"),
        ("keys", "project = '../etc'", "project = 'shop'"),
        ("keys", "environment = 'Staging'", "environment = 'staging'"),
        ("keys", "created_by = 'key_short'", "created_by = NULL"),
        (
            "secrets",
            &format!("digest = {}", blob(&fresh, &digest)),
            &format!("digest = {}", blob(&fresh, &"2".repeat(64))),
        ),
        ("secrets", "version = -1", "version = 1"),
        ("secrets", "pepper = 4294967296", "pepper = 1"),
    ] {
        let column = if table == "keys" { "id" } else { "key_id" };
        let update = |set: &str| format!("UPDATE {table} SET {set} WHERE {column} = '{}'", bad.id);
        damage(&fresh, &update(hurt)).await;
        let id = bad.id.to_string();
        assert_damaged(catalog.key(&bad.id).await, table, &id);
        assert_damaged(catalog.keys(&KeyFilter::default(), at(0), &PAGE).await, table, &id);
        assert_damaged(catalog.change_key(&bad.id, &KeyChange::Disable, None, &by(1)).await, table, &id);
        assert!(catalog.key(&good.id).await.expect("its neighbour is untouched").is_some(), "{hurt}");
        damage(&fresh, &update(heal)).await;
        assert!(catalog.key(&bad.id).await.expect("healed").is_some(), "{heal}");
    }
    // An id that is none cannot be asked for, but it is in the list.
    damage(&fresh, &format!("UPDATE keys SET id = 'root' WHERE id = '{}'", bad.id)).await;
    assert!(catalog.key(&bad.id).await.expect("an answer").is_none());
    assert_damaged(catalog.keys(&KeyFilter::default(), at(0), &PAGE).await, "keys", "root");
}

async fn damaged_names_fail_their_lists(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    damage(&fresh, "UPDATE projects SET slug = 'Bank' WHERE slug = 'bank'").await;
    assert_damaged(catalog.projects(&PAGE).await, "projects", "Bank");
    damage(&fresh, "UPDATE grids SET slug = 'a--b' WHERE slug = 'app'").await;
    assert_damaged(catalog.grids(&slug("shop"), &PAGE).await, "grids", "shop/a--b");
    damage(&fresh, "UPDATE environments SET code = '?' WHERE slug = 'staging'").await;
    assert_damaged(catalog.environments().await, "environments", "staging");
    assert!(catalog.project(&slug("shop")).await.expect("its neighbour is untouched").is_some());
}

async fn nonsense_is_refused_by_the_database(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    catalog.create_key(&key(1, tenant("shop", "web", "staging")), Action::KeyCreated, &by(0)).await.expect("a key");
    let short = blob(&fresh, "00");
    for sql in [
        "UPDATE projects SET slug = '../etc'".to_owned(),
        "UPDATE environments SET slug = ''".to_owned(),
        "UPDATE environments SET code = 'x'".to_owned(),
        "UPDATE grids SET slug = 'A'".to_owned(),
        "UPDATE keys SET kind = 'root'".to_owned(),
        "UPDATE keys SET kind = 'admin'".to_owned(),
        "UPDATE keys SET environment = NULL".to_owned(),
        "UPDATE keys SET id = 'root'".to_owned(),
        format!("UPDATE secrets SET digest = {short}"),
        "UPDATE secrets SET version = 0".to_owned(),
        "DELETE FROM tenants".to_owned(),
        "DELETE FROM keys".to_owned(),
        "INSERT INTO grids (project, slug, name, created_at) VALUES ('none', 'a', '', 0)".to_owned(),
    ] {
        let mut connection = fresh.raw().await;
        let answer = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).execute(&mut connection).await;
        assert!(matches!(answer, Err(sqlx::Error::Database(_))), "{sql}: {answer:?}");
    }
}

/// A literal of bytes.
fn blob(fresh: &Fresh, hex: &str) -> String {
    if fresh.is_sqlite() { format!("x'{hex}'") } else { format!("'\\x{hex}'::bytea") }
}
