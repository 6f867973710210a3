//! Plans, limits and suspensions over the admin API.

use gridgate::domain::Permissions;
use http::Method;
use serde_json::{Value, json};

use super::{START_TEXT, Server, ingest};

const TENANT: &str = "/projects/shop/grids/web/environments/production/limits";

/// A limit as answers have it, of all signals and enforced.
fn limit(per: &str, unit: &str, amount: u64) -> Value {
    let burst = (per == "second").then_some(amount);
    json!({"unit": unit, "per": per, "amount": amount, "burst": burst, "signal": null, "mode": "enforce"})
}

/// A limit that holds, and of which nothing was used.
fn effective(scope: &str, source: &str, limit: &Value) -> Value {
    let (remaining, resets_at) = match limit["per"].as_str() {
        Some("second") => (&limit["burst"], START_TEXT),
        Some("day") => (&limit["amount"], "2026-11-22T00:00:00.000000Z"),
        _ => (&limit["amount"], "2026-12-01T00:00:00.000000Z"),
    };
    json!({
        "scope": scope,
        "source": source,
        "limit": limit,
        "used": 0,
        "remaining": remaining,
        "resets_at": resets_at,
        "would_have_refused": null,
    })
}

fn trial() -> Value {
    let quota = json!({"unit": "bytes", "per": "month", "amount": 5_000_000_000_u64});
    let rate =
        json!({"unit": "items", "per": "second", "amount": 1000, "burst": 5000, "signal": "traces", "mode": "warn"});
    json!({
        "slug": "trial",
        "name": "Trial",
        "note": "for a month",
        "limits": {"project": [quota], "tenant": [rate], "key": [{"unit": "requests", "per": "second", "amount": 50}]},
        "max_active_keys": 2,
    })
}

#[tokio::test]
async fn a_plan_is_made_listed_shown_changed_and_deleted() {
    let server = Server::start().await;
    let made = server.post("/plans", &trial()).await;
    let rate =
        json!({"unit": "items", "per": "second", "amount": 1000, "burst": 5000, "signal": "traces", "mode": "warn"});
    let mut view = json!({
        "slug": "trial",
        "name": "Trial",
        "note": "for a month",
        "limits": {
            "project": [limit("month", "bytes", 5_000_000_000)],
            "tenant": [rate],
            "key": [limit("second", "requests", 50)],
        },
        "max_active_keys": 2,
        "version": 1,
        "created_at": START_TEXT,
        "updated_at": START_TEXT,
    });
    assert_eq!(made.expect(201), view);
    assert_eq!((made.header("location"), made.header("etag")), (Some("/api/v1/plans/trial"), Some("\"1\"")));
    server.post("/plans", &trial()).await.problem(409, "plan_exists");
    assert_eq!(server.get("/plans/trial").await.expect(200), view);
    assert_eq!(server.get("/plans").await.expect(200)["data"], json!([view]));
    server.get("/plans/other").await.problem(404, "plan_not_found");

    let edit = json!({"limits": {"key": []}, "max_active_keys": null});
    server.call(&server.owner, Method::PATCH, "/plans/trial", Some(&edit)).await.problem(428, "precondition_required");
    let late = server.patch("/plans/trial", "\"2\"", &edit).await.problem(412, "version_conflict");
    assert_eq!(late["current_version"], 1);
    (view["limits"]["key"], view["max_active_keys"], view["version"]) = (json!([]), json!(null), json!(2));
    assert_eq!(server.patch("/plans/trial", "\"1\"", &edit).await.expect(200), view);
    // What is shown of limits can be sent back.
    let same = json!({"limits": view["limits"]});
    assert_eq!(server.patch("/plans/trial", "*", &same).await.expect(200), view);

    server.patch("/projects/shop", "*", &json!({"plan": "trial"})).await.problem(404, "project_not_found");
    server.post("/projects", &json!({"slug": "shop"})).await.expect(201);
    server.patch("/projects/shop", "*", &json!({"plan": "trial"})).await.expect(200);
    server.call(&server.owner, Method::DELETE, "/plans/trial", None).await.problem(409, "plan_in_use");
    server.patch("/projects/shop", "*", &json!({"plan": null})).await.expect(200);
    let deleted = server.call(&server.owner, Method::DELETE, "/plans/trial", None).await;
    assert_eq!(deleted.status, 204);
    server.call(&server.owner, Method::DELETE, "/plans/trial", None).await.problem(404, "plan_not_found");
}

/// Wherever limits are taken, the same is refused, each fault at its own place.
#[tokio::test]
async fn every_bad_limit_is_pointed_at() {
    let server = Server::with_two_projects().await;
    server.post("/plans", &json!({"slug": "trial"})).await.expect(201);
    let key = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    let good = json!({"unit": "items", "per": "second", "amount": 10});
    let with = |field: &str, value: Value| {
        let mut limit = good.clone();
        limit[field] = value;
        limit
    };
    let amount = "a whole number from 1 to 1000000000000";
    let (quota, requests) =
        (json!({"unit": "items", "per": "day", "amount": 10, "burst": 20}), with("unit", json!("requests")));
    let mut daily = requests.clone();
    daily["per"] = json!("day");
    let mut windowed = with("window", json!(1));
    windowed["per"] = json!("day");
    let faults = [
        (with("amount", json!(0)), "/2/amount", amount),
        (with("amount", json!(-1)), "/2/amount", amount),
        (with("amount", json!(1.5)), "/2/amount", amount),
        (with("amount", json!("10")), "/2/amount", amount),
        (with("amount", json!(1_000_000_000_001_u64)), "/2/amount", amount),
        (with("amount", json!(u64::MAX)), "/2/amount", amount),
        (with("amount", json!(1e300)), "/2/amount", amount),
        (with("amount", json!(null)), "/2/amount", "it is required"),
        (with("burst", json!(0)), "/2/burst", amount),
        (with("burst", json!(9)), "/2/burst", "a whole number from the amount to 1000000000000, or leave it out"),
        (with("unit", json!("spans")), "/2/unit", "one of requests, items, bytes"),
        (with("unit", json!(null)), "/2/unit", "it is required"),
        (with("per", json!("hour")), "/2/per", "one of second, day, month"),
        (with("signal", json!("spans")), "/2/signal", "one of traces, metrics, logs, profiles"),
        (with("mode", json!("dry")), "/2/mode", "one of enforce, warn, observe"),
        (with("amount", json!(11)), "/2", "one limit for each period, unit and signal"),
        (quota, "/2/burst", "leave it out, or send per: second"),
        (daily, "/2/unit", "items or bytes, or send per: second"),
        (windowed, "/2/window", ""),
    ];
    for (bad, place, fix) in faults {
        let limits = json!([good, requests, bad]);
        let mut new = ingest("shop", "limited");
        new["limits"] = limits.clone();
        let mut row = new.clone();
        row["token"] = json!("0f8fad5b-d9cb-469f-a165-70867728950e");
        let answers = [
            ("/limits", server.post("/keys", &new).await),
            ("/keys/0/limits", server.post("/keys/import", &json!({"keys": [row]})).await),
            ("/limits", server.patch_key(&key, "*", &json!({"limits": limits})).await),
            ("/limits", server.patch(TENANT, "*", &json!({"limits": limits})).await),
            ("/limits", server.patch("/projects/shop", "*", &json!({"limits": limits})).await),
            ("/limits/tenant", server.patch("/plans/trial", "*", &json!({"limits": {"tenant": limits}})).await),
            ("/limits/key", server.post("/plans", &json!({"slug": "new", "limits": {"key": limits}})).await),
        ];
        for (start, answer) in answers {
            let problem = answer.problem(422, "invalid");
            let errors = problem["errors"].as_array().expect("errors");
            assert_eq!(errors.len(), 1, "{problem}");
            assert_eq!(errors[0]["pointer"], format!("{start}{place}"), "{problem}");
            assert!(fix.is_empty() || errors[0]["fix"] == fix, "{problem}");
        }
    }
    let several = json!({"limits": [{"unit": "x", "amount": 0, "burst": -1, "mode": "y"}, good, good, good]});
    let problem = server.patch(TENANT, "*", &several).await.problem(422, "invalid");
    let places: Vec<_> =
        problem["errors"].as_array().expect("errors").iter().map(|error| error["pointer"].clone()).collect();
    let first = ["unit", "per", "mode", "amount", "burst"].map(|field| json!(format!("/limits/0/{field}")));
    assert_eq!(places[..5], first, "{problem}");
    assert_eq!(places[5..], [json!("/limits/2"), json!("/limits/3")]);
    let many = json!({"limits": vec![&good; 36]});
    let problem = server.patch(TENANT, "*", &many).await.problem(422, "invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/limits");
    server.patch(TENANT, "*", &json!({})).await.problem(422, "invalid");
    assert_eq!(server.get(TENANT).await.expect(200), json!({"limits": [], "effective": []}));
}

#[tokio::test]
async fn a_key_has_limits_from_its_making_on() {
    let server = Server::with_two_projects().await;
    let mut new = ingest("shop", "checkout");
    new["limits"] = json!([{"unit": "items", "per": "second", "amount": 10}]);
    let own = json!([limit("second", "items", 10)]);
    let made = server.post("/keys", &new).await.expect(201);
    assert_eq!(made["key"]["limits"], own);
    let id = made["key"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(server.get(&format!("/keys/{id}")).await.expect(200)["limits"], own);
    let other = json!([{"unit": "bytes", "per": "day", "amount": 7}]);
    let edited = server.patch_key(&id, "\"1\"", &json!({"limits": other})).await.expect(200);
    assert_eq!((&edited["limits"], &edited["version"]), (&json!([limit("day", "bytes", 7)]), &json!(2)));
    let cleared = server.patch_key(&id, "\"2\"", &json!({"limits": null})).await.expect(200);
    assert_eq!(cleared["limits"], json!([]));
    let mut row = ingest("shop", "imported");
    (row["limits"], row["token"]) = (new["limits"].clone(), json!("0f8fad5b-d9cb-469f-a165-70867728950e"));
    let imported = server.post("/keys/import", &json!({"keys": [row]})).await.expect(201);
    assert_eq!(imported["data"][0]["limits"], own);
    assert_eq!(server.get("/keys?q=imported").await.expect(200)["data"][0]["limits"], own);

    let admin = json!({"name": "admin", "kind": "admin", "limits": new["limits"]});
    let problem = server.post("/keys", &admin).await.problem(422, "invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/limits");
    // Who runs keys and no quotas leaves limits alone.
    let permissions: Permissions = "api.key.create api.key.update api.key.view".parse().expect("permissions");
    let clerk = server.admin("clerk", Some("shop"), permissions).await;
    new["name"] = json!("other");
    let problem = server.call(&clerk, Method::POST, "/keys", Some(&new)).await.problem(403, "permission_denied");
    assert_eq!(problem["errors"][0]["pointer"], "/limits");
    let edit = json!({"limits": []});
    server.edit(&clerk, &format!("/keys/{id}"), "*", &edit).await.problem(403, "permission_denied");
    new["limits"] = json!([]);
    server.call(&clerk, Method::POST, "/keys", Some(&new)).await.expect(201);
}

#[tokio::test]
async fn what_holds_is_shown_with_where_it_comes_from() {
    let server = Server::with_two_projects().await;
    server.post("/plans", &trial()).await.expect(201);
    let edit = json!({"plan": "trial", "limits": [{"unit": "items", "per": "day", "amount": 9}]});
    server.patch("/projects/shop", "*", &edit).await.expect(200);
    let id = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    let own = json!({"limits": [{"unit": "items", "per": "second", "amount": 3, "signal": "traces"}]});
    let tenant = server.patch(TENANT, "\"1\"", &own).await;
    assert_eq!(tenant.header("etag"), Some("\"2\""));
    server.patch(TENANT, "\"1\"", &own).await.problem(412, "version_conflict");
    let mut traces = limit("second", "items", 3);
    traces["signal"] = json!("traces");
    let of_project = [
        effective("project", "own", &limit("day", "items", 9)),
        effective("project", "plan", &limit("month", "bytes", 5_000_000_000)),
    ];
    let of_tenant = [effective("tenant", "own", &traces), of_project[0].clone(), of_project[1].clone()];
    assert_eq!(tenant.expect(200), json!({"limits": [traces], "effective": of_tenant}));
    assert_eq!(server.get(TENANT).await.expect(200), tenant.expect(200));
    let project = server.get("/projects/shop/limits").await.expect(200);
    assert_eq!(project, json!({"limits": [limit("day", "items", 9)], "effective": of_project}));
    let key = server.get(&format!("/keys/{id}/limits")).await.expect(200);
    let mut all = vec![effective("key", "plan", &limit("second", "requests", 50))];
    all.extend(of_tenant);
    assert_eq!(key, json!({"limits": [], "effective": all}));
    let admin = server.get(&format!("/keys/{}/limits", server.owner.id)).await.expect(200);
    assert_eq!(admin, json!({"limits": [], "effective": []}));
}

#[tokio::test]
async fn a_project_is_suspended_and_resumed() {
    let server = Server::with_two_projects().await;
    let suspended = server.post("/projects/shop/suspend", &json!({"reason": " unpaid "})).await.expect(200);
    assert_eq!(suspended["suspended"], json!({"since": START_TEXT, "reason": "unpaid"}));
    assert_eq!(server.get("/projects/shop").await.expect(200), suspended);
    let again = server.post("/projects/shop/suspend", &json!({"reason": "other"})).await.expect(200);
    assert_eq!(again, suspended);
    for bad in [json!({}), json!({"reason": ""}), json!({"reason": "a\nb"}), json!({"reason": "a", "until": 1})] {
        server.post("/projects/bank/suspend", &bad).await.problem(422, "invalid");
    }
    server.patch("/projects/shop", "*", &json!({"suspended": null})).await.problem(422, "invalid");
    server.post("/projects/none/suspend", &json!({"reason": "a"})).await.problem(404, "project_not_found");
    let resumed = server.post("/projects/shop/resume", &json!({})).await.expect(200);
    assert_eq!((&resumed["suspended"], &resumed["version"]), (&json!(null), &json!(3)));
    assert_eq!(server.post("/projects/shop/resume", &json!({})).await.expect(200), resumed);

    server.post("/plans", &trial()).await.expect(201);
    let ends = "2026-11-21T10:22:01.000000Z";
    server.patch("/projects/shop", "*", &json!({"plan": "trial", "plan_ends_at": ends})).await.expect(200);
    server.clock.advance(std::time::Duration::from_secs(1));
    let problem = server.post("/projects/shop/resume", &json!({})).await.problem(409, "plan_ended");
    assert!(problem["detail"].as_str().expect("a text").contains(ends), "{problem}");
    for (field, bad) in [("plan_ends_at", json!(ends)), ("plan_ends_at", json!("tomorrow")), ("plan", json!("No slug"))]
    {
        let problem = server.patch("/projects/shop", "*", &json!({field: bad})).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"));
    }
    let problem = server.patch("/projects/shop", "*", &json!({"plan": "other"})).await.problem(404, "plan_not_found");
    assert_eq!(problem["errors"][0]["pointer"], "/plan");
    let later = json!({"plan_ends_at": "2036-11-21T10:22:01Z"});
    server.patch("/projects/shop", "*", &later).await.expect(200);
    server.post("/projects/shop/resume", &json!({})).await.expect(200);
    let problem = server.patch("/projects/bank", "*", &later).await.problem(422, "invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/plan_ends_at");
    let late = server.patch("/projects/shop", "\"1\"", &json!({"name": "x"})).await.problem(412, "version_conflict");
    assert_eq!(late["current_version"], 5);
}

/// The installation's admins alone give to projects; a project's own divide it among tenants and keys.
#[tokio::test]
async fn a_projects_admins_change_nothing_that_the_project_is_given() {
    let server = Server::with_two_projects().await;
    server.post("/plans", &trial()).await.expect(201);
    let shop = server.admin("shop", Some("shop"), Permissions::owner()).await;
    let only = |answer: super::Answer| drop(answer.problem(403, "installation_only"));
    for edit in [
        json!({"plan": "trial"}),
        json!({"plan_ends_at": null}),
        json!({"limits": []}),
        json!({"max_active_keys": null}),
        json!({"name": "Mine", "limits": []}),
    ] {
        only(server.edit(&shop, "/projects/shop", "*", &edit).await);
    }
    only(server.call(&shop, Method::POST, "/projects/shop/suspend", Some(&json!({"reason": "a"}))).await);
    only(server.call(&shop, Method::POST, "/projects/shop/resume", None).await);
    only(server.call(&shop, Method::POST, "/plans", Some(&json!({"slug": "mine"}))).await);
    only(server.edit(&shop, "/plans/trial", "*", &json!({"name": "Mine"})).await);
    only(server.call(&shop, Method::DELETE, "/plans/trial", None).await);
    server.call(&shop, Method::GET, "/plans/trial", None).await.expect(200);
    server.call(&shop, Method::GET, "/projects/shop/limits", None).await.expect(200);
    let own = json!({"limits": [{"unit": "items", "per": "second", "amount": 3}]});
    server.edit(&shop, TENANT, "*", &own).await.expect(200);
    // Of another project they see nothing.
    let bank = TENANT.replace("shop", "bank");
    let key = server.ingest_key("bank", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    server.edit(&shop, &bank, "*", &own).await.problem(404, "project_not_found");
    for path in [bank.as_str(), "/projects/bank/limits"] {
        server.call(&shop, Method::GET, path, None).await.problem(404, "project_not_found");
    }
    for verb in ["suspend", "resume"] {
        let reason = json!({"reason": "a"});
        let body = (verb == "suspend").then_some(&reason);
        let path = format!("/projects/bank/{verb}");
        server.call(&shop, Method::POST, &path, body).await.problem(404, "project_not_found");
    }
    server.call(&shop, Method::GET, &format!("/keys/{key}/limits"), None).await.problem(404, "key_not_found");
    for (path, code) in [
        ("/projects/shop/grids/none/environments/production/limits", "grid_not_found"),
        ("/projects/shop/grids/web/environments/none/limits", "environment_not_found"),
        ("/projects/shop/grids/No%20slug/environments/production/limits", "grid_not_found"),
        ("/projects/none/grids/web/environments/production/limits", "project_not_found"),
    ] {
        server.get(path).await.problem(404, code);
        server.patch(path, "*", &own).await.problem(404, code);
    }
}

/// What many keys share is announced after it is written and before it is answered.
#[tokio::test]
async fn a_change_of_terms_is_announced() {
    let server = Server::with_two_projects().await;
    let announced = || std::mem::take(&mut *server.events.lock().expect("events"));
    server.post("/plans", &trial()).await.expect(201);
    assert!(announced().is_empty(), "nobody has it yet");
    let announcement = |path: &str| if path.starts_with("/plans/") { ["announced all"] } else { ["announced shop"] };
    for (path, edit) in [
        ("/projects/shop", json!({"plan": "trial"})),
        ("/plans/trial", json!({"limits": {"key": []}})),
        (TENANT, json!({"limits": [{"unit": "items", "per": "second", "amount": 3}]})),
        // What is so already may have been written by somebody who has not announced it yet.
        (TENANT, json!({"limits": [{"unit": "items", "per": "second", "amount": 3}]})),
    ] {
        server.patch(path, "*", &edit).await.expect(200);
        assert_eq!(announced(), announcement(path), "{path}");
    }
    for verb in ["suspend", "resume"] {
        let body = if verb == "suspend" { json!({"reason": "a"}) } else { json!({}) };
        server.post(&format!("/projects/shop/{verb}"), &body).await.expect(200);
        assert_eq!(announced(), ["announced shop"], "{verb}");
    }
}

#[tokio::test]
async fn a_suspended_project_is_told_by_diagnose_and_verify() {
    let server = Server::with_two_projects().await;
    let token = server.ingest_key("shop", "checkout").await["token"].clone();
    server.post("/projects/shop/suspend", &json!({"reason": "unpaid"})).await.expect(200);
    let verified = server.post("/keys/verify", &json!({"token": token})).await.expect(200);
    assert_eq!((&verified["valid"], &verified["reason"]), (&json!(false), &json!("project_suspended")));
    let diagnosis = server.post("/keys/diagnose", &json!({"token": token})).await.expect(200);
    assert_eq!(diagnosis["accepted"], false);
    let finding = &diagnosis["findings"][0];
    assert_eq!((&finding["code"], &finding["detail"]), (&json!("project_suspended"), &json!("shop is suspended")));
    assert_eq!((&finding["since"], &finding["by"]), (&json!(START_TEXT), &json!("owner")));
    let first = &diagnosis["exports"][0];
    let told = (&first["reason"], &first["http_status"], &first["grpc_code"], &first["retryable"]);
    assert_eq!(told, (&json!("project_suspended"), &json!(403), &json!("PERMISSION_DENIED"), &json!(false)));
    server.post("/projects/shop/resume", &json!({})).await.expect(200);
    assert_eq!(server.post("/keys/verify", &json!({"token": token})).await.expect(200)["valid"], true);
    // An admin key of a suspended project is let in: somebody has to look after it.
    server.post("/projects/shop/suspend", &json!({"reason": "unpaid"})).await.expect(200);
    let shop = server.admin("shop", Some("shop"), Permissions::owner()).await;
    let view = server.call(&shop, Method::GET, "/projects/shop", None).await.expect(200);
    assert_eq!(view["suspended"]["reason"], "unpaid");
}
