//! Projects, grids and environments.

use gridgate::domain::Permission;
use http::Method;
use serde_json::{Value, json};

use super::{START_TEXT, Server};

fn project(slug: &str, name: &str) -> Value {
    json!({
        "slug": slug,
        "name": name,
        "plan": null,
        "plan_ends_at": null,
        "limits": [],
        "max_active_keys": null,
        "suspended": null,
        "version": 1,
        "created_at": START_TEXT,
    })
}

fn grid(project: &str, slug: &str, name: &str) -> Value {
    json!({"project": project, "slug": slug, "name": name, "created_at": START_TEXT})
}

#[tokio::test]
async fn a_project_is_created_listed_and_shown() {
    let server = Server::start().await;
    let answer = server.post("/projects", &json!({"slug": "shop", "name": "  The Shop "})).await;
    assert_eq!(answer.expect(201), project("shop", "The Shop"));
    assert_eq!(answer.header("location"), Some("/api/v1/projects/shop"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-request-id").map(str::len), Some(32));
    let answer = server.post("/projects", &json!({"slug": "bank"})).await;
    assert_eq!(answer.expect(201), project("bank", "bank"));

    assert_eq!(server.get("/projects/shop").await.expect(200), project("shop", "The Shop"));
    let list = json!({
        "data": [project("bank", "bank"), project("shop", "The Shop")],
        "next_cursor": null,
        "has_more": false,
    });
    assert_eq!(server.get("/projects").await.expect(200), list);
}

#[tokio::test]
async fn a_taken_slug_is_a_conflict() {
    let server = Server::with_two_projects().await;
    let expected = json!({
        "type": "urn:gridgate:problem:project_exists",
        "title": "Project exists already",
        "status": 409,
        "detail": "the project exists already",
        "code": "project_exists",
    });
    assert_eq!(server.post("/projects", &json!({"slug": "shop"})).await.problem(409, "project_exists"), expected);
    server.post("/projects/shop/grids", &json!({"slug": "web"})).await.problem(409, "grid_exists");
}

#[tokio::test]
async fn an_unknown_project_is_not_found() {
    let server = Server::start().await;
    for path in ["/projects/shop", "/projects/No%20slug", "/projects/%ff", "/projects/shop/grids", "/keys?project=shop"]
    {
        server.get(path).await.problem(404, "project_not_found");
    }
    server.post("/projects/shop/grids", &json!({"slug": "web"})).await.problem(404, "project_not_found");
}

#[tokio::test]
async fn a_grid_is_created_and_listed() {
    let server = Server::with_two_projects().await;
    let answer = server.post("/projects/shop/grids", &json!({"slug": "app", "name": "App"})).await;
    assert_eq!(answer.expect(201), grid("shop", "app", "App"));
    assert_eq!(answer.header("location"), Some("/api/v1/projects/shop/grids/app"));
    let list = json!({"data": [grid("shop", "app", "App"), grid("shop", "web", "web")], "next_cursor": null, "has_more": false});
    assert_eq!(server.get("/projects/shop/grids").await.expect(200), list);
}

#[tokio::test]
async fn one_grid_and_one_environment_are_shown_where_their_location_points() {
    let server = Server::with_two_projects().await;
    let made = server.post("/projects/shop/grids", &json!({"slug": "app", "name": "App"})).await;
    let location = made.header("location").and_then(|location| location.strip_prefix("/api/v1")).expect("a location");
    assert_eq!(server.get(location).await.expect(200), grid("shop", "app", "App"));
    let made = server.post("/environments", &json!({"slug": "load-test", "code": "load"})).await;
    let location = made.header("location").and_then(|location| location.strip_prefix("/api/v1")).expect("a location");
    assert_eq!(server.get(location).await.expect(200), made.expect(201));
    for (path, code) in [
        ("/projects/shop/grids/none", "grid_not_found"),
        ("/projects/shop/grids/No%20slug", "grid_not_found"),
        ("/projects/none/grids/web", "project_not_found"),
        ("/environments/none", "environment_not_found"),
    ] {
        server.get(path).await.problem(404, code);
    }
}

#[tokio::test]
async fn a_project_is_created_with_its_plan_by_who_may_change_plans() {
    let server = Server::start().await;
    server.post("/plans", &json!({"slug": "trial"})).await.expect(201);
    let made = server.post("/projects", &json!({"slug": "shop", "plan": "trial"})).await.expect(201);
    assert_eq!((&made["plan"], &made["version"]), (&json!("trial"), &json!(1)));
    assert_eq!(server.get("/projects/shop").await.expect(200), made);

    let problem =
        server.post("/projects", &json!({"slug": "bank", "plan": "gone"})).await.problem(404, "plan_not_found");
    assert_eq!(problem["errors"][0]["pointer"], "/plan");
    server.get("/projects/bank").await.problem(404, "project_not_found");

    let only_create = server.admin("creator", None, [Permission::ProjectCreate].into_iter().collect()).await;
    let body = json!({"slug": "bank", "plan": "trial"});
    let answer = server.call(&only_create, Method::POST, "/projects", Some(&body)).await;
    answer.problem(403, "permission_denied");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let server = Server::start().await;
    for slug in ["a", "b", "c", "d", "e"] {
        server.post("/projects", &json!({"slug": slug})).await.expect(201);
    }
    let mut seen = Vec::new();
    let mut path = "/projects?limit=2".to_owned();
    loop {
        let page = server.get(&path).await.expect(200);
        seen.push(page["data"].as_array().expect("rows").iter().map(|row| row["slug"].clone()).collect::<Vec<_>>());
        assert_eq!(page["has_more"], page["next_cursor"].is_string());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/projects?limit=2&cursor={cursor}");
    }
    assert_eq!(json!(seen), json!([["a", "b"], ["c", "d"], ["e"]]));
}

#[tokio::test]
async fn environments_are_listed() {
    let server = Server::start().await;
    let list = server.get("/environments").await.expect(200);
    let rows: Vec<_> = list["data"].as_array().expect("rows").iter().map(|row| [&row["slug"], &row["code"]]).collect();
    assert_eq!(json!(rows), json!([["development", "dev"], ["production", "prd"], ["staging", "stg"]]));
    assert_eq!((&list["next_cursor"], &list["has_more"]), (&Value::Null, &Value::Bool(false)));
}

#[tokio::test]
async fn a_project_is_edited() {
    let server = Server::with_two_projects().await;
    let owner = &server.owner;
    let mut view = project("shop", "The Shop");
    let edit = json!({"name": " The Shop ", "max_active_keys": 3});
    (view["max_active_keys"], view["version"]) = (json!(3), json!(2));
    assert_eq!(server.edit(owner, "/projects/shop", "*", &edit).await.expect(200), view);
    assert_eq!(server.get("/projects/shop").await.expect(200), view);
    (view["max_active_keys"], view["version"]) = (Value::Null, json!(3));
    let edit = json!({"max_active_keys": null});
    assert_eq!(server.edit(owner, "/projects/shop", "*", &edit).await.expect(200), view);
    assert_eq!(server.edit(owner, "/projects/shop", "*", &json!({})).await.expect(200), view);
    for bad in [
        json!({"max_active_keys": 0}),
        json!({"max_active_keys": 1_000_001}),
        json!({"max_active_keys": "3"}),
        json!({"name": null}),
        json!({"name": ""}),
        json!({"slug": "other"}),
    ] {
        server.edit(owner, "/projects/shop", "*", &bad).await.problem(422, "invalid");
    }
    server.edit(owner, "/projects/nowhere", "*", &json!({"name": "x"})).await.problem(404, "project_not_found");
    assert_eq!(server.get("/projects/shop").await.expect(200), view);
}

#[tokio::test]
async fn an_environment_is_created_and_edited() {
    let server = Server::with_two_projects().await;
    let owner = &server.owner;
    let answer = server.post("/environments", &json!({"slug": "load-test", "code": "load"})).await;
    assert_eq!(answer.header("location"), Some("/api/v1/environments/load-test"));
    let created = answer.expect(201);
    let mut view = json!({"slug": "load-test", "code": "load", "name": "load-test", "rotation_days": 90,
        "created_at": START_TEXT});
    assert_eq!(created, view);
    let key = json!({"name": "k", "project": "shop", "grid": "web", "environment": "load-test"});
    let key = server.post("/keys", &key).await.expect(201);
    assert!(key["token"].as_str().expect("a token").starts_with("ggi_load_"));
    view["rotation_days"] = Value::Null;
    view["name"] = json!("Load");
    let edit = json!({"name": "Load", "rotation_days": null});
    assert_eq!(server.edit(owner, "/environments/load-test", "*", &edit).await.expect(200), view);
    let listed = server.get("/environments").await.expect(200);
    assert!(listed["data"].as_array().expect("rows").contains(&view), "{listed}");
    for taken in [json!({"slug": "load-test", "code": "other"}), json!({"slug": "other", "code": "load"})] {
        server.post("/environments", &taken).await.problem(409, "environment_exists");
    }
    for bad in
        [json!({}), json!({"slug": "a", "code": "A!"}), json!({"slug": "a", "code": "aa", "rotation_days": 3651})]
    {
        server.post("/environments", &bad).await.problem(422, "invalid");
    }
    server.edit(owner, "/environments/load-test", "*", &json!({"rotation_days": 0})).await.problem(422, "invalid");
    server.edit(owner, "/environments/load-test", "*", &json!({"code": "new"})).await.problem(422, "invalid");
    server.edit(owner, "/environments/nowhere", "*", &json!({})).await.problem(404, "environment_not_found");
}
