//! Who uses which key.

use std::sync::Arc;

use gridgate::catalog::{Catalog, CatalogError, Paging, SenderFilter};
use gridgate::domain::audit::Action;
use gridgate::domain::sender::{MAX_SENDERS, OtherSenders, Seen, SeenSender, Sender};
use gridgate::domain::{Key, KeyChange};

use super::{Fresh, at, by, key, on_both, slug, tenant, with_grids};

on_both!(
    what_several_nodes_saw_is_summed_up,
    texts_of_any_kind_are_kept,
    a_key_keeps_those_that_were_seen_last,
    two_nodes_write_about_the_same_key,
    senders_are_listed_by_what_is_asked_for,
    senders_that_are_silent_are_forgotten,
    senders_go_with_their_key,
);

/// `service` of `key`, seen once at this instant and let in.
fn seen(key: &Key, service: &str, micros: i64) -> SeenSender {
    SeenSender {
        project: key.binding.project().expect("a project").clone(),
        sender: Sender {
            key: key.id,
            secret_version: 1,
            service: Some(service.into()),
            host: Some("host-1".into()),
            sdk: Some("python opentelemetry 1.44.0".into()),
            agent: Some("agent/1.0".to_owned()),
            address: [192, 0, 2, 1].into(),
        },
        seen: Seen { first_at: at(micros), last_at: at(micros), accepted_at: Some(at(micros)), exports: 1, refused: 0 },
    }
}

/// The keys 1 (shop), 2 (shop) and 3 (bank).
async fn with_keys(fresh: &Fresh) -> (Arc<dyn Catalog>, [Key; 3]) {
    let catalog = with_grids(fresh).await;
    let keys = [(1, "shop"), (2, "shop"), (3, "bank")]
        .map(|(number, project)| key(number, tenant(project, "web", "production")));
    for key in &keys {
        catalog.create_key(key, Action::KeyCreated, &by(0)).await.expect("a key");
    }
    (catalog, keys)
}

async fn known(catalog: &dyn Catalog, key: &Key) -> Vec<SeenSender> {
    catalog.senders_of(&key.id).await.expect("an answer").0
}

async fn what_several_nodes_saw_is_summed_up(fresh: Arc<Fresh>) {
    let (catalog, [one, other, _]) = with_keys(&fresh).await;
    let entries = fresh.count("audit").await;
    let first = seen(&one, "checkout", 50);
    catalog.record_senders(&[first.clone(), seen(&other, "cart", 7)], &[]).await.expect("written");
    assert_eq!(known(&*catalog, &one).await, std::slice::from_ref(&first));

    let earlier = Seen { first_at: at(20), last_at: at(30), accepted_at: Some(at(25)), exports: 4, refused: 3 };
    catalog.record_senders(&[SeenSender { seen: earlier, ..first.clone() }], &[]).await.expect("written");
    let refused = Seen { first_at: at(60), last_at: at(70), accepted_at: None, exports: 2, refused: 2 };
    catalog.record_senders(&[SeenSender { seen: refused, ..first.clone() }], &[]).await.expect("written");
    let all = Seen { first_at: at(20), last_at: at(70), accepted_at: Some(at(50)), exports: 7, refused: 5 };
    assert_eq!(known(&*catalog, &one).await, [SeenSender { seen: all, ..first.clone() }]);
    assert_eq!(known(&*catalog, &other).await, [seen(&other, "cart", 7)]);

    // A key that is gone is passed over, and so are its others.
    let gone = key(9, tenant("shop", "web", "production"));
    let others = OtherSenders { senders: 1, exports: 2, refused: 1, last_at: Some(at(5)) };
    catalog.record_senders(&[seen(&gone, "a", 1)], &[(gone.id, others), (one.id, others)]).await.expect("written");
    assert_eq!(catalog.senders_of(&gone.id).await.expect("an answer"), (Vec::new(), OtherSenders::default()));
    catalog.record_senders(&[], &[(one.id, OtherSenders { last_at: Some(at(4)), ..others })]).await.expect("written");
    let both = OtherSenders { senders: 2, exports: 4, refused: 2, last_at: Some(at(5)) };
    assert_eq!(catalog.senders_of(&one.id).await.expect("an answer").1, both);
    assert_eq!(fresh.count("audit").await, entries, "it is no change");
}

async fn texts_of_any_kind_are_kept(fresh: Arc<Fresh>) {
    let (catalog, [one, _, _]) = with_keys(&fresh).await;
    let mut odd = seen(&one, "'; DROP TABLE senders; --\u{202e}\u{1b}[31m\n\u{feff}ü🚀", 1);
    odd.sender.host = Some(String::new().into());
    odd.sender.sdk = None;
    odd.sender.agent = None;
    odd.sender.address = "2001:db8::1".parse().expect("an address");
    odd.sender.secret_version = u32::MAX;
    odd.seen.accepted_at = None;
    odd.seen.exports = i64::MAX.cast_unsigned();
    catalog.record_senders(std::slice::from_ref(&odd), &[]).await.expect("written");
    assert_eq!(known(&*catalog, &one).await, [odd]);
}

async fn a_key_keeps_those_that_were_seen_last(fresh: Arc<Fresh>) {
    let (catalog, [one, other, _]) = with_keys(&fresh).await;
    catalog.record_senders(&[seen(&other, "apart", 1)], &[]).await.expect("written");
    let total: i64 = 3 * i64::try_from(MAX_SENDERS).expect("few");
    let many: Vec<_> = (0..total).map(|number| seen(&one, &format!("s{number}"), number)).collect();
    for some in many.chunks(70) {
        catalog.record_senders(some, &[]).await.expect("written");
    }
    let (kept, others) = catalog.senders_of(&one.id).await.expect("an answer");
    let latest: Vec<_> = many.iter().rev().take(MAX_SENDERS).cloned().collect();
    assert_eq!(kept, latest);
    let gone = u64::try_from(total).expect("few") - MAX_SENDERS as u64;
    let last_at = Some(at(total - 1 - i64::try_from(MAX_SENDERS).expect("few")));
    assert_eq!(others, OtherSenders { senders: gone, exports: gone, refused: 0, last_at });
    assert_eq!(known(&*catalog, &other).await.len(), 1);
}

async fn two_nodes_write_about_the_same_key(fresh: Arc<Fresh>) {
    let (catalog, [one, other, _]) = with_keys(&fresh).await;
    let nodes = (0..4).map(|node| {
        let catalog = Arc::clone(&catalog);
        let mut batch: Vec<_> = (0..80).map(|number| seen(&one, &format!("s{number}"), number)).collect();
        batch.push(seen(&other, "common", node));
        if node % 2 == 0 {
            batch.reverse();
        }
        tokio::spawn(async move { catalog.record_senders(&batch, &[]).await })
    });
    for node in nodes.collect::<Vec<_>>() {
        node.await.expect("no panic").expect("written");
    }
    let (kept, others) = catalog.senders_of(&one.id).await.expect("an answer");
    assert_eq!(kept.len(), MAX_SENDERS);
    let all: u64 = kept.iter().map(|one| one.seen.exports).sum();
    assert_eq!(all + others.exports, 320, "no export is lost");
    let common = known(&*catalog, &other).await;
    assert_eq!((common.len(), common[0].seen.exports, common[0].seen.last_at), (1, 4, at(3)));
}

/// The services of a list, page by page.
async fn listed(catalog: &dyn Catalog, filter: &SenderFilter, limit: u32) -> Vec<(String, String, bool)> {
    let mut found = Vec::new();
    let mut paging = Paging { limit, after: None };
    loop {
        let page = catalog.senders(filter, &paging).await.expect("a page");
        assert!(page.items.len() <= limit as usize);
        found.extend(
            page.items
                .into_iter()
                .map(|one| (one.key_name, one.seen.sender.service.map(String::from).unwrap_or_default(), one.shared)),
        );
        match page.next {
            Some(next) => paging.after = Some(next),
            None => return found,
        }
    }
}

async fn senders_are_listed_by_what_is_asked_for(fresh: Arc<Fresh>) {
    let (catalog, [one, two, three]) = with_keys(&fresh).await;
    let mut unknown = seen(&two, "", 6);
    unknown.sender.service = None;
    let mut rotated = seen(&two, "cart", 5);
    rotated.sender.secret_version = 2;
    rotated.seen.last_at = at(90);
    // Two at one instant: a page can end between them.
    let all = [seen(&one, "a", 3), seen(&one, "b", 3), seen(&one, "c", 4), rotated, unknown, seen(&three, "a", 1)];
    catalog.record_senders(&all, &[]).await.expect("written");
    let row = |key: &str, service: &str, shared| (key.to_owned(), service.to_owned(), shared);
    let everything = SenderFilter::default();
    let whole = listed(&*catalog, &everything, 200).await;
    assert_eq!(whole[..3], [row("key 2", "", false), row("key 2", "cart", false), row("key 1", "c", true)]);
    assert_eq!(whole[5], row("key 3", "a", false));
    for limit in 1..6 {
        assert_eq!(listed(&*catalog, &everything, limit).await, whole, "{limit}");
    }
    let shop = SenderFilter { project: Some(slug("shop")), ..everything.clone() };
    assert_eq!(listed(&*catalog, &shop, 2).await, whole[..5]);
    let of_service = SenderFilter { service: Some("a".to_owned()), ..everything.clone() };
    assert_eq!(listed(&*catalog, &of_service, 1).await, [row("key 1", "a", true), row("key 3", "a", false)]);
    let of_secret = SenderFilter { secret_version: Some(2), ..shop.clone() };
    assert_eq!(listed(&*catalog, &of_secret, 9).await, [row("key 2", "cart", false)]);
    let recent = SenderFilter { since: Some(at(90)), ..everything.clone() };
    assert_eq!(listed(&*catalog, &recent, 9).await, [row("key 2", "cart", false)]);
    for cursor in ["", "x", "a2V5", "a2V5XzAwMDAwMDAwMDAwMQ"] {
        let paging = Paging { limit: 1, after: Some(cursor.to_owned()) };
        assert!(matches!(catalog.senders(&shop, &paging).await, Err(CatalogError::Cursor)), "{cursor}");
    }
}

async fn senders_that_are_silent_are_forgotten(fresh: Arc<Fresh>) {
    let (catalog, [one, _, _]) = with_keys(&fresh).await;
    let others = OtherSenders { senders: 1, exports: 1, refused: 0, last_at: Some(at(9)) };
    let both = [seen(&one, "old", 9), seen(&one, "new", 10)];
    catalog.record_senders(&both, &[(one.id, others)]).await.expect("written");
    assert_eq!(catalog.forget_senders(at(9)).await.expect("an answer"), 0);
    assert_eq!(catalog.forget_senders(at(10)).await.expect("an answer"), 1);
    let left = catalog.senders_of(&one.id).await.expect("an answer");
    assert_eq!(left, (vec![seen(&one, "new", 10)], OtherSenders::default()));
}

async fn senders_go_with_their_key(fresh: Arc<Fresh>) {
    let (catalog, [one, other, _]) = with_keys(&fresh).await;
    let others = OtherSenders { senders: 1, exports: 1, refused: 0, last_at: Some(at(9)) };
    let both = [seen(&one, "a", 9), seen(&other, "b", 9)];
    catalog.record_senders(&both, &[(one.id, others)]).await.expect("written");
    catalog.change_key(&one.id, &KeyChange::Revoke, None, &by(10)).await.expect("an answer");
    assert_eq!(known(&*catalog, &one).await.len(), 1, "it is still to be seen who sends with it");
    assert!(catalog.purge_key(&one.id, &by(60_000_000)).await.expect("an answer"));
    assert_eq!((fresh.count("senders").await, fresh.count("other_senders").await), (1, 0));
}
