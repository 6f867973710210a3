//! What of a thing is written into the audit log: everything that an admin may see of it, and no digest.

use serde_json::{Value, json};

use super::Fields;
use crate::domain::{Binding, Key, Limits, Slug, Timestamp};

/// The fields of a key, by their names in the API.
pub(in crate::catalog) fn of_key(key: &Key) -> Fields {
    let tenant = match &key.binding {
        Binding::Tenant(tenant) => Some(tenant),
        Binding::Project(_) | Binding::Installation => None,
    };
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let secrets: Vec<_> = key
        .secrets
        .iter()
        .map(|secret| {
            json!({
                "version": secret.version,
                "format": secret.format.as_str(),
                "retires_at": time(secret.retires_at),
                "drained_after_seconds": secret.drained_after.map(|after| after.as_secs()),
            })
        })
        .collect();
    fields(json!({
        "kind": key.binding.kind().as_str(),
        "name": key.name,
        "note": key.note,
        "tags": key.tags.iter().collect::<Vec<_>>(),
        "owner": key.owner,
        "project": key.binding.project().map(Slug::as_str),
        "grid": tenant.map(|tenant| tenant.grid.as_str()),
        "environment": tenant.map(|tenant| tenant.environment.as_str()),
        "role": key.role.as_ref().map(Slug::as_str),
        "permissions": key.permissions.to_string(),
        "allowed_addresses": key.allowed.to_string(),
        "limits": of_limits(&key.limits),
        "member": key.member,
        "expires_at": time(key.expires_at),
        "disabled_at": time(key.disabled_at),
        "revoked_at": time(key.revoked_at),
        "exposed_at": time(key.exposed_at),
        "reviewed_at": time(key.reviewed_at),
        "secrets": secrets,
    }))
}

/// Limits, each in its text form.
pub(in crate::catalog) fn of_limits(limits: &Limits) -> Vec<String> {
    limits.iter().map(ToString::to_string).collect()
}

/// The fields of `value`, which is an object.
pub(in crate::catalog) fn fields(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    }
}

/// Of both, only what differs.
pub(in crate::catalog) fn changed(mut before: Fields, mut after: Fields) -> (Fields, Fields) {
    let same: Vec<_> =
        before.iter().filter(|(name, value)| after.get(*name) == Some(value)).map(|(name, _)| name.clone()).collect();
    for name in same {
        before.remove(&name);
        after.remove(&name);
    }
    (before, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_is_left_out() {
        let of = |value| fields(value);
        let (before, after) =
            changed(of(json!({"a": 1, "b": 2, "c": null})), of(json!({"a": 1, "b": 3, "c": null, "d": 4})));
        assert_eq!(Value::from(before), json!({"b": 2}));
        assert_eq!(Value::from(after), json!({"b": 3, "d": 4}));
    }
}
