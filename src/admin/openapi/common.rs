//! What operations have in common: how callers prove themselves, the headers of every answer, and the problems that any request
//! can end in. A handler names its own problems only, by their codes.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::admin::problem::Code;

/// The ways to present a token; one is enough.
const SCHEMES: [&str; 3] = ["bearer", "x-api-key", "api-key"];

/// `document` with everything that its operations have in common.
pub(super) fn complete(mut document: Value) -> Value {
    let mut shared = Map::new();
    for operation in operations(&mut document) {
        optional_body(operation);
        let present = Present::of(operation);
        present.secure(operation);
        let mut problems = own_problems(operation);
        for code in present.problems() {
            problems.entry(code.status().as_u16().to_string()).or_default().push(code.as_str().to_owned());
        }
        answer(operation, &present, problems, &mut shared);
    }
    document["components"]["responses"] = Value::Object(shared);
    let schemas = document["components"]["schemas"].clone();
    let bodies: String =
        operations(&mut document).filter_map(|one| one.get("requestBody")).map(Value::to_string).collect();
    for (name, schema) in document["components"]["schemas"].as_object_mut().into_iter().flatten() {
        // What refuses other fields is, or is a part of, a body.
        let is_body = schema.get("additionalProperties") == Some(&Value::Bool(false));
        // The places of a problem are left out where there are none.
        if name != "Problem" && !is_body && !bodies.contains(&format!("/{name}\"")) {
            whole(schema);
        }
        refer_inside(schema, &schemas);
    }
    document["components"]["securitySchemes"] = json!({
        "bearer": {"type": "http", "scheme": "bearer", "description": "An admin token, gga_…"},
        "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
        "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
    });
    document["components"]["headers"] = headers();
    document
}

/// Says of a body that may be left out that it is no `null` where it is there.
fn optional_body(operation: &mut Map<String, Value>) {
    let content = operation.get_mut("requestBody").and_then(|body| body["content"].as_object_mut());
    for media_type in content.into_iter().flat_map(Map::values_mut) {
        let schemas = media_type["schema"]["oneOf"].as_array().into_iter().flatten();
        if let Some(body) = schemas.into_iter().find(|schema| schema.get("$ref").is_some()) {
            media_type["schema"] = body.clone();
        }
    }
}

/// Every operation of `document`.
fn operations(document: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let items = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    items.filter_map(Value::as_object_mut).flat_map(Map::values_mut).filter_map(Value::as_object_mut)
}

/// Says of the schema of an answer that every field is there, as they are, null included.
fn whole(schema: &mut Value) {
    let fields = schema["properties"].as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>());
    if let Some(fields) = fields {
        schema["required"] = json!(fields);
    }
}

/// Puts references where `value` repeats one of `schemas` inside of it, as pages do with their rows.
fn refer_inside(value: &mut Value, schemas: &Value) {
    let inside: Box<dyn Iterator<Item = &mut Value>> = match value {
        Value::Object(fields) => Box::new(fields.values_mut()),
        Value::Array(items) => Box::new(items.iter_mut()),
        _ => return,
    };
    for one in inside {
        let named = schemas.as_object().and_then(|all| all.iter().find(|(_, schema)| *schema == one));
        match named {
            Some((name, _)) => *one = json!({"$ref": format!("#/components/schemas/{name}")}),
            None => refer_inside(one, schemas),
        }
    }
}

/// What there is about an operation that decides how else it can be answered.
struct Present {
    /// The permissions that its caller needs; `None`: it needs no key.
    permissions: Option<Vec<Value>>,
    body: bool,
    idempotency_key: bool,
}

impl Present {
    fn of(operation: &Map<String, Value>) -> Self {
        let requirements = operation.get("security").and_then(Value::as_array);
        let permissions = match requirements.map(|all| all.iter().filter_map(|one| one["bearer"].as_array())) {
            None => Some(Vec::new()),
            Some(mut named) => named.next().cloned(),
        };
        let mut parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
        Self {
            permissions,
            body: operation.contains_key("requestBody"),
            idempotency_key: parameters.any(|parameter| parameter["name"] == "Idempotency-Key"),
        }
    }

    fn secure(&self, operation: &mut Map<String, Value>) {
        let requirements = match &self.permissions {
            None => json!([]),
            Some(permissions) => SCHEMES.iter().map(|scheme| json!({*scheme: permissions})).collect(),
        };
        operation.insert("security".to_owned(), requirements);
    }

    /// The problems that the operation can end in whatever it does.
    fn problems(&self) -> Vec<Code> {
        let mut codes = vec![Code::Internal, Code::Invalid, Code::RateLimited];
        if let Some(permissions) = &self.permissions {
            codes.extend(Code::ALL.iter().filter(|code| code.as_str().starts_with("credentials_")));
            codes.extend([Code::IpNotAllowed, Code::CatalogUnavailable]);
            codes.extend((!permissions.is_empty()).then_some(Code::PermissionDenied));
        }
        if self.idempotency_key {
            codes.extend([Code::IdempotencyInFlight, Code::IdempotencyMismatch]);
        }
        if self.body {
            codes.extend([Code::BodyMalformed, Code::BodyIncomplete, Code::BodyTooLarge, Code::BodyTimeout]);
            codes.push(Code::ContentTypeUnsupported);
        }
        codes
    }
}

/// Takes out the problems that the operation names itself, by status: its description of such an answer is their codes.
fn own_problems(operation: &mut Map<String, Value>) -> BTreeMap<String, Vec<String>> {
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
        return BTreeMap::new();
    };
    let statuses: Vec<String> = responses.keys().filter(|status| status.as_str() >= "400").cloned().collect();
    let codes = |response: Option<Value>| {
        let description = response.as_ref().and_then(|response| response["description"].as_str()).unwrap_or_default();
        description.split(", ").map(str::to_owned).collect()
    };
    statuses.into_iter().map(|status| (status.clone(), codes(responses.remove(&status)))).collect()
}

/// Writes the answers: headers into those that are there, and the problems, which are `shared` by name.
fn answer(
    operation: &mut Map<String, Value>,
    present: &Present,
    problems: BTreeMap<String, Vec<String>>,
    shared: &mut Map<String, Value>,
) {
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (status, response) in responses.iter_mut() {
        if response["description"].as_str().unwrap_or_default().is_empty() {
            let reason = status.parse::<StatusCode>().ok().and_then(|status| status.canonical_reason());
            response["description"] = json!(reason.unwrap_or_default());
        }
        let own = response["headers"].as_object().into_iter().flat_map(Map::keys).cloned().collect::<Vec<_>>();
        let replayed = present.idempotency_key.then_some("idempotency-replayed");
        response["headers"] = refer(EVERYWHERE.into_iter().chain(own.iter().map(String::as_str)).chain(replayed));
    }
    for (status, codes) in problems {
        let own: &[&str] = match status.as_str() {
            "401" => &["www-authenticate"],
            "412" => &["etag"],
            "429" | "503" => &["retry-after"],
            _ => &[],
        };
        let told = codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
        let narrowed = json!({"properties": {"code": {"enum": codes}}});
        let schema = json!({"allOf": [{"$ref": "#/components/schemas/Problem"}, narrowed]});
        let response = json!({
            "description": told,
            "headers": refer(EVERYWHERE.into_iter().chain(own.iter().copied())),
            "content": {"application/problem+json": {"schema": schema}},
        });
        let name = codes.join(".");
        responses.insert(status, json!({"$ref": format!("#/components/responses/{name}")}));
        shared.insert(name, response);
    }
}

/// The headers of every answer.
const EVERYWHERE: [&str; 4] = ["x-request-id", "cache-control", "ratelimit", "ratelimit-policy"];

fn refer<'a>(names: impl Iterator<Item = &'a str>) -> Value {
    names.map(|name| (name.to_owned(), json!({"$ref": format!("#/components/headers/{name}")}))).collect()
}

/// The headers that answers have, by their names.
fn headers() -> Value {
    let header = |description: &str, schema: Value| {
        let required = !description.starts_with("Optional");
        json!({"description": description, "required": required, "schema": schema})
    };
    let text = || json!({"type": "string"});
    json!({
        "x-request-id": header("Names the request in the log", json!({"type": "string", "pattern": "^[0-9a-f]{32}$"})),
        "cache-control": header("Answers are kept by nobody", json!({"const": "no-store"})),
        "ratelimit": header("What is left of the limit, and in how many seconds all of it is back", text()),
        "ratelimit-policy": header("The limit: so many requests in so many seconds", text()),
        "idempotency-replayed": header("Optional: this answer was given before", json!({"const": "true"})),
        "www-authenticate": header("How to authenticate (RFC 6750 section 3)", text()),
        "retry-after": header("After how many seconds to try again", json!({"type": "integer", "minimum": 1})),
        "location": header("The path of what was made", json!({"type": "string", "format": "uri-reference"})),
        "etag": header("The version, for If-Match", json!({"type": "string", "pattern": "^\"[0-9]+\"$"})),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn each(check: impl Fn(&str, &Map<String, Value>)) {
        let mut document = crate::admin::openapi::document();
        let mut ids = HashSet::new();
        for operation in operations(&mut document) {
            let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
            check(&id, operation);
            assert!(ids.insert(id.clone()), "{id} is there twice");
        }
        assert!(ids.len() > 10);
    }

    #[test]
    fn operations_are_described() {
        each(|id, operation| {
            assert!(!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{id}");
            for field in ["summary", "tags", "security"] {
                assert!(operation.contains_key(field), "{id} has no {field}");
            }
        });
    }

    #[test]
    fn problems_have_codes_of_their_status() {
        each(|id, operation| {
            let responses = operation["responses"].as_object().expect("responses");
            for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "400") {
                let codes = response["$ref"].as_str().and_then(|name| name.strip_prefix("#/components/responses/"));
                for code in codes.expect("a reference").split('.') {
                    let known = Code::ALL.iter().find(|known| known.as_str() == code);
                    let known = known.map(|known| known.status().as_u16().to_string());
                    assert_eq!(known.as_ref(), Some(status), "{id}: {code}");
                }
            }
        });
    }

    #[test]
    fn what_is_referred_to_is_there() {
        let document = crate::admin::openapi::document();
        let text = document.to_string();
        let references: Vec<_> = text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(references.len() > 10);
        for reference in references {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }
}
