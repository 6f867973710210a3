//! Environments, projects and grids.

use std::sync::Arc;

use gridgate::catalog::{AuditFilter, CatalogError, Entity, EnvironmentEdit, KeyFilter, Page, Paging};
use gridgate::domain::{Environment, environment::BUILT_IN};

use super::{Fresh, at, by, grid, on_both, project, slug};

on_both!(
    a_new_catalog_answers_and_has_the_built_in_environments,
    an_environment_is_added_once,
    an_environment_is_edited,
    a_project_is_added_once,
    projects_come_in_pages_by_slug,
    a_grid_belongs_to_its_project,
    a_foreign_cursor_is_refused,
    of_racing_creates_one_wins,
);

async fn a_new_catalog_answers_and_has_the_built_in_environments(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    catalog.ping().await.expect("an answer");
    let found = catalog.environments().await.expect("environments");
    let mut expected = BUILT_IN;
    expected.sort_unstable();
    let found_words: Vec<_> =
        found.iter().map(|one| (one.slug.as_str(), one.code.as_str(), one.name.as_str())).collect();
    assert_eq!(found_words, expected);
    // Seeded when the database was made: after these lines were written.
    assert!(found.iter().all(|one| one.created_at > at(1_700_000_000_000_000)));
}

async fn an_environment_is_added_once(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let load = Environment {
        slug: slug("load-test"),
        code: "load".parse().expect("a code"),
        name: "Load".to_owned(),
        rotation_days: Some(30),
        created_at: at(5),
    };
    catalog.create_environment(&load, &by(0)).await.expect("an environment");
    assert!(catalog.environments().await.expect("environments").contains(&load));

    let same_code = Environment { slug: slug("other"), ..load.clone() };
    let same_slug = Environment { code: "oth".parse().expect("a code"), ..load };
    for taken in [same_code, same_slug] {
        let error = catalog.create_environment(&taken, &by(0)).await.expect_err("taken");
        assert!(matches!(error, CatalogError::Exists(Entity::Environment)), "{error}");
    }
    assert_eq!(catalog.environments().await.expect("environments").len(), 4);
}

async fn an_environment_is_edited(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let staging = slug("staging");
    let edits = [
        (EnvironmentEdit { name: Some("Stage".to_owned()), rotation_days: None }, "Stage", Some(90)),
        (EnvironmentEdit { name: None, rotation_days: Some(Some(7)) }, "Stage", Some(7)),
        (EnvironmentEdit { name: None, rotation_days: Some(None) }, "Stage", None),
    ];
    for (edit, name, days) in &edits {
        let edited = catalog.change_environment(&staging, edit, &by(6)).await.expect("an edit").expect("it is there");
        assert_eq!((edited.slug.as_str(), edited.name.as_str(), edited.rotation_days), ("staging", *name, *days));
        let found = catalog.environments().await.expect("environments");
        assert!(found.contains(&edited), "{found:?}");
    }
    let none = catalog.change_environment(&slug("none"), &edits[0].0, &by(6)).await.expect("an answer");
    assert_eq!(none, None);
    let paging = Paging { limit: 10, after: None };
    let log = catalog.audit_entries(&AuditFilter::default(), &paging).await.expect("entries").items;
    let actions: Vec<_> = log.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["environment.edited"; 3]);
}

async fn a_project_is_added_once(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let mut shop = project("shop");
    shop.name = "Der \"Laden\"; DROP TABLE projects --'\u{1F6D2}\n".to_owned();
    assert_eq!(catalog.project(&shop.slug).await.expect("an answer"), None);
    catalog.create_project(&shop, &by(0)).await.expect("a project");
    assert_eq!(catalog.project(&shop.slug).await.expect("an answer"), Some(shop.clone()));
    let error = catalog.create_project(&project("shop"), &by(0)).await.expect_err("taken");
    assert!(matches!(error, CatalogError::Exists(Entity::Project)), "{error}");
    assert_eq!(catalog.project(&shop.slug).await.expect("an answer"), Some(shop));
}

async fn projects_come_in_pages_by_slug(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    // Byte by byte, a hyphen sorts before digits and digits before letters; many locales would ignore the hyphen.
    let sorted = ["a", "a-z", "a0", "ab", "b"];
    for text in ["ab", "a0", "b", "a-z", "a"] {
        catalog.create_project(&project(text), &by(0)).await.expect("a project");
    }
    for limit in 1..=6 {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let Page { items, next } = catalog.projects(&Paging { limit, after }).await.expect("a page");
            assert!(!items.is_empty());
            assert!(next.is_none() || items.len() == limit as usize);
            found.extend(items);
            assert!(found.len() <= sorted.len(), "the pages come to an end");
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, sorted.map(project));
    }
    let none = catalog.projects(&Paging { limit: 0, after: Some("b".to_owned()) }).await.expect("a page");
    assert_eq!(none, Page { items: Vec::new(), next: None });
}

async fn a_grid_belongs_to_its_project(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let error = catalog.create_grid(&grid("shop", "web"), &by(0)).await.expect_err("no project");
    assert!(matches!(error, CatalogError::Missing(Entity::Project)), "{error}");

    for text in ["shop", "bank"] {
        catalog.create_project(&project(text), &by(0)).await.expect("a project");
        catalog.create_grid(&grid(text, "web"), &by(0)).await.expect("a grid");
    }
    catalog.create_grid(&grid("shop", "app"), &by(0)).await.expect("a grid");
    let error = catalog.create_grid(&grid("shop", "web"), &by(0)).await.expect_err("taken");
    assert!(matches!(error, CatalogError::Exists(Entity::Grid)), "{error}");

    assert_eq!(catalog.grid(&slug("bank"), &slug("web")).await.expect("an answer"), Some(grid("bank", "web")));
    assert_eq!(catalog.grid(&slug("bank"), &slug("app")).await.expect("an answer"), None);

    let first = catalog.grids(&slug("shop"), &Paging { limit: 1, after: None }).await.expect("a page");
    assert_eq!(first.items, [grid("shop", "app")]);
    let second = catalog.grids(&slug("shop"), &Paging { limit: 1, after: first.next }).await.expect("a page");
    assert_eq!(second, Page { items: vec![grid("shop", "web")], next: None });
    let none = catalog.grids(&slug("none"), &Paging { limit: 1, after: None }).await.expect("a page");
    assert_eq!(none, Page { items: Vec::new(), next: None });
}

async fn a_foreign_cursor_is_refused(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    for text in ["", "' OR 1=1 --", "A", "1.x", "\0", "99999999999999999999.000000000001"] {
        let paging = Paging { limit: 1, after: Some(text.to_owned()) };
        let errors = [
            catalog.projects(&paging).await.expect_err(text),
            catalog.grids(&slug("shop"), &paging).await.expect_err(text),
            catalog.keys(&KeyFilter::default(), at(0), &paging).await.expect_err(text),
        ];
        assert!(errors.iter().all(|error| matches!(error, CatalogError::Cursor)), "{text:?}: {errors:?}");
    }
}

async fn of_racing_creates_one_wins(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    catalog.create_project(&project("shop"), &by(0)).await.expect("a project");
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let catalog = Arc::clone(&catalog);
            tokio::spawn(async move {
                (
                    catalog.create_project(&project("bank"), &by(0)).await,
                    catalog.create_grid(&grid("shop", "web"), &by(0)).await,
                )
            })
        })
        .collect();
    let (mut projects, mut grids) = (0, 0);
    for task in tasks {
        let (project, grid) = task.await.expect("no panic");
        projects += usize::from(project.is_ok());
        grids += usize::from(grid.is_ok());
        assert!(matches!(project, Ok(()) | Err(CatalogError::Exists(Entity::Project))), "{project:?}");
        assert!(matches!(grid, Ok(()) | Err(CatalogError::Exists(Entity::Grid))), "{grid:?}");
    }
    assert_eq!((projects, grids), (1, 1));
}
