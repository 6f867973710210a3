//! Roles, and who may change what.

use std::sync::Arc;

use gridgate::catalog::{Catalog, CatalogError, Entity, Page, Paging};
use gridgate::domain::audit::{Action, Actor, Via};
use gridgate::domain::authority::AuthorityError;
use gridgate::domain::key::{Grant, KeyEdit};
use gridgate::domain::role::{self, Custom, RoleEdit};
use gridgate::domain::{Binding, Changed, Key, KeyChange, KeyId, Permissions, Role, TokenKind};

use super::{Fresh, at, by, key, on_both, slug, tenant, with_grids};

on_both!(
    a_role_comes_back_as_it_was_written,
    a_slug_means_one_role_wherever_it_is_used,
    roles_come_in_pages_with_the_built_in_ones,
    a_key_may_do_what_its_role_holds_now,
    a_role_in_use_stays,
    an_edit_for_another_version_is_refused,
    nobody_reaches_above_themselves,
    who_is_gone_changes_nothing,
    who_lost_the_permission_changes_nothing,
    the_last_owner_stays,
    a_projects_last_owner_stays_for_its_own,
    of_two_owners_who_remove_each_other_one_stays,
);

fn custom(of: Option<&str>, text: &str, kind: TokenKind, permissions: &str) -> Role {
    let custom = Custom { project: of.map(slug), version: 1, created_at: at(3), updated_at: at(3) };
    Role {
        slug: slug(text),
        kind,
        name: format!("The {text}"),
        note: "für Zoë\n'; --".to_owned(),
        permissions: set(permissions),
        custom: Some(custom),
    }
}

fn set(text: &str) -> Permissions {
    text.parse().expect("permissions")
}

/// By the admin key `id`, over the API.
fn as_key(id: KeyId, micros: i64) -> Actor {
    Actor { key: Some(id), via: Via::Api, ..by(micros) }
}

/// An admin key, already written.
async fn admin(catalog: &dyn Catalog, number: u8, binding: Binding, permissions: &str) -> Key {
    let key = Key { permissions: set(permissions), ..key(number, binding) };
    catalog.create_key(&key, Action::KeyCreated, &by(0)).await.expect("a key");
    key
}

/// A key with a role, already written. What the role holds is not asked of the key.
async fn with_role(catalog: &dyn Catalog, number: u8, binding: Binding, role: &str) -> Key {
    let key = Key { role: Some(slug(role)), permissions: Permissions::default(), ..key(number, binding) };
    catalog.create_key(&key, Action::KeyCreated, &by(0)).await.expect("a key");
    key
}

async fn held(catalog: &dyn Catalog, key: &Key) -> String {
    catalog.key(&key.id).await.expect("an answer").expect("the key").permissions.to_string()
}

fn permissions(text: &str) -> RoleEdit {
    RoleEdit { permissions: Some(set(text)), ..RoleEdit::default() }
}

fn edit(edit: KeyEdit) -> KeyChange {
    KeyChange::Edit(Box::new(edit))
}

fn grant(permissions: &str) -> KeyChange {
    edit(KeyEdit { grant: Some(Grant { role: None, permissions: set(permissions) }), ..KeyEdit::default() })
}

fn is_refused<T: std::fmt::Debug>(answer: Result<T, CatalogError>) -> bool {
    matches!(
        answer.expect_err("refused"),
        CatalogError::Refused(AuthorityError::Grant { .. } | AuthorityError::Above { .. })
    )
}

fn is_last_owner<T: std::fmt::Debug>(answer: Result<T, CatalogError>) -> bool {
    matches!(answer.expect_err("refused"), CatalogError::LastOwner)
}

async fn a_role_comes_back_as_it_was_written(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let support = custom(None, "support", TokenKind::Admin, "api.key.view customer.read");
    let reader = custom(Some("shop"), "reader", TokenKind::Ingest, "telemetry.logs.write customer.read");
    let shop = slug("shop");
    for (of, role) in [(None, &support), (Some(&shop), &reader)] {
        assert_eq!(catalog.role(of, &role.slug).await.expect("an answer"), None);
        catalog.create_role(role, &by(3)).await.expect("a role");
        assert_eq!(catalog.role(of, &role.slug).await.expect("an answer").as_ref(), Some(role));
    }
    // One of the installation is every project's, one of a project is nobody else's.
    assert_eq!(catalog.role(Some(&shop), &support.slug).await.expect("an answer"), Some(support));
    assert_eq!(catalog.role(None, &reader.slug).await.expect("an answer"), None);
    assert_eq!(catalog.role(Some(&slug("bank")), &reader.slug).await.expect("an answer"), None);

    let edit = RoleEdit { name: Some("Readers".to_owned()), note: Some(String::new()), permissions: Some(set("a.b")) };
    let (edited, changed) =
        catalog.change_role(Some(&shop), &reader.slug, &edit, Some(1), &by(9)).await.expect("an answer").expect("it");
    let custom = Custom { version: 2, updated_at: at(9), ..reader.custom.clone().expect("it is custom") };
    let expected = Role {
        name: "Readers".to_owned(),
        note: String::new(),
        permissions: set("a.b"),
        custom: Some(custom),
        ..reader.clone()
    };
    assert_eq!((&edited, changed), (&expected, Changed::Yes));
    assert_eq!(catalog.role(Some(&shop), &reader.slug).await.expect("an answer"), Some(expected.clone()));
    let again = catalog.change_role(Some(&shop), &reader.slug, &edit, None, &by(10)).await.expect("an answer");
    assert_eq!(again, Some((expected, Changed::Already)));
    let gone = catalog.delete_role(Some(&shop), &reader.slug, Some(2), &by(11)).await.expect("an answer");
    assert_eq!(gone, Some(edited));
    assert_eq!(catalog.role(Some(&shop), &reader.slug).await.expect("an answer"), None);
    assert_eq!(catalog.delete_role(Some(&shop), &reader.slug, None, &by(12)).await.expect("an answer"), None);
    let none = catalog.change_role(None, &slug("owner"), &edit, None, &by(13)).await.expect("an answer");
    assert_eq!(none, None, "a built-in role is none that changes");
}

async fn a_slug_means_one_role_wherever_it_is_used(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let role = |of, text| custom(of, text, TokenKind::Admin, "a.b");
    catalog.create_role(&role(None, "common"), &by(0)).await.expect("a role");
    catalog.create_role(&role(Some("shop"), "local"), &by(0)).await.expect("a role");
    catalog.create_role(&role(Some("bank"), "local"), &by(0)).await.expect("another project's");
    for taken in [
        role(None, "common"),
        role(Some("shop"), "common"),
        role(Some("shop"), "local"),
        role(None, "local"),
        role(None, "owner"),
        role(Some("shop"), "ingest"),
    ] {
        let error = catalog.create_role(&taken, &by(0)).await.expect_err("taken");
        assert!(matches!(error, CatalogError::Exists(Entity::Role)), "{error}");
    }
    let error = catalog.create_role(&role(Some("nowhere"), "new"), &by(0)).await.expect_err("no project");
    assert!(matches!(error, CatalogError::Missing(Entity::Project)), "{error}");
}

async fn roles_come_in_pages_with_the_built_in_ones(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    for (of, text) in [(None, "aa"), (None, "ingest-a"), (Some("shop"), "zz"), (Some("bank"), "bank")] {
        catalog.create_role(&custom(of, text, TokenKind::Admin, "a.b"), &by(0)).await.expect("a role");
    }
    let mut expected: Vec<_> = role::all_built_in().iter().map(|role| role.slug.to_string()).collect();
    expected.extend(["aa", "ingest-a", "zz"].map(str::to_owned));
    expected.sort();
    for limit in 1..=expected.len() + 1 {
        let mut paging = Paging { limit: u32::try_from(limit).expect("few"), after: None };
        let mut found = Vec::new();
        loop {
            let Page { items, next } = catalog.roles(Some(&slug("shop")), &paging).await.expect("a page");
            found.extend(items.iter().map(|role| role.slug.to_string()));
            let Some(next) = next else { break };
            assert_eq!(items.len(), limit, "only the last page is short");
            paging.after = Some(next);
        }
        assert_eq!(found, expected, "{limit}");
    }
    let all = catalog.roles(None, &Paging { limit: 100, after: None }).await.expect("a page").items;
    assert_eq!(all.len(), expected.len() - 1, "the installation's keys have none of a project's");
    let bad = catalog.roles(None, &Paging { limit: 1, after: Some("../x".to_owned()) }).await;
    assert!(matches!(bad, Err(CatalogError::Cursor)));
}

async fn a_key_may_do_what_its_role_holds_now(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let catalog = &*catalog;
    catalog.create_role(&custom(None, "common", TokenKind::Ingest, "a.common"), &by(0)).await.expect("a role");
    for (of, name) in [("shop", "a.shop"), ("bank", "a.bank")] {
        catalog.create_role(&custom(Some(of), "local", TokenKind::Ingest, name), &by(0)).await.expect("a role");
    }
    let common = with_role(catalog, 1, tenant("shop", "web", "staging"), "common").await;
    let of_shop = with_role(catalog, 2, tenant("shop", "web", "staging"), "local").await;
    let of_bank = with_role(catalog, 3, tenant("bank", "web", "staging"), "local").await;
    let owner = with_role(catalog, 4, Binding::Installation, "owner").await;
    assert_eq!(held(catalog, &common).await, "a.common");
    assert_eq!(held(catalog, &of_shop).await, "a.shop");
    assert_eq!(held(catalog, &of_bank).await, "a.bank");
    assert_eq!(held(catalog, &owner).await, "*");
    catalog.change_role(None, &slug("common"), &permissions("b.common"), None, &by(9)).await.expect("an edit");
    catalog
        .change_role(Some(&slug("shop")), &slug("local"), &permissions("b.shop"), None, &by(9))
        .await
        .expect("an edit");
    assert_eq!(held(catalog, &common).await, "b.common");
    assert_eq!(held(catalog, &of_shop).await, "b.shop");
    assert_eq!(held(catalog, &of_bank).await, "a.bank");

    // A role for the other kind of key, one of another project, and one that is not there.
    for (number, role) in [(5, "owner"), (6, "reader"), (7, "nothing")] {
        let wrong = Key { role: Some(slug(role)), ..key(number, tenant("bank", "web", "staging")) };
        let error = catalog.create_key(&wrong, Action::KeyCreated, &by(0)).await.expect_err("no such role");
        assert!(matches!(error, CatalogError::Missing(Entity::Role)), "{role}: {error}");
        let change = KeyEdit { grant: Some(Grant { role: wrong.role, permissions: set("a.b") }), ..KeyEdit::default() };
        let error = catalog.change_key(&of_bank.id, &edit(change), None, &by(0)).await.expect_err("no such role");
        assert!(matches!(error, CatalogError::Missing(Entity::Role)), "{role}: {error}");
    }
    assert_eq!(held(catalog, &of_bank).await, "a.bank");
}

async fn a_role_in_use_stays(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let shop = slug("shop");
    catalog.create_role(&custom(None, "common", TokenKind::Ingest, "a.b"), &by(0)).await.expect("a role");
    catalog.create_role(&custom(Some("shop"), "local", TokenKind::Ingest, "a.b"), &by(0)).await.expect("a role");
    let common = with_role(&*catalog, 1, tenant("shop", "web", "staging"), "common").await;
    let expired =
        Key { expires_at: Some(at(5)), role: Some(slug("local")), ..key(2, tenant("shop", "web", "staging")) };
    catalog.create_key(&expired, Action::KeyCreated, &by(0)).await.expect("a key");
    for (of, role) in [(None, "common"), (Some(&shop), "local")] {
        let error = catalog.delete_role(of, &slug(role), None, &by(9)).await.expect_err("in use");
        assert!(matches!(error, CatalogError::RoleInUse), "{error}");
    }
    for (of, key) in [(None, common), (Some(&shop), expired)] {
        catalog.change_key(&key.id, &KeyChange::Revoke, None, &by(9)).await.expect("an answer");
        let role = key.role.clone().expect("a role");
        assert!(catalog.delete_role(of, &role, None, &by(10)).await.expect("not in use").is_some());
        // The revoked key is still shown; it may do nothing.
        let left = catalog.key(&key.id).await.expect("an answer").expect("the key");
        assert_eq!((left.role, left.permissions.to_string()), (Some(role), String::new()));
    }
}

async fn an_edit_for_another_version_is_refused(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    catalog.create_role(&custom(None, "common", TokenKind::Ingest, "a.b"), &by(0)).await.expect("a role");
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let catalog = Arc::clone(&catalog);
            let edit = RoleEdit { name: Some(format!("name {number}")), ..RoleEdit::default() };
            tokio::spawn(async move { catalog.change_role(None, &slug("common"), &edit, Some(1), &by(9)).await })
        })
        .collect();
    let mut wins = 0;
    for task in tasks {
        match task.await.expect("no panic") {
            Ok(Some((role, Changed::Yes))) => {
                wins += 1;
                assert_eq!(catalog.role(None, &slug("common")).await.expect("an answer"), Some(role));
            }
            Err(CatalogError::VersionConflict { current: 2 }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(wins, 1);
    let error = catalog.delete_role(None, &slug("common"), Some(1), &by(9)).await.expect_err("another version");
    assert!(matches!(error, CatalogError::VersionConflict { current: 2 }), "{error}");
}

async fn nobody_reaches_above_themselves(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let catalog = &*catalog;
    let low = admin(catalog, 1, Binding::Installation, "api.key.create api.key.update customer.read").await;
    let owner = admin(catalog, 2, Binding::Installation, "*").await;
    let (me, boss) = (as_key(low.id, 9), as_key(owner.id, 9));

    // Making: by permissions and by role.
    let new = |number, permissions: &str| Key { permissions: set(permissions), ..key(number, Binding::Installation) };
    assert!(is_refused(catalog.create_key(&new(10, "role.create"), Action::KeyCreated, &me).await));
    let by_role = Key { role: Some(slug("admin")), ..new(10, "customer.read") };
    assert!(is_refused(catalog.create_key(&by_role, Action::KeyCreated, &me).await));
    catalog.create_key(&new(10, "customer.read"), Action::KeyCreated, &me).await.expect("held");
    catalog.create_key(&key(11, tenant("shop", "web", "staging")), Action::KeyCreated, &me).await.expect("exporting");

    // Changing: others who hold more, and oneself.
    for change in
        [KeyChange::Disable, KeyChange::Revoke, edit(KeyEdit { note: Some("x".to_owned()), ..KeyEdit::default() })]
    {
        assert!(is_refused(catalog.change_key(&owner.id, &change, None, &me).await), "{change:?}");
    }
    assert!(is_refused(catalog.change_key(&low.id, &grant("*"), None, &me).await));
    let to_admin = Grant { role: Some(slug("admin")), permissions: Permissions::default() };
    let to_admin = edit(KeyEdit { grant: Some(to_admin), ..KeyEdit::default() });
    assert!(is_refused(catalog.change_key(&low.id, &to_admin, None, &me).await));
    catalog.change_key(&low.id, &grant("api.key.update customer.read"), None, &me).await.expect("less");

    // Roles.
    let role = |text: &str, permissions| custom(None, text, TokenKind::Admin, permissions);
    assert!(is_refused(catalog.create_role(&role("high", "license.manage"), &me).await));
    catalog.create_role(&role("high", "license.manage"), &boss).await.expect("an owner may");
    catalog.create_role(&role("low", "customer.read"), &me).await.expect("held");
    assert!(is_refused(catalog.change_role(None, &slug("low"), &permissions("license.manage"), None, &me).await));
    assert!(is_refused(catalog.change_role(None, &slug("high"), &permissions("customer.read"), None, &me).await));
    assert!(is_refused(catalog.delete_role(None, &slug("high"), None, &me).await));
    catalog.delete_role(None, &slug("high"), None, &boss).await.expect("an owner may");
    assert_eq!(held(catalog, &owner).await, "*");
    assert_eq!(held(catalog, &low).await, "api.key.update customer.read");
}

async fn who_is_gone_changes_nothing(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let catalog = &*catalog;
    let owner = admin(catalog, 1, Binding::Installation, "*").await;
    for (number, change) in [(2, KeyChange::Disable), (3, KeyChange::Revoke)] {
        let gone = admin(catalog, number, Binding::Installation, "*").await;
        catalog.change_key(&gone.id, &change, None, &by(9)).await.expect("an answer");
        let error = catalog.change_key(&owner.id, &KeyChange::Disable, None, &as_key(gone.id, 9)).await;
        assert!(matches!(error, Err(CatalogError::ActorGone)), "{error:?}");
    }
    let expired = Key { expires_at: Some(at(9)), permissions: set("*"), ..key(4, Binding::Installation) };
    catalog.create_key(&expired, Action::KeyCreated, &by(0)).await.expect("a key");
    let role = custom(None, "support", TokenKind::Admin, "a.b");
    let error = catalog.create_role(&role, &as_key(expired.id, 9)).await;
    assert!(matches!(error, Err(CatalogError::ActorGone)), "{error:?}");
    catalog.create_role(&role, &as_key(expired.id, 8)).await.expect("not yet expired");
    let unknown = as_key(key(5, Binding::Installation).id, 9);
    let error = catalog.create_project(&super::project("new"), &unknown).await;
    assert!(matches!(error, Err(CatalogError::ActorGone)), "{error:?}");
}

/// The request was let in when its key still had the permission; it was cut, of the key or of its role, before the change was made.
async fn who_lost_the_permission_changes_nothing(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let catalog = &*catalog;
    let held = "project.create grid.create";
    catalog.create_role(&custom(None, "maker", TokenKind::Admin, held), &by(0)).await.expect("a role");
    let of_role = with_role(catalog, 1, Binding::Installation, "maker").await;
    let of_its_own = admin(catalog, 2, Binding::Installation, held).await;
    for (number, key) in [(1, &of_role), (2, &of_its_own)] {
        let maker = Actor { needs: set("project.create"), ..as_key(key.id, 9) };
        let create = async |text: &str| catalog.create_project(&super::project(text), &maker).await;
        create(&format!("early-{number}")).await.expect("it holds the permission");
        if key.id == of_role.id {
            let edited = catalog.change_role(None, &slug("maker"), &permissions("grid.create"), None, &by(9)).await;
            edited.expect("an answer").expect("the role");
        } else {
            catalog
                .change_key(&key.id, &grant("grid.create"), None, &by(9))
                .await
                .expect("an answer")
                .expect("the key");
        }
        let late = create(&format!("late-{number}")).await;
        let Err(CatalogError::PermissionGone { key: who, permission }) = late else { panic!("{late:?}") };
        assert_eq!((who, &*permission), (key.id, "project.create"));
        assert!(catalog.project(&slug(&format!("late-{number}"))).await.expect("an answer").is_none());
        let other = Actor { needs: set("grid.create"), ..maker.clone() };
        catalog
            .create_project(&super::project(&format!("other-{number}")), &other)
            .await
            .expect("what it needs is held");
    }
}

/// Everything that takes an owner away, from the last one and then from one of two.
async fn the_last_owner_stays(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let catalog = &*catalog;
    catalog.create_role(&custom(None, "boss", TokenKind::Admin, "*"), &by(0)).await.expect("a role");
    let by_permissions = admin(catalog, 1, Binding::Installation, "*").await;
    let expiry = |at| edit(KeyEdit { expires_at: Some(at), ..KeyEdit::default() });
    let viewer = Grant { role: Some(slug("viewer")), permissions: Permissions::default() };
    let viewer = edit(KeyEdit { grant: Some(viewer), ..KeyEdit::default() });
    // Others that are no owners for good do not count, nor does one of a project.
    let leaving = Key { expires_at: Some(at(90)), permissions: set("*"), ..key(2, Binding::Installation) };
    catalog.create_key(&leaving, Action::KeyCreated, &by(0)).await.expect("a key");
    let disabled = Key { disabled_at: Some(at(1)), permissions: set("*"), ..key(3, Binding::Installation) };
    catalog.create_key(&disabled, Action::KeyCreated, &by(0)).await.expect("a key");
    admin(catalog, 4, Binding::Project(slug("shop")), "*").await;
    let takes =
        || [KeyChange::Disable, KeyChange::Revoke, expiry(Some(at(90))), grant("api.key.update"), viewer.clone()];

    let me = as_key(by_permissions.id, 9);
    for change in takes() {
        assert!(is_last_owner(catalog.change_key(&by_permissions.id, &change, None, &me).await), "{change:?}");
    }
    let by_custom_role = with_role(catalog, 5, Binding::Installation, "boss").await;
    catalog
        .change_key(&by_permissions.id, &KeyChange::Disable, None, &as_key(by_custom_role.id, 9))
        .await
        .expect("one is left");
    let me = as_key(by_custom_role.id, 9);
    for change in takes() {
        assert!(is_last_owner(catalog.change_key(&by_custom_role.id, &change, None, &me).await), "{change:?}");
    }
    let answer = catalog.change_role(None, &slug("boss"), &permissions("api.key.view"), None, &me).await;
    assert!(is_last_owner(answer));
    let by_role = with_role(catalog, 6, Binding::Installation, "owner").await;
    catalog.change_role(None, &slug("boss"), &permissions("api.key.view"), None, &me).await.expect("one is left");
    assert!(is_last_owner(catalog.change_key(&by_role.id, &KeyChange::Revoke, None, &as_key(by_role.id, 9)).await));
    // Whoever is at the machine can make another one, and so may take the last.
    catalog.change_key(&by_role.id, &KeyChange::Revoke, None, &by(9)).await.expect("a command");
}

async fn a_projects_last_owner_stays_for_its_own(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let catalog = &*catalog;
    let root = admin(catalog, 1, Binding::Installation, "*").await;
    let of_shop = admin(catalog, 2, Binding::Project(slug("shop")), "*").await;
    admin(catalog, 3, Binding::Project(slug("bank")), "*").await;
    let me = as_key(of_shop.id, 9);
    assert!(is_last_owner(catalog.change_key(&of_shop.id, &KeyChange::Revoke, None, &me).await));
    let other = admin(catalog, 4, Binding::Project(slug("shop")), "*").await;
    catalog.change_key(&other.id, &KeyChange::Revoke, None, &me).await.expect("one is left");
    catalog
        .change_key(&of_shop.id, &KeyChange::Revoke, None, &as_key(root.id, 9))
        .await
        .expect("the installation's may");
}

async fn of_two_owners_who_remove_each_other_one_stays(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    for round in 0..5 {
        let (one, other) = (round * 2 + 1, round * 2 + 2);
        let (one, other) = (
            admin(&*catalog, one, Binding::Installation, "*").await,
            admin(&*catalog, other, Binding::Installation, "*").await,
        );
        let remove = |who: &Key, whom: &Key| {
            let (catalog, who, whom) = (Arc::clone(&catalog), as_key(who.id, 9), whom.id);
            tokio::spawn(async move { catalog.change_key(&whom, &KeyChange::Revoke, None, &who).await })
        };
        let (first, second) = (remove(&one, &other), remove(&other, &one));
        let answers = [first.await.expect("no panic"), second.await.expect("no panic")];
        let done = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(done, 1, "{answers:?}");
        let gone = |answer: &Result<_, _>| matches!(answer, Err(CatalogError::ActorGone));
        assert!(answers.iter().any(gone), "{answers:?}");
        // The one that is left makes room for the next round.
        for key in [one, other] {
            catalog.change_key(&key.id, &KeyChange::Revoke, None, &by(10)).await.expect("an answer");
        }
    }
}
