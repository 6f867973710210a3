//! Several admins at once: of changes to one version one is made, and none is lost.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Answer, Server};

async fn key(server: &Server) -> String {
    server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned()
}

/// Each of `bodies` is sent at once, meant for the version that all have read.
async fn at_once(server: &Arc<Server>, id: &str, tag: &str, bodies: Vec<Value>) -> Vec<Answer> {
    let mut patches = JoinSet::new();
    for body in bodies {
        let (server, id, tag) = (Arc::clone(server), id.to_owned(), tag.to_owned());
        patches.spawn(async move { server.patch_key(&id, &tag, &body).await });
    }
    patches.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_two_wins() {
    let server = Arc::new(Server::with_two_projects().await);
    let id = key(&server).await;
    for version in 1..=20 {
        let tag = format!("\"{version}\"");
        let bodies = vec![json!({"note": format!("a{version}")}), json!({"owner": format!("b{version}")})];
        let answers = at_once(&server, &id, &tag, bodies).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!((won.len(), lost.len()), (1, 1), "{answers:?}");
        assert_eq!(lost[0].problem(412, "version_conflict")["current_version"], version + 1);
        let shown = server.get(&format!("/keys/{id}")).await;
        assert_eq!(shown.expect(200), won[0].expect(200));
        assert_eq!(shown.header("etag"), lost[0].header("etag"));
    }
}

/// Each admin adds a tag of its own by reading the key and editing what it read, until that was not overtaken.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_update_is_lost() {
    const ADMINS: usize = 4;
    const TAGS: usize = 5;
    let server = Arc::new(Server::with_two_projects().await);
    let id = key(&server).await;
    let mut admins = JoinSet::new();
    for admin in 0..ADMINS {
        let (server, id) = (Arc::clone(&server), id.clone());
        admins.spawn(async move {
            for tag in 0..TAGS {
                loop {
                    let shown = server.get(&format!("/keys/{id}")).await;
                    let mut tags = shown.expect(200)["tags"].clone();
                    tags.as_array_mut().expect("a list").push(json!(format!("{admin}-{tag}")));
                    let version = shown.header("etag").expect("a tag");
                    let answer = server.patch_key(&id, version, &json!({"tags": tags})).await;
                    if answer.status == 200 {
                        break;
                    }
                    answer.problem(412, "version_conflict");
                }
            }
        });
    }
    admins.join_all().await;
    let view = server.get(&format!("/keys/{id}")).await.expect(200);
    let expected: Vec<_> = (0..ADMINS).flat_map(|admin| (0..TAGS).map(move |tag| format!("{admin}-{tag}"))).collect();
    assert_eq!(view["tags"], json!(expected));
    assert_eq!(view["version"], 1 + ADMINS * TAGS);
}

/// Without a version every change is made, one after the other; a second rotation at once is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_without_a_version_are_made_one_after_the_other() {
    let server = Arc::new(Server::with_two_projects().await);
    let id = key(&server).await;
    let mut calls = JoinSet::new();
    for _ in 0..8 {
        let (server, id) = (Arc::clone(&server), id.clone());
        calls.spawn(async move { server.call(&server.owner, Method::POST, &format!("/keys/{id}/rotate"), None).await });
    }
    let answers = calls.join_all().await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((made.len(), refused.len()), (1, 7));
    for answer in refused {
        answer.problem(409, "rotation_in_progress");
    }
    let bodies = (0..8).map(|number| json!({"note": number.to_string()})).collect();
    let answers = at_once(&server, &id, "*", bodies).await;
    let mut versions: Vec<_> = answers.iter().map(|answer| answer.expect(200)["version"].as_u64()).collect();
    versions.sort_unstable();
    assert_eq!(versions, (3..=10).map(Some).collect::<Vec<_>>());
}
