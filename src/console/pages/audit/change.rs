//! What an entry changed: each field, as it was and as it is since.

use maud::{Markup, html};
use serde_json::{Map, Value};

use crate::admin::audit::AuditView;
use crate::console::parts::number::counted;

/// The fields of an entry, which open from their number; nothing where it has none.
pub(in crate::console) fn shown(entry: &AuditView) -> Markup {
    let none = Map::new();
    let before = entry.before.as_ref().and_then(Value::as_object).unwrap_or(&none);
    let after = entry.after.as_ref().and_then(Value::as_object).unwrap_or(&none);
    let mut fields: Vec<&String> = before.keys().chain(after.keys()).collect();
    fields.sort_unstable();
    fields.dedup();
    let count = counted(u64::try_from(fields.len()).unwrap_or(u64::MAX), "field", "fields");
    html! {
        @if fields.is_empty() { span.zero { "None" } } @else {
            details.change {
                summary { (count) }
                dl {
                    @for field in fields {
                        div {
                            dt { (field.replace('_', " ")) }
                            dd {
                                @if entry.before.is_some() { del { (text(before.get(field))) } }
                                @if entry.before.is_some() && entry.after.is_some() { span aria-hidden="true" { " → " } }
                                @if entry.after.is_some() { ins { (text(after.get(field))) } }
                            }
                        }
                    }
                    @if let Some(request) = &entry.request_id { div { dt { "request" } dd { code { (request) } } } }
                }
            }
        }
    }
}

/// A value as people read it.
fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "empty".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::Array(list)) if list.is_empty() => "none".to_owned(),
        Some(Value::Array(list)) => list.iter().map(|one| text(Some(one))).collect::<Vec<_>>().join(", "),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_read_as_words() {
        for (value, words) in [
            (json!(null), "none"),
            (json!(""), "empty"),
            (json!("a"), "a"),
            (json!(["a", "b"]), "a, b"),
            (json!([]), "none"),
            (json!(true), "yes"),
            (json!(7), "7"),
        ] {
            assert_eq!(text(Some(&value)), words);
        }
        assert_eq!(text(None), "none");
    }
}
