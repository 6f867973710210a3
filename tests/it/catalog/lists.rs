//! Lists of keys: every filter and order against what the domain says of the same keys, page by page.

use std::cmp::Ordering;
use std::sync::Arc;

use gridgate::catalog::keys::list::{KeyFilter, Order, OrderBy, Search};
use gridgate::catalog::{Catalog, CatalogError, Page, Paging};
use gridgate::domain::audit::Action;
use gridgate::domain::hygiene::{Flag, RotationPolicy, attention};
use gridgate::domain::key::{KeyEdit, SecretFormat, SecretUse, folded};
use gridgate::domain::random::SeededRandom;
use gridgate::domain::{Binding, Key, KeyChange, KeyId, KeyStatus, Random as _, Tags, Timestamp, TokenKind, role};

use super::{Fresh, at, by, key, on_both, secret, slug, tenant, with_grids};

on_both!(
    any_filter_in_any_order_lists_what_the_domain_says,
    a_flag_lists_the_keys_that_have_it,
    rotation_is_due_in_many_environments,
    a_name_is_found_by_its_beginning_in_any_case,
    pages_stay_where_they_were_while_keys_come_and_go,
    a_cursor_is_refused_in_another_list,
    what_changes_is_found_by_its_new_values,
);

/// Numbers below a bound, one after the other, always the same.
struct Dice(SeededRandom);

impl Dice {
    fn below(&self, bound: u8) -> u8 {
        let mut byte = [0];
        self.0.fill(&mut byte).expect("randomness");
        byte[0] % bound
    }

    fn one_of<T: Clone>(&self, all: &[T]) -> T {
        all[usize::from(self.below(u8::try_from(all.len()).expect("few")))].clone()
    }

    /// Half of the time nothing.
    fn perhaps<T: Clone>(&self, all: &[T]) -> Option<T> {
        (self.below(2) == 0).then(|| self.one_of(all))
    }

    fn instant(&self) -> Timestamp {
        at(i64::from(self.below(8)) * 10)
    }
}

const NAMES: [&str; 8] = ["Web", "web", "WEBER", "über", "Über 1", "a%b", "a_b", "z\u{10FFFF}z"];
const TAGS: [&str; 3] = ["blue", "team:web", "x"];
const OWNERS: [&str; 3] = ["Acme", "acme", "Zoë & Co."];
const ROLES: [&str; 3] = ["ingest", "traces", "viewer"];

fn any_key(dice: &Dice, number: u8) -> Key {
    let bindings = [
        tenant("shop", "web", "staging"),
        tenant("shop", "app", "production"),
        tenant("bank", "web", "staging"),
        Binding::Project(slug("shop")),
        Binding::Installation,
    ];
    let mut key = Key { name: format!("{} {number}", dice.one_of(&NAMES)), ..key(number, dice.one_of(&bindings)) };
    key.created_at = dice.instant();
    let role = dice.perhaps(&ROLES).and_then(|name| role::built_in(&slug(name)));
    if let Some(role) = role.filter(|role| role.kind == key.binding.kind()) {
        (key.role, key.permissions) = (Some(role.slug), role.permissions);
    }
    key.owner = dice.perhaps(&OWNERS).map(str::to_owned);
    key.member = dice.below(4) == 0;
    key.tags = Tags::new(TAGS.into_iter().filter(|_| dice.below(2) == 0)).expect("tags");
    key.expires_at = dice.perhaps(&[()]).map(|()| dice.instant());
    key.disabled_at = (dice.below(3) == 0).then(|| at(1));
    key.revoked_at = (dice.below(3) == 0).then(|| at(2));
    key.secrets = (1..=1 + u32::from(dice.below(2))).rev().map(|version| secret(version, number)).collect();
    for secret in &mut key.secrets {
        let used = |last_at| SecretUse { first_at: at(0), last_at, address: None, agent: None };
        secret.used = dice.perhaps(&[()]).map(|()| used(dice.instant()));
    }
    key
}

fn any_filter(dice: &Dice) -> KeyFilter {
    let seldom = |bound| dice.below(bound) == 0;
    KeyFilter {
        project: seldom(3).then(|| slug(dice.one_of(&["shop", "bank"]))),
        grid: seldom(6).then(|| slug("web")),
        environment: seldom(6).then(|| slug("staging")),
        kind: seldom(5).then(|| dice.one_of(&[TokenKind::Admin, TokenKind::Ingest])),
        statuses: KeyStatus::ALL.into_iter().filter(|_| seldom(2)).collect(),
        role: seldom(6).then(|| slug(dice.one_of(&ROLES))),
        tag: seldom(4).then(|| dice.one_of(&TAGS).to_owned()),
        owner: seldom(6).then(|| dice.one_of(&OWNERS).to_owned()),
        member: seldom(6).then(|| seldom(2)),
        attention: None,
        needs_attention: seldom(6),
        rotating: seldom(5).then(|| seldom(2)),
        search: seldom(5)
            .then(|| Search::Name(dice.one_of(&["w", "WEB", "a%", "\u{fc}", "z\u{10FFFF}", ""]).to_owned())),
        last_used_before: seldom(5).then(|| dice.instant()),
        expires_before: seldom(5).then(|| dice.instant()),
        order: Order { by: dice.one_of(&OrderBy::ALL), descending: seldom(2) },
    }
}

/// Whether `key` belongs into the list, as the domain has it.
fn passes(filter: &KeyFilter, key: &Key, policy: &RotationPolicy, now: Timestamp) -> bool {
    fn is<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
        wanted.is_none_or(|wanted| Some(wanted) == found)
    }
    let bound = match &key.binding {
        Binding::Tenant(tenant) => Some(tenant),
        Binding::Project(_) | Binding::Installation => None,
    };
    is(filter.project.as_ref(), key.binding.project())
        && is(filter.grid.as_ref(), bound.map(|bound| &bound.grid))
        && is(filter.environment.as_ref(), bound.map(|bound| &bound.environment))
        && is(filter.kind.as_ref(), Some(&key.binding.kind()))
        && (filter.statuses.is_empty() || filter.statuses.contains(&key.status(now)))
        && is(filter.role.as_ref(), key.role.as_ref())
        && filter.tag.as_deref().is_none_or(|tag| key.tags.iter().any(|one| one == tag))
        && is(filter.owner.as_ref(), key.owner.as_ref())
        && is(filter.member.as_ref(), Some(&key.member))
        && (!filter.needs_attention || !attention(key, policy, now).is_empty())
        && is(filter.rotating.as_ref(), Some(&key.rotation(now).is_some()))
        && match &filter.search {
            None => true,
            Some(Search::Id(id)) => *id == key.id,
            Some(Search::Name(prefix)) => folded(&key.name).starts_with(&folded(prefix)),
        }
        && filter.last_used_before.is_none_or(|before| key.last_used().is_none_or(|used| used.last_at < before))
        && filter.expires_before.is_none_or(|before| key.expires_at.is_some_and(|at| at < before))
}

fn compare(filter: &KeyFilter, left: &Key, right: &Key) -> Ordering {
    let used = |key: &Key| key.last_used().map_or(at(i64::MIN), |used| used.last_at);
    let expiry = |key: &Key| key.expires_at.unwrap_or(at(i64::MAX));
    let secret = |key: &Key| key.secrets.iter().find(|one| one.retires_at.is_none()).map(|one| one.created_at);
    let idle = |key: &Key| key.last_used().map_or(key.created_at, |used| used.last_at);
    let order = filter.order;
    let way = match order.by {
        OrderBy::Attention => match filter.attention {
            Some(Flag::Expiring | Flag::ExpiringSoon | Flag::ExpiringNow) => expiry(left).cmp(&expiry(right)),
            Some(Flag::Unused45 | Flag::Unused90) => idle(left).cmp(&idle(right)),
            Some(Flag::RotationDue) => secret(left).cmp(&secret(right)),
            Some(Flag::NeverUsed | Flag::Weak | Flag::Exposed) | None => left.created_at.cmp(&right.created_at),
        },
        OrderBy::CreatedAt => left.created_at.cmp(&right.created_at),
        OrderBy::Name => folded(&left.name).cmp(&folded(&right.name)),
        OrderBy::LastUsedAt => used(left).cmp(&used(right)),
        OrderBy::ExpiresAt => expiry(left).cmp(&expiry(right)),
    };
    let way = way.then(left.id.cmp(&right.id));
    if order.descending { way.reverse() } else { way }
}

fn ids<'k>(keys: impl IntoIterator<Item = &'k Key>) -> Vec<KeyId> {
    keys.into_iter().map(|key| key.id).collect()
}

/// The whole list, in pages of `limit`, which are full but for the last.
async fn pages(catalog: &dyn Catalog, filter: &KeyFilter, now: Timestamp, limit: u32) -> Vec<Key> {
    let mut found: Vec<Key> = Vec::new();
    let mut after = None;
    loop {
        let Page { items, next } = catalog.keys(filter, now, &Paging { limit, after }).await.expect("a page");
        assert!(next.is_none() || items.len() == limit as usize, "a page that is not the last is full: {filter:?}");
        found.extend(items);
        assert!(found.len() <= 1_000, "the pages come to an end: {filter:?}");
        after = next;
        if after.is_none() {
            return found;
        }
    }
}

async fn any_filter_in_any_order_lists_what_the_domain_says(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let dice = Dice(SeededRandom::new(5));
    let keys: Vec<_> = (0..100).map(|number| any_key(&dice, number)).collect();
    for key in &keys {
        catalog.create_key(key, Action::KeyCreated, &by(1_000)).await.expect("a key");
    }
    let policy = RotationPolicy::new(&catalog.environments().await.expect("environments"));
    let (mut lists, mut long) = (0, 0);
    for _ in 0..600 {
        let (filter, now) = (any_filter(&dice), dice.instant());
        let mut expected: Vec<_> = keys.iter().filter(|key| passes(&filter, key, &policy, now)).collect();
        expected.sort_by(|left, right| compare(&filter, left, right));
        let found = pages(&*catalog, &filter, now, 1 + u32::from(dice.below(9))).await;
        for most in [7, 1_000] {
            let counted = catalog.count_keys(std::slice::from_ref(&filter), now, most).await.expect("a number");
            assert_eq!(counted, expected.len().min(most as usize) as u64, "{filter:?} at {now:?}");
        }
        assert_eq!(ids(&found), ids(expected.iter().copied()), "{filter:?} at {now:?}");
        for (found, expected) in found.iter().zip(expected) {
            super::assert_same(found, expected);
        }
        lists += usize::from(!found.is_empty());
        long += usize::from(found.len() > 10);
    }
    assert!(lists > 150 && long > 50, "the filters let something through: {lists}, {long}");
}

/// Some days before or behind [`TODAY`]: at a limit of a flag, or a microsecond beside it.
fn any_day(dice: &Dice, days: &[i64]) -> Timestamp {
    at(TODAY + dice.one_of(days) * DAY + i64::from(dice.below(3)) - 1)
}

const DAY: i64 = 86_400_000_000;
const TODAY: i64 = 1_000 * DAY;

/// A key with any flags, or none.
fn flagged(dice: &Dice, number: u8) -> Key {
    let seldom = |bound| dice.below(bound) == 0;
    let mut key = any_key(dice, number);
    if let Binding::Tenant(tenant) = &mut key.binding {
        tenant.environment = slug(dice.one_of(&["production", "staging", "development"]));
    }
    key.created_at = any_day(dice, &[-400, -90, -45, -1, 0]);
    key.expires_at = dice.perhaps(&[()]).map(|()| any_day(dice, &[-1, 0, 1, 7, 30, 31]));
    key.disabled_at = seldom(5).then(|| at(1));
    key.revoked_at = seldom(5).then(|| at(2));
    key.exposed_at = seldom(2).then(|| any_day(dice, &[-180, -90, -40]));
    for (place, secret) in key.secrets.iter_mut().enumerate() {
        secret.created_at = any_day(dice, &[-180, -90, -40, -1]);
        secret.retires_at = (place > 0).then(|| any_day(dice, &[-1, 0, 1]));
        secret.format = dice.one_of(&[SecretFormat::Token, SecretFormat::Uuid]);
        let last_at = any_day(dice, &[-90, -45, -1]);
        secret.used = seldom(2).then(|| SecretUse { first_at: at(0), last_at, address: None, agent: None });
    }
    key
}

async fn a_flag_lists_the_keys_that_have_it(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    fresh.execute("UPDATE environments SET rotation_days = NULL WHERE slug = 'staging'").await;
    let policy = RotationPolicy::new(&catalog.environments().await.expect("environments"));
    let dice = Dice(SeededRandom::new(6));
    let keys: Vec<_> = (0..250).map(|number| flagged(&dice, number)).collect();
    for key in &keys {
        catalog.create_key(key, Action::KeyCreated, &by(1_000)).await.expect("a key");
    }
    let now = at(TODAY);
    for &flag in Flag::ALL {
        let has = |key: &&Key| attention(key, &policy, now).contains(&flag);
        let number = keys.iter().filter(has).count();
        assert!((3..200).contains(&number), "{number} keys are {flag}");
        for by in OrderBy::ALL {
            let order = Order { by, descending: dice.below(2) == 0 };
            let all = KeyFilter { attention: Some(flag), order, ..KeyFilter::default() };
            let with_more = KeyFilter { attention: Some(flag), order, ..any_filter(&dice) };
            for filter in [all, with_more] {
                let mut expected: Vec<_> =
                    keys.iter().filter(has).filter(|key| passes(&filter, key, &policy, now)).collect();
                expected.sort_by(|left, right| compare(&filter, left, right));
                let found = pages(&*catalog, &filter, now, 7).await;
                assert_eq!(ids(&found), ids(expected), "{filter:?}");
            }
        }
    }
    // What needs attention, for whatever reason, and what has two secrets; and that no key counts twice.
    let flagged = |flag: &Flag| {
        let order = Order { by: OrderBy::Attention, descending: false };
        KeyFilter { attention: Some(*flag), order, ..KeyFilter::default() }
    };
    let flags: Vec<_> = Flag::ALL.iter().map(flagged).collect();
    let any = KeyFilter { needs_attention: true, ..KeyFilter::default() };
    let rotating = |wanted| KeyFilter { rotating: Some(wanted), ..KeyFilter::default() };
    for (filters, filter) in [
        (flags, any.clone()),
        (vec![any.clone()], any),
        (vec![rotating(true)], rotating(true)),
        (vec![rotating(false)], rotating(false)),
    ] {
        let mut expected: Vec<_> = keys.iter().filter(|key| passes(&filter, key, &policy, now)).collect();
        assert!((10..240).contains(&expected.len()), "{} keys pass {filter:?}", expected.len());
        expected.sort_by(|left, right| compare(&filter, left, right));
        assert_eq!(ids(&pages(&*catalog, &filter, now, 7).await), ids(expected.iter().copied()), "{filter:?}");
        for most in [10, 1_000] {
            let counted = catalog.count_keys(&filters, now, most).await.expect("a number");
            assert_eq!(counted, expected.len().min(most as usize) as u64, "{filter:?}");
        }
    }
    assert_eq!(catalog.count_keys(&[], now, 10).await.expect("a number"), 0);
}

/// The keys of each environment are a part of the statement, as long as there are no more parts than SQLite takes.
async fn rotation_is_due_in_many_environments(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let dice = Dice(SeededRandom::new(8));
    let keys: Vec<_> = (0..40).map(|number| flagged(&dice, number)).collect();
    for key in &keys {
        catalog.create_key(key, Action::KeyCreated, &by(1_000)).await.expect("a key");
    }
    let now = at(TODAY);
    let order = Order { by: OrderBy::Attention, descending: true };
    let filter = KeyFilter { attention: Some(Flag::RotationDue), order, ..KeyFilter::default() };
    for more in [0..396, 396..500] {
        let environments = more.map(|number| format!("('more-{number}', 'm{number}', 'More', 90, 0)"));
        let environments = environments.collect::<Vec<_>>().join(", ");
        let insert = "INSERT INTO environments (slug, code, name, rotation_days, created_at) VALUES";
        fresh.execute(&format!("{insert} {environments}")).await;
        let policy = RotationPolicy::new(&catalog.environments().await.expect("environments"));
        let is_due = |key: &&Key| attention(key, &policy, now).contains(&Flag::RotationDue);
        let mut expected: Vec<_> = keys.iter().filter(is_due).collect();
        assert!((3..40).contains(&expected.len()), "{} are due", expected.len());
        expected.sort_by(|left, right| compare(&filter, left, right));
        assert_eq!(ids(&pages(&*catalog, &filter, now, 7).await), ids(expected));
    }
}

async fn a_name_is_found_by_its_beginning_in_any_case(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let names =
        ["Straße", "STRASSE", "100%", "100 x", "_a", "ba", "\u{D7FF}", "\u{E000}", "\u{10FFFF}", "Ärger", "ärger 2"];
    for (number, name) in (1..).zip(names) {
        let key = Key { name: name.to_owned(), ..key(number, Binding::Installation) };
        catalog.create_key(&key, Action::KeyCreated, &by(0)).await.expect("a key");
    }
    let id = key(3, Binding::Installation).id;
    for (search, expected) in [
        (Search::Name("stra".to_owned()), vec!["STRASSE", "Straße"]),
        (Search::Name("STRAß".to_owned()), vec!["Straße"]),
        (Search::Name("100%".to_owned()), vec!["100%"]),
        (Search::Name("_".to_owned()), vec!["_a"]),
        (Search::Name("ÄRGER".to_owned()), vec!["Ärger", "ärger 2"]),
        (Search::Name("\u{D7FF}".to_owned()), vec!["\u{D7FF}"]),
        (Search::Name("\u{10FFFF}".to_owned()), vec!["\u{10FFFF}"]),
        (Search::Name("none".to_owned()), vec![]),
        (Search::Id(id), vec!["100%"]),
        (Search::Id(key(99, Binding::Installation).id), vec![]),
    ] {
        let order = Order { by: OrderBy::Name, descending: false };
        let filter = KeyFilter { search: Some(search.clone()), order, ..KeyFilter::default() };
        let found = pages(&*catalog, &filter, at(0), 1).await;
        assert_eq!(found.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), expected, "{search:?}");
    }
}

async fn pages_stay_where_they_were_while_keys_come_and_go(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let of = |number: u8| Key { created_at: at(i64::from(number / 4)), ..key(number, Binding::Installation) };
    for number in (2..60).step_by(2) {
        catalog.create_key(&of(number), Action::KeyCreated, &by(100)).await.expect("a key");
    }
    for by_name in [false, true] {
        let order = if by_name { Order { by: OrderBy::Name, descending: false } } else { Order::default() };
        let filter = KeyFilter { order, ..KeyFilter::default() };
        let before = ids(&pages(&*catalog, &filter, at(0), 200).await);
        let (mut found, mut after) = (Vec::new(), None);
        for number in 0_u8.. {
            let page = catalog.keys(&filter, at(0), &Paging { limit: 3, after }).await.expect("a page");
            found.extend(ids(&page.items));
            let new = Key { secrets: Vec::new(), ..of(if by_name { 101 } else { 1 } + 2 * number) };
            catalog.create_key(&new, Action::KeyCreated, &by(100)).await.expect("a key");
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let seen_once: Vec<_> = found.iter().filter(|id| before.contains(id)).copied().collect();
        assert_eq!(seen_once, before, "each that was there all the time is seen, once");
        found.sort_unstable();
        found.dedup();
        assert!(found.len() >= before.len());
    }
}

async fn a_cursor_is_refused_in_another_list(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    for number in 1..=3 {
        let key = key(number, tenant("shop", "web", "staging"));
        catalog.create_key(&key, Action::KeyCreated, &by(0)).await.expect("a key");
    }
    let filter = KeyFilter { project: Some(slug("shop")), ..KeyFilter::default() };
    let page = catalog.keys(&filter, at(0), &Paging { limit: 1, after: None }).await.expect("a page");
    let paging = Paging { limit: 1, after: page.next };
    assert_eq!(catalog.keys(&filter, at(0), &paging).await.expect("its own").items.len(), 1);
    let other = Order { by: OrderBy::Name, descending: true };
    for other in [KeyFilter::default(), KeyFilter { order: other, ..filter.clone() }] {
        let error = catalog.keys(&other, at(0), &paging).await.expect_err("a cursor of another list");
        assert!(matches!(error, CatalogError::Cursor), "{error}");
    }
}

async fn what_changes_is_found_by_its_new_values(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let tags = |text: &str| Tags::new(text.split(' ')).expect("tags");
    let key = Key { tags: tags("old both"), ..key(1, tenant("shop", "web", "staging")) };
    catalog.create_key(&key, Action::KeyCreated, &by(0)).await.expect("a key");
    let edit = KeyEdit {
        name: Some("Renamed".to_owned()),
        tags: Some(tags("both new")),
        owner: Some(Some("acme".to_owned())),
        expires_at: Some(Some(at(500))),
        ..KeyEdit::default()
    };
    catalog.change_key(&key.id, &KeyChange::Edit(Box::new(edit)), None, &by(1)).await.expect("a change");
    let all = KeyFilter::default;
    let tagged = |tag: &str| KeyFilter { tag: Some(tag.to_owned()), ..all() };
    let named = |name: &str| KeyFilter { search: Some(Search::Name(name.to_owned())), ..all() };
    let living = |filter: KeyFilter| KeyFilter { statuses: vec![KeyStatus::Active], ..filter };
    let count = async |filter: KeyFilter| pages(&*catalog, &filter, at(2), 10).await.len();
    for (filter, expected) in [
        (tagged("old"), 0),
        (tagged("both"), 1),
        (living(tagged("new")), 1),
        (named("key"), 0),
        (named("RENAMED"), 1),
        (KeyFilter { owner: Some("acme".to_owned()), ..all() }, 1),
        (KeyFilter { expires_before: Some(at(501)), ..all() }, 1),
        (KeyFilter { expires_before: Some(at(500)), ..all() }, 0),
    ] {
        assert_eq!(count(filter.clone()).await, expected, "{filter:?}");
    }
    catalog.change_key(&key.id, &KeyChange::Revoke, None, &by(2)).await.expect("a change");
    assert_eq!(count(living(tagged("new"))).await, 0);
    assert_eq!(count(tagged("new")).await, 1, "a revoked key keeps its tags");
}
