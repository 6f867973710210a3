//! Plans, limits, suspensions, and the terms that come of them.

use std::sync::Arc;

use gridgate::catalog::{AuditFilter, Catalog, CatalogError, Entity, ImportedKey, Paging, TenantLimits};
use gridgate::domain::audit::Action;
use gridgate::domain::key::KeyEdit;
use gridgate::domain::limit::{Scope, Terms};
use gridgate::domain::plan::PlanEdit;
use gridgate::domain::project::{ProjectChange, ProjectEdit, ProjectRefused, Suspension};
use gridgate::domain::{Actor, Binding, Changed, Key, KeyChange, Limits, Plan, Project, Tenant, Timestamp};
use serde_json::{Value, json};

use super::{Fresh, at, by, key, on_both, project, slug, with_grids};

on_both!(
    a_plan_comes_back_as_it_was_written,
    plans_come_in_pages,
    a_plan_is_changed_and_deleted_at_the_version_that_was_meant,
    a_plan_that_a_project_has_stays,
    a_project_comes_back_as_it_was_changed,
    a_project_is_suspended_once_and_resumed,
    a_tenant_has_limits_before_it_has_keys,
    a_key_keeps_its_limits,
    what_holds_is_ones_own_before_the_plans,
    as_many_keys_are_active_as_the_plan_says,
    the_end_of_a_plan_is_told_once,
    damaged_limits_are_no_terms,
);

fn limits(text: &str) -> Limits {
    text.parse().expect("limits")
}

fn web() -> Tenant {
    Tenant { project: slug("shop"), grid: slug("web"), environment: slug("production") }
}

fn plan(text: &str) -> Plan {
    Plan {
        note: "für Zoë\n'; --".to_owned(),
        limits: [limits("5 requests/second"), limits("10 items/day warn"), limits("100 items/month")],
        max_active_keys: Some(3),
        ..Plan::new(slug(text), format!("The {text}"), at(1))
    }
}

async fn with_plan(fresh: &Fresh) -> Arc<dyn Catalog> {
    let catalog = with_grids(fresh).await;
    catalog.create_plan(&plan("trial"), &by(1)).await.expect("a plan");
    catalog
}

fn edit(edit: ProjectEdit) -> ProjectChange {
    ProjectChange::Edit(Box::new(edit))
}

/// The project `shop` has the plan `trial` until `ends_at`.
fn on_trial(ends_at: Option<Timestamp>) -> ProjectChange {
    edit(ProjectEdit { plan: Some(Some(slug("trial"))), plan_ends_at: Some(ends_at), ..ProjectEdit::default() })
}

async fn change(
    catalog: &dyn Catalog,
    change: &ProjectChange,
    micros: i64,
) -> Result<(Project, Changed), CatalogError> {
    Ok(catalog.change_project(&slug("shop"), change, None, &by(micros)).await?.expect("the project"))
}

/// Each entry of the audit log about plans, tenants and changes of projects, the oldest first: action, target, before and after.
async fn audited(catalog: &dyn Catalog) -> Vec<(String, String, Value, Value)> {
    let all = Paging { limit: 200, after: None };
    let page = catalog.audit_entries(&AuditFilter::default(), &all).await.expect("entries");
    let mut entries: Vec<_> = page
        .items
        .into_iter()
        .filter(|entry| ["plan", "tenant", "project"].contains(&entry.target_kind.as_str()))
        .filter(|entry| entry.action != "project.created")
        .map(|entry| (entry.action, entry.target, entry.before.into(), entry.after.into()))
        .collect();
    entries.reverse();
    entries
}

/// An entry as [`audited`] has it.
fn entry(action: Action, target: &str, before: Value, after: Value) -> (String, String, Value, Value) {
    (action.to_string(), target.to_owned(), before, after)
}

async fn a_plan_comes_back_as_it_was_written(fresh: Arc<Fresh>) {
    let catalog = with_plan(&fresh).await;
    assert_eq!(catalog.plan(&slug("trial")).await.expect("an answer"), Some(plan("trial")));
    assert_eq!(catalog.plan(&slug("other")).await.expect("an answer"), None);
    let taken = catalog.create_plan(&plan("trial"), &by(2)).await;
    assert!(matches!(taken, Err(CatalogError::Exists(Entity::Plan))), "{taken:?}");
    let created = json!({
        "name": "The trial",
        "note": "für Zoë\n'; --",
        "key_limits": ["5 requests/second"],
        "tenant_limits": ["10 items/day warn"],
        "project_limits": ["100 items/month"],
        "max_active_keys": 3,
    });
    assert_eq!(audited(&*catalog).await, [entry(Action::PlanCreated, "trial", Value::Null, created)]);
}

async fn plans_come_in_pages(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    for text in ["c", "a", "b"] {
        catalog.create_plan(&plan(text), &by(1)).await.expect("a plan");
    }
    let first = catalog.plans(&Paging { limit: 2, after: None }).await.expect("a page");
    assert_eq!(first.items, [plan("a"), plan("b")]);
    let second = catalog.plans(&Paging { limit: 2, after: first.next }).await.expect("a page");
    assert_eq!((second.items, second.next), (vec![plan("c")], None));
    let bad = catalog.plans(&Paging { limit: 2, after: Some("No slug".to_owned()) }).await;
    assert!(matches!(bad, Err(CatalogError::Cursor)), "{bad:?}");
}

async fn a_plan_is_changed_and_deleted_at_the_version_that_was_meant(fresh: Arc<Fresh>) {
    let catalog = with_plan(&fresh).await;
    let (trial, name) = (slug("trial"), Some("Free".to_owned()));
    let mut edit = PlanEdit { name, max_active_keys: Some(None), ..PlanEdit::default() };
    edit.limits[Scope::Tenant as usize] = Some(Limits::default());
    let late = catalog.change_plan(&trial, &edit, Some(2), &by(5)).await;
    assert!(matches!(late, Err(CatalogError::VersionConflict { current: 1 })), "{late:?}");
    let mut expected = plan("trial");
    expected.edit(&edit, at(5));
    let changed = catalog.change_plan(&trial, &edit, Some(1), &by(5)).await.expect("an answer");
    assert_eq!(changed, Some((expected.clone(), Changed::Yes)));
    assert_eq!(catalog.plan(&trial).await.expect("an answer"), Some(expected.clone()));
    let again = catalog.change_plan(&trial, &edit, Some(2), &by(6)).await.expect("an answer");
    assert_eq!(again, Some((expected.clone(), Changed::Already)));
    assert!(catalog.change_plan(&slug("other"), &edit, None, &by(6)).await.expect("an answer").is_none());
    let late = catalog.delete_plan(&trial, Some(1), &by(7)).await;
    assert!(matches!(late, Err(CatalogError::VersionConflict { current: 2 })), "{late:?}");
    assert_eq!(catalog.delete_plan(&trial, Some(2), &by(7)).await.expect("an answer"), Some(expected));
    assert_eq!(catalog.delete_plan(&trial, None, &by(7)).await.expect("an answer"), None);
    assert_eq!(catalog.plan(&trial).await.expect("an answer"), None);
    let entries = audited(&*catalog).await;
    let (before, after) = (
        json!({"name": "The trial", "tenant_limits": ["10 items/day warn"], "max_active_keys": 3}),
        json!({"name": "Free", "tenant_limits": [], "max_active_keys": null}),
    );
    assert_eq!(entries[1], entry(Action::PlanEdited, "trial", before, after));
    assert_eq!((entries[2].0.as_str(), &entries[2].3), ("plan.deleted", &Value::Null));
    assert_eq!(entries.len(), 3);
}

async fn a_plan_that_a_project_has_stays(fresh: Arc<Fresh>) {
    let catalog = with_plan(&fresh).await;
    change(&*catalog, &on_trial(None), 2).await.expect("a change");
    let kept = catalog.delete_plan(&slug("trial"), None, &by(3)).await;
    assert!(matches!(kept, Err(CatalogError::PlanInUse)), "{kept:?}");
    change(&*catalog, &edit(ProjectEdit { plan: Some(None), ..ProjectEdit::default() }), 4).await.expect("a change");
    assert!(catalog.delete_plan(&slug("trial"), None, &by(5)).await.expect("an answer").is_some());
    let unknown = change(&*catalog, &on_trial(None), 6).await;
    assert!(matches!(unknown, Err(CatalogError::Missing(Entity::Plan))), "{unknown:?}");
    let unknown = catalog.create_project(&Project { plan: Some(slug("trial")), ..project("new") }, &by(6)).await;
    assert!(matches!(unknown, Err(CatalogError::Missing(Entity::Plan))), "{unknown:?}");
}

async fn a_project_comes_back_as_it_was_changed(fresh: Arc<Fresh>) {
    let catalog = with_plan(&fresh).await;
    let all = edit(ProjectEdit {
        name: Some("Shop".to_owned()),
        plan: Some(Some(slug("trial"))),
        plan_ends_at: Some(Some(at(90))),
        limits: Some(limits("traces 7 bytes/second burst 9 observe")),
        max_active_keys: Some(Some(4)),
    });
    let (changed, what) = change(&*catalog, &all, 5).await.expect("a change");
    let expected = Project {
        name: "Shop".to_owned(),
        plan: Some(slug("trial")),
        plan_ends_at: Some(at(90)),
        limits: limits("traces 7 bytes/second burst 9 observe"),
        max_active_keys: Some(4),
        version: 2,
        ..project("shop")
    };
    assert_eq!((&changed, what), (&expected, Changed::Yes));
    assert_eq!(catalog.project(&slug("shop")).await.expect("an answer"), Some(expected.clone()));
    assert_eq!(change(&*catalog, &all, 6).await.expect("a change"), (expected.clone(), Changed::Already));
    let late = catalog.change_project(&slug("shop"), &all, Some(1), &by(6)).await;
    assert!(matches!(late, Err(CatalogError::VersionConflict { current: 2 })), "{late:?}");
    assert!(catalog.change_project(&slug("none"), &all, None, &by(6)).await.expect("an answer").is_none());
    let endless = edit(ProjectEdit { plan_ends_at: Some(Some(at(9))), ..ProjectEdit::default() });
    let refused = catalog.change_project(&slug("bank"), &endless, None, &by(6)).await;
    assert!(matches!(refused, Err(CatalogError::ProjectRefused(ProjectRefused::NoPlan))), "{refused:?}");
    // What a project is made with is kept, too.
    let suspended = Some(Suspension { at: at(3), reason: "unpaid".to_owned() });
    let made = Project { slug: slug("made"), suspended, version: 1, ..expected };
    catalog.create_project(&made, &by(7)).await.expect("a project");
    assert_eq!(catalog.project(&slug("made")).await.expect("an answer"), Some(made));
    let entries = audited(&*catalog).await;
    let before = json!({"name": "The shop", "plan": null, "plan_ends_at": null, "limits": [], "max_active_keys": null});
    let after = json!({
        "name": "Shop",
        "plan": "trial",
        "plan_ends_at": at(90).to_string(),
        "limits": ["traces 7 bytes/second burst 9 observe"],
        "max_active_keys": 4,
    });
    assert_eq!(entries[1..], [entry(Action::ProjectEdited, "shop", before, after)]);
}

async fn a_project_is_suspended_once_and_resumed(fresh: Arc<Fresh>) {
    let catalog = with_plan(&fresh).await;
    let suspend = |why: &str| ProjectChange::Suspend(why.to_owned());
    let (suspended, _) = change(&*catalog, &suspend("unpaid"), 5).await.expect("a change");
    assert_eq!(suspended.suspended, Some(Suspension { at: at(5), reason: "unpaid".to_owned() }));
    assert_eq!(change(&*catalog, &suspend("again"), 6).await.expect("a change"), (suspended.clone(), Changed::Already));
    assert_eq!(catalog.project(&slug("shop")).await.expect("an answer"), Some(suspended));
    let terms = catalog.terms(&web(), &Limits::default()).await.expect("terms");
    assert_eq!((terms.suspended_at, terms.plan_ends_at), (Some(at(5)), None));
    change(&*catalog, &on_trial(Some(at(50))), 7).await.expect("a change");
    let refused = change(&*catalog, &ProjectChange::Resume, 50).await;
    let ended = ProjectRefused::PlanEnded { at: at(50) };
    assert!(matches!(refused, Err(CatalogError::ProjectRefused(why)) if why == ended), "{refused:?}");
    let (resumed, _) = change(&*catalog, &ProjectChange::Resume, 49).await.expect("a change");
    assert_eq!((resumed.suspended, resumed.version), (None, 4));
    assert_eq!(change(&*catalog, &ProjectChange::Resume, 49).await.expect("a change").1, Changed::Already);
    let terms = catalog.terms(&web(), &Limits::default()).await.expect("terms");
    assert_eq!((terms.suspended_at, terms.plan_ends_at), (None, Some(at(50))));
    let actions: Vec<_> = audited(&*catalog).await.into_iter().map(|entry| entry.0).collect();
    assert_eq!(actions, ["plan.created", "project.suspended", "project.edited", "project.resumed"]);
}

async fn a_tenant_has_limits_before_it_has_keys(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let none = TenantLimits { limits: Limits::default(), version: 1 };
    assert_eq!(catalog.tenant_limits(&web()).await.expect("an answer"), none);
    let own = limits("10 items/second, 20 items/day observe");
    let late = catalog.change_tenant_limits(&web(), &own, Some(2), &by(5)).await;
    assert!(matches!(late, Err(CatalogError::VersionConflict { current: 1 })), "{late:?}");
    let expected = TenantLimits { limits: own.clone(), version: 2 };
    let changed = catalog.change_tenant_limits(&web(), &own, Some(1), &by(5)).await.expect("a change");
    assert_eq!(changed, (expected.clone(), Changed::Yes));
    let again = catalog.change_tenant_limits(&web(), &own, None, &by(6)).await.expect("a change");
    assert_eq!(again, (expected.clone(), Changed::Already));
    catalog.create_key(&key(1, Binding::Tenant(web())), Action::KeyCreated, &by(7)).await.expect("a key");
    assert_eq!(catalog.tenant_limits(&web()).await.expect("an answer"), expected);
    for (tenant, entity) in [
        (Tenant { project: slug("none"), ..web() }, Entity::Project),
        (Tenant { grid: slug("none"), ..web() }, Entity::Grid),
        (Tenant { environment: slug("none"), ..web() }, Entity::Environment),
    ] {
        let missing = catalog.change_tenant_limits(&tenant, &own, None, &by(8)).await;
        assert!(matches!(missing, Err(CatalogError::Missing(found)) if found == entity), "{missing:?}");
    }
    let after = json!({"limits": ["10 items/second", "20 items/day observe"]});
    let expected = entry(Action::TenantEdited, "shop/web/production", json!({"limits": []}), after);
    assert_eq!(audited(&*catalog).await, [expected]);
}

async fn a_key_keeps_its_limits(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let made = Key { limits: limits("logs 10 items/second burst 20 warn"), ..key(1, Binding::Tenant(web())) };
    catalog.create_key(&made, Action::KeyCreated, &by(1)).await.expect("a key");
    let read = async || catalog.key(&made.id).await.expect("an answer").expect("the key");
    assert_eq!(read().await.limits, made.limits);
    let other = KeyEdit { limits: Some(limits("5 requests/second")), ..KeyEdit::default() };
    let changed = catalog.change_key(&made.id, &KeyChange::Edit(Box::new(other)), None, &by(2)).await;
    assert_eq!(changed.expect("an answer").expect("the key").1, Changed::Yes);
    assert_eq!(read().await.limits, limits("5 requests/second"));
    let filter = AuditFilter { action: Some(Action::KeyEdited), ..AuditFilter::default() };
    let entries = catalog.audit_entries(&filter, &Paging { limit: 1, after: None }).await.expect("entries").items;
    assert_eq!(entries[0].after, Some(json!({"limits": ["5 requests/second"]})));
}

async fn what_holds_is_ones_own_before_the_plans(fresh: Arc<Fresh>) {
    let catalog = with_plan(&fresh).await;
    let terms = async |key: &str| catalog.terms(&web(), &limits(key)).await.expect("terms");
    assert_eq!(terms("").await, Terms::default());
    let of = |key: &str, tenant: &str, project: &str| [limits(key), limits(tenant), limits(project)];
    change(&*catalog, &on_trial(None), 2).await.expect("a change");
    assert_eq!(terms("").await.limits, of("5 requests/second", "10 items/day warn", "100 items/month"));
    catalog.change_tenant_limits(&web(), &limits("99 items/day"), None, &by(3)).await.expect("a change");
    let own = ProjectEdit { limits: Some(limits("7 bytes/second")), ..ProjectEdit::default() };
    change(&*catalog, &edit(own), 4).await.expect("a change");
    let expected = of("5 requests/second, traces 1 items/second", "99 items/day", "7 bytes/second, 100 items/month");
    assert_eq!(terms("traces 1 items/second").await.limits, expected);
    // Of another tenant only what is the project's, and of another project nothing.
    let app = Tenant { grid: slug("app"), ..web() };
    let expected = of("5 requests/second", "10 items/day warn", "7 bytes/second, 100 items/month");
    assert_eq!(catalog.terms(&app, &Limits::default()).await.expect("terms").limits, expected);
    let bank = Tenant { project: slug("bank"), ..web() };
    assert_eq!(catalog.terms(&bank, &Limits::default()).await.expect("terms"), Terms::default());
    let nowhere = catalog.terms(&Tenant { project: slug("none"), ..web() }, &Limits::default()).await;
    assert!(matches!(nowhere, Err(CatalogError::Missing(Entity::Project))), "{nowhere:?}");
}

async fn as_many_keys_are_active_as_the_plan_says(fresh: Arc<Fresh>) {
    let catalog = with_plan(&fresh).await;
    change(&*catalog, &on_trial(None), 2).await.expect("a change");
    let create = async |number| {
        catalog.create_key(&key(number, Binding::Tenant(web())), Action::KeyCreated, &by(i64::from(number))).await
    };
    for number in 1..=3 {
        create(number).await.expect("a key");
    }
    let refused = create(4).await;
    assert!(matches!(refused, Err(CatalogError::KeyLimit { most: 3, .. })), "{refused:?}");
    let imported = ImportedKey { key: key(5, Binding::Tenant(web())), digests: Vec::new() };
    let faults = catalog.check_import(&[imported], &by(5)).await.expect("an answer");
    assert!(matches!(faults[0].error, CatalogError::KeyLimit { most: 3, .. }), "{faults:?}");
    // The project's own number comes first.
    let more = ProjectEdit { max_active_keys: Some(Some(4)), ..ProjectEdit::default() };
    change(&*catalog, &edit(more), 5).await.expect("a change");
    create(4).await.expect("a key");
    let refused = create(5).await;
    assert!(matches!(refused, Err(CatalogError::KeyLimit { most: 4, .. })), "{refused:?}");
}

async fn the_end_of_a_plan_is_told_once(fresh: Arc<Fresh>) {
    let catalog = with_plan(&fresh).await;
    change(&*catalog, &on_trial(Some(at(50))), 2).await.expect("a change");
    let ended = async |micros| {
        let found = catalog.ended_plans(at(micros), 10).await.expect("an answer");
        found.into_iter().map(|project| project.slug.to_string()).collect::<Vec<_>>()
    };
    assert!(ended(49).await.is_empty());
    assert_eq!(ended(50).await, ["shop"]);
    let told = async |micros| {
        catalog
            .told_plan_end(&slug("shop"), at(micros), &[], &Actor::system("plans", at(micros)))
            .await
            .expect("an answer")
    };
    // Meanwhile it could have got another end.
    assert!(!told(49).await);
    assert!(told(50).await);
    assert!(!told(50).await);
    assert!(ended(90).await.is_empty());
    change(&*catalog, &on_trial(Some(at(70))), 60).await.expect("a change");
    assert_eq!(ended(90).await, ["shop"]);
}

async fn damaged_limits_are_no_terms(fresh: Arc<Fresh>) {
    let catalog = with_plan(&fresh).await;
    change(&*catalog, &on_trial(None), 2).await.expect("a change");
    fresh.execute("UPDATE plans SET tenant_limits = '10 items/hour'").await;
    let damaged = catalog.terms(&web(), &Limits::default()).await;
    assert!(matches!(damaged, Err(CatalogError::Damaged(_))), "{damaged:?}");
}
