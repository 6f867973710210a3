//! `GET /usage`: what it shows to whom, in which form, and that it is written once.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gridgate::domain::{
    KeyId, Permission, Permissions, Reason, RecordId, Refusal, Signal, Tenant, Timestamp, Transport,
};
use gridgate::metering::{Books, Decided, Identified, Measured, Outcome};
use gridgate::upkeep::usage::UsageKeeper;
use http::Method;
use serde_json::{Value, json};

use super::{START, Server};
use crate::catalog::slug;

/// What an export was, and by which key of which project; without a key nobody proved anything.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) at: Timestamp,
    pub(crate) key: Option<(&'static str, u32)>,
    pub(crate) signal: Signal,
    pub(crate) refused: Option<Reason>,
}

/// Counts an export of three items, which was accepted unless told otherwise.
pub(crate) fn count(books: &Books, sent: Sent) {
    let identified = sent.key.map(|(project, number)| Identified {
        key: KeyId::from_bare(&format!("{number:012}")).expect("an id"),
        secret_version: 1,
        rotating: false,
        tenant: Arc::new(Tenant { project: slug(project), grid: slug("web"), environment: slug("production") }),
    });
    let refusal = sent.refused.map(Refusal::new);
    books.decided(&Decided {
        at: sent.at,
        took: Duration::from_millis(1),
        transport: Transport::Grpc,
        signal: Some(sent.signal),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        agent: b"",
        claimed: None,
        identified: identified.as_ref(),
        measured: sent.refused.is_none().then_some(Measured { items: 3, wire_bytes: 10, bytes: 30 }),
        origin: None,
        outcome: refusal.as_ref().map_or(Outcome::Accepted, Outcome::Refused),
        would_refuse: false,
    });
}

/// What writes the books of this server down.
pub(crate) fn keeper(server: &Server, books: &Arc<Books>) -> UsageKeeper {
    let (books, catalog, clock) = (Arc::clone(books), Arc::clone(&server.state().catalog), Arc::clone(&server.clock));
    UsageKeeper::new(books, catalog, clock, Duration::from_secs(10), RecordId::from_bytes([7; 16]))
}

/// A server with some usage: of two projects and of nobody, in two hours.
pub(crate) async fn with_usage() -> Server {
    let server = Server::with_two_projects().await;
    let books = Arc::new(Books::default());
    let earlier = START.before(Duration::from_hours(1));
    let sent = |at, key, signal, refused| count(&books, Sent { at, key, signal, refused });
    sent(earlier, Some(("shop", 1)), Signal::Logs, None);
    for _ in 0..2 {
        sent(START, Some(("shop", 1)), Signal::Logs, None);
    }
    sent(START, Some(("shop", 2)), Signal::Traces, Some(Reason::KeyExpired));
    sent(START, Some(("shop", 2)), Signal::Traces, Some(Reason::BodyTooLarge));
    sent(START, Some(("bank", 3)), Signal::Logs, None);
    sent(START, None, Signal::Logs, Some(Reason::KeyInvalid));
    keeper(&server, &books).flush().await.expect("it is written");
    server.clock.advance(Duration::from_mins(1));
    server
}

/// A row with nothing counted.
fn row(at: &str) -> Value {
    json!({
        "at": format!("2026-11-21T{at}:00.000000Z"),
        "project": null, "grid": null, "environment": null, "key": null, "signal": null, "outcome": null,
        "received": 0, "accepted": 0, "gone": 0, "refused": 0, "refused_by": {}, "would_refuse": 0,
        "items": 0, "wire_bytes": 0, "bytes": 0,
    })
}

fn with(mut row: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().expect("an object") {
        row[name] = value.clone();
    }
    row
}

async fn rows(server: &Server, query: &str) -> Value {
    let page = server.get(&format!("/usage{query}")).await.expect(200);
    assert_eq!((&page["has_more"], &page["next_cursor"]), (&json!(false), &Value::Null));
    page["data"].clone()
}

#[tokio::test]
async fn usage_is_shown_by_step_and_group() {
    let server = with_usage().await;
    let first = json!({"received": 1, "accepted": 1, "items": 3, "wire_bytes": 10, "bytes": 30});
    let refused_by = json!({"key_expired": 1, "body_too_large": 1, "key_invalid": 1});
    let second = json!({
        "received": 6, "accepted": 3, "refused": 3, "refused_by": refused_by,
        "items": 9, "wire_bytes": 30, "bytes": 90,
    });
    let hours = json!([with(row("09:00"), &first), with(row("10:00"), &second)]);
    assert_eq!(rows(&server, "").await, hours);
    assert_eq!(rows(&server, "?step=hour&from=2026-11-21T09:59:59Z&to=2026-11-21T11:00:00Z").await, hours);
    assert_eq!(rows(&server, "?from=2026-11-21T10:00:00Z").await, json!([hours[1]]));
    assert_eq!(rows(&server, "?to=2026-11-21T10:00:00Z").await, json!([hours[0]]));
    assert_eq!(rows(&server, "?step=minute").await, json!([with(row("10:22"), &second)]));
    let day = rows(&server, "?step=day").await;
    assert_eq!(
        (day.as_array().map(Vec::len), &day[0]["received"], &day[0]["at"]),
        (Some(1), &json!(7), &row("00:00")["at"])
    );

    let by_key = rows(&server, "?from=2026-11-21T10:00:00Z&group_by=project,key").await;
    let names = |row: &Value| (row["project"].clone(), row["key"].clone(), row["received"].clone());
    assert_eq!(
        by_key.as_array().expect("a list").iter().map(names).collect::<Vec<_>>(),
        [
            (Value::Null, Value::Null, json!(1)),
            (json!("bank"), json!("key_000000000003"), json!(1)),
            (json!("shop"), json!("key_000000000001"), json!(2)),
            (json!("shop"), json!("key_000000000002"), json!(2)),
        ]
    );
    let one = rows(&server, "?project=shop&signal=traces&key=key_000000000002&group_by=outcome,environment").await;
    let of = |outcome: &str, counted: &Value| {
        with(with(row("10:00"), &json!({"environment": "production", "outcome": outcome})), counted)
    };
    assert_eq!(
        one,
        json!([
            of("body_too_large", &json!({"refused": 1, "refused_by": {"body_too_large": 1}})),
            of("key_expired", &json!({"refused": 1, "refused_by": {"key_expired": 1}})),
            of("received", &json!({"received": 2})),
        ])
    );
    assert_eq!(rows(&server, "?grid=app").await, json!([]));

    let of_two = rows(&server, "?key=key_000000000003,key_000000000001&group_by=key&limit=5000").await;
    let names = |row: &Value| (row["at"].clone(), row["key"].clone(), row["accepted"].clone());
    assert_eq!(
        of_two.as_array().expect("a list").iter().map(names).collect::<Vec<_>>(),
        [
            (row("09:00")["at"].clone(), json!("key_000000000001"), json!(1)),
            (row("10:00")["at"].clone(), json!("key_000000000001"), json!(2)),
            (row("10:00")["at"].clone(), json!("key_000000000003"), json!(1)),
        ]
    );
    let many = vec!["key_000000000001"; 201].join(",");
    for query in
        [format!("key={many}"), "key=".to_owned(), "key=key_1,key_000000000001".to_owned(), "limit=5001".to_owned()]
    {
        server.get(&format!("/usage?{query}")).await.problem(422, "invalid");
    }
    assert_eq!(
        rows(&server, &format!("?limit=200&key={}", &many[..many.len() - 17])).await.as_array().map(Vec::len),
        Some(2)
    );
}

#[tokio::test]
async fn usage_comes_by_page_and_as_csv() {
    let server = with_usage().await;
    let query = "group_by=project,key,signal";
    let whole = rows(&server, &format!("?{query}")).await;
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/usage?{query}&limit=2{cursor}")).await.expect(200);
        paged.extend(page["data"].as_array().expect("a list").clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(json!(paged), whole);

    let csv = async |accept: &str, query: &str| {
        let request = server.request(Method::GET, &format!("/usage{query}"));
        let request = request.header("authorization", format!("Bearer {}", server.owner.token));
        server.send(request.header("accept", accept), "").await
    };
    let answer = csv("text/csv", &format!("?{query}")).await;
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert_eq!(
        answer.text,
        "at,project,grid,environment,key,signal,outcome,received,accepted,gone,refused,would_refuse,items,wire_bytes,bytes,refused_by\r\n\
         2026-11-21T09:00:00.000000Z,shop,,,key_000000000001,logs,,1,1,0,0,0,3,10,30,\r\n\
         2026-11-21T10:00:00.000000Z,,,,,logs,,1,0,0,1,0,0,0,0,key_invalid=1\r\n\
         2026-11-21T10:00:00.000000Z,bank,,,key_000000000003,logs,,1,1,0,0,0,3,10,30,\r\n\
         2026-11-21T10:00:00.000000Z,shop,,,key_000000000001,logs,,2,2,0,0,0,6,20,60,\r\n\
         2026-11-21T10:00:00.000000Z,shop,,,key_000000000002,traces,,2,0,0,2,0,0,0,0,body_too_large=1 key_expired=1\r\n"
    );
    assert_eq!(csv("application/json, text/csv;q=0.5", "").await.text.lines().count(), 3);
    csv("text/csv", "?limit=2").await.problem(422, "invalid");
    csv("text/csv", "?from=later").await.problem(422, "invalid");
}

/// More rows than are read at once.
#[tokio::test]
async fn csv_goes_on_to_the_end() {
    let server = Server::with_two_projects().await;
    let books = Arc::new(Books::default());
    for key in 0..2_500 {
        count(&books, Sent { at: START, key: Some(("shop", key)), signal: Signal::Logs, refused: None });
    }
    keeper(&server, &books).flush().await.expect("it is written");
    server.clock.advance(Duration::from_mins(1));
    let request = server.request(Method::GET, "/usage?group_by=key").header("accept", "text/csv");
    let answer = server.send(request.header("authorization", format!("Bearer {}", server.owner.token)), "").await;
    let keys: std::collections::BTreeSet<_> = answer.text.lines().skip(1).map(|line| line.split(',').nth(4)).collect();
    assert_eq!((answer.text.lines().count(), keys.len()), (2_501, 2_500));
}

#[tokio::test]
async fn a_project_sees_its_own_and_needs_the_permission() {
    let server = with_usage().await;
    let view: Permissions = [Permission::UsageView].into_iter().collect();
    let shop = server.admin("shop", Some("shop"), view).await;
    let get = async |path: &str| server.call(&shop, Method::GET, path, None).await;
    let seen = get("/usage?group_by=project").await.expect(200);
    let projects: Vec<_> = seen["data"].as_array().expect("a list").iter().map(|row| &row["project"]).collect();
    assert_eq!(projects, ["shop", "shop"]);
    assert_eq!(get("/usage?key=key_000000000003").await.expect(200)["data"], json!([]));
    get("/usage?project=bank").await.problem(404, "project_not_found");
    get("/usage?project=nope").await.problem(404, "project_not_found");
    let none = server.admin("none", Some("shop"), [Permission::AuditView].into_iter().collect()).await;
    server.call(&none, Method::GET, "/usage", None).await.problem(403, "permission_denied");
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_all_at_once() {
    let server = Server::start().await;
    let query = "?step=week&from=x&group_by=key,key&signal=spans&key=1&project=A&limit=0&what=1";
    let problem = server.get(&format!("/usage{query}")).await.problem(422, "invalid");
    let places: Vec<_> =
        problem["errors"].as_array().expect("a list").iter().filter_map(|error| error["parameter"].as_str()).collect();
    assert_eq!(places, ["step", "from", "group_by", "project", "key", "signal", "limit", "what"]);
    for query in [
        "?from=2026-11-21T10:00:00Z&to=2026-11-21T10:00:00Z",
        "?from=2036-11-21T10:00:00Z",
        "?group_by=",
        "?group_by=outcome,outcome",
        "?group_by=tenant",
        "?cursor=x",
        "?step=hour&step=hour",
    ] {
        server.get(&format!("/usage{query}")).await.problem(422, "invalid");
    }
}

/// The database goes away, and answers are lost: nothing is lost or counted twice.
#[tokio::test]
async fn usage_is_written_once_whatever_fails() {
    let server = Server::with_two_projects().await;
    let books = Arc::new(Books::default());
    let keeper = keeper(&server, &books);
    let mut sent = 0;
    let mut more = |exports: u32| {
        for number in 0..exports {
            let key = Some(("shop", number));
            count(&books, Sent { at: START, key, signal: Signal::Logs, refused: None });
        }
        sent += u64::from(exports);
        sent
    };
    server.clock.advance(Duration::from_mins(1));
    for round in 0..4 {
        // More than one transaction writes.
        more(700);
        server.take_database_away();
        keeper.flush().await.expect_err("there is no database");
        server.give_database_back();
        more(1);
        // It is written, and nobody learns of it: twice.
        server.watched.forgetful.store(true, Ordering::SeqCst);
        keeper.flush().await.expect_err("the answer is lost");
        more(2);
        keeper.flush().await.expect_err("the answer is lost");
        server.watched.forgetful.store(false, Ordering::SeqCst);
        let sent = more(3);
        keeper.flush().await.expect("it is written");
        let shown = rows(&server, "?step=day").await;
        assert_eq!((&shown[0]["received"], &shown[0]["accepted"]), (&json!(sent), &json!(sent)), "{round}");
        assert_eq!(shown[0]["items"], 3 * sent);
    }
    keeper.flush().await.expect("there is nothing to write");
    assert!(books.usage.is_empty());
}

#[tokio::test]
async fn the_top_is_one_row_for_each_group_of_the_whole_range() {
    let server = with_usage().await;
    let top = async |query: &str| server.get(&format!("/usage/top{query}")).await;
    let by_project = top("?group_by=project&from=2026-11-21T09:00:00Z").await.expect(200);
    let shop = json!({
        "project": "shop", "received": 5, "accepted": 3, "refused": 2, "items": 9, "wire_bytes": 30, "bytes": 90,
        "refused_by": {"key_expired": 1, "body_too_large": 1},
    });
    assert_eq!(by_project["data"][0], with(row("09:00"), &shop));
    let names: Vec<_> = by_project["data"].as_array().expect("a list").iter().map(|row| &row["project"]).collect();
    assert_eq!(names, [&json!("shop"), &json!("bank"), &Value::Null]);
    assert_eq!(by_project["groups"], 2);
    let first = top("?group_by=project&limit=1").await.expect(200);
    assert_eq!((first["data"].as_array().map(Vec::len), &first["groups"]), (Some(1), &json!(2)));
    let sum = top("").await.expect(200);
    assert_eq!((&sum["data"][0]["received"], sum["data"].as_array().map(Vec::len)), (&json!(7), Some(1)));
    let problem = top("?rank_by=x&limit=0&step=week&cursor=a").await.problem(422, "invalid");
    let places: Vec<_> =
        problem["errors"].as_array().expect("a list").iter().filter_map(|error| error["parameter"].as_str()).collect();
    assert_eq!(places, ["rank_by", "limit", "step", "cursor"]);
    let view: Permissions = [Permission::UsageView].into_iter().collect();
    let bank = server.admin("bank", Some("bank"), view).await;
    let own = server.call(&bank, Method::GET, "/usage/top?group_by=project", None).await.expect(200);
    assert_eq!((own["data"].as_array().map(Vec::len), &own["data"][0]["project"]), (Some(1), &json!("bank")));
    server.call(&bank, Method::GET, "/usage/top?project=shop", None).await.problem(404, "project_not_found");
}
