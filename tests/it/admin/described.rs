//! The description of the API, held against the API itself: whatever route is added, these hold for it.

use gridgate::admin::openapi::document;
use gridgate::domain::{Permission, Permissions};
use http::Method;
use serde_json::Value;

use super::{Admin, Answer, Server};

/// One operation of the description.
struct Operation {
    id: String,
    method: Method,
    /// With names that nothing has in the place of its variables.
    path: String,
    /// `None`: it needs no key.
    permissions: Option<Vec<String>>,
    query: Vec<String>,
    body: Option<String>,
}

fn operations() -> Vec<Operation> {
    let document = document();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let prefix = match path.split('/').nth(1) {
                Some("webhooks") => "whk",
                Some("sessions") => "ses",
                _ => "key",
            };
            let texts = |value: &Value| value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
            let in_query = |parameter: &&Value| parameter["in"] == "query";
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let content = operation["requestBody"]["content"].as_object();
            found.push(Operation {
                id: text(&operation["operationId"]),
                method: method.to_uppercase().parse().expect("a method"),
                path: path
                    .replace("{id}", &format!("{prefix}_000000000000"))
                    .replace("{project}", "nowhere")
                    .replace("{grid}", "none")
                    .replace("{environment}", "none")
                    .replace("{slug}", "nothing"),
                permissions: operation["security"].get(0).map(|first| texts(&first["bearer"])),
                query: parameters.filter(in_query).map(|parameter| text(&parameter["name"])).collect(),
                body: content.and_then(|content| content.keys().next().cloned()),
            });
        }
    }
    assert!(found.len() > 40);
    found
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// Asks for the operation with nothing but an empty object, and with `query`.
async fn ask(server: &Server, operation: &Operation, admin: Option<&Admin>, query: &str) -> Answer {
    let mut request = server.request(operation.method.clone(), &format!("{}{query}", operation.path));
    if let Some(admin) = admin {
        request = request.header("x-api-key", &admin.token);
    }
    match &operation.body {
        Some(content_type) => server.send(request.header("content-type", content_type), "{}").await,
        None => server.send(request, "").await,
    }
}

#[tokio::test]
async fn it_is_served_to_everybody() {
    let server = Server::start().await;
    let answer = server.send(server.request(Method::GET, "/openapi.json"), "").await;
    assert_eq!(answer.expect(200), document());
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn operations_need_a_key_and_the_permissions_that_they_say() {
    let server = Server::start().await;
    for operation in operations() {
        let Some(permissions) = &operation.permissions else { continue };
        ask(&server, &operation, None, "").await.problem(401, "credentials_missing");
        for (index, missing) in permissions.iter().enumerate() {
            let held =
                Permission::ALL.iter().filter(|one| !permissions[index..].iter().any(|name| name == one.as_str()));
            let name = format!("{} {index}", operation.id);
            let admin = server.admin(&name, None, held.copied().collect::<Permissions>()).await;
            let problem = ask(&server, &operation, Some(&admin), "").await.problem(403, "permission_denied");
            let detail = format!("this needs the permission {missing}, which {} lacks", admin.id);
            assert_eq!(problem["detail"], detail, "{}", operation.id);
        }
    }
}

#[tokio::test]
async fn operations_have_the_parameters_that_they_say_and_no_others() {
    let server = Server::start().await;
    for operation in operations().iter().filter(|operation| operation.permissions.is_some()) {
        let answer = ask(&server, operation, Some(&server.owner), "?nonsense=1").await;
        // Where the thing of the path is looked up first, the query cannot be heard of here.
        if answer.status == 404 {
            continue;
        }
        let problem = answer.problem(422, "invalid");
        let fix = match operation.query.as_slice() {
            [] => "this path has no parameters".to_owned(),
            names => format!("each of {} at most once", names.join(", ")),
        };
        let errors = problem["errors"].as_array().expect("errors");
        let error = errors.iter().find(|error| error["parameter"] == "nonsense").expect(&operation.id);
        assert_eq!(error["detail"], "there is no such parameter", "{}", operation.id);
        assert_eq!(error["fix"], fix, "{}", operation.id);
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_of_every_answer() {
    let server = Server::start().await;
    for operation in operations() {
        for admin in [None, Some(&server.owner)] {
            // A stream has no end.
            let query = if operation.id == "watch_requests" { "?outcome=none" } else { "" };
            let answer = ask(&server, &operation, admin, query).await;
            for name in ["x-request-id", "ratelimit", "ratelimit-policy"] {
                assert!(answer.header(name).is_some(), "{}: {name}", operation.id);
            }
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", operation.id);
        }
    }
}

/// A client that could choose the id of its request could write into the log what it likes, and take the id of another.
#[tokio::test]
async fn an_id_that_the_client_sends_is_not_taken() {
    let server = Server::start().await;
    let request = server.request(Method::GET, "/me").header("x-api-key", &server.owner.token);
    let answer = server.send(request.header("x-request-id", "0123456789abcdef0123456789abcdef"), "").await;
    assert_eq!(answer.status, 200);
    let id = answer.header("x-request-id").expect("an id");
    assert!(id.len() == 32 && id != "0123456789abcdef0123456789abcdef", "{id}");
}

#[tokio::test]
async fn bodies_have_a_limit_everywhere() {
    let server = Server::start().await;
    let body = format!("{{{}}}", " ".repeat(9 << 20));
    for operation in operations().iter().filter(|operation| operation.permissions.is_some()) {
        let Some(content_type) = &operation.body else { continue };
        let request = server.request(operation.method.clone(), &operation.path);
        let request = request.header("x-api-key", &server.owner.token).header("content-type", content_type);
        assert_eq!(server.send(request, body.clone()).await.status, 413, "{}", operation.id);
    }
}
