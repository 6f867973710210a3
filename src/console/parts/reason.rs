//! Reasons of refusals, as people say them.

/// What the reason `code` of the API is called. A code that is not known here is read as words.
pub(in crate::console) fn reason(code: &str) -> String {
    let known = match code {
        "credentials_missing" => "No key sent",
        "credentials_ambiguous" => "Two different keys sent",
        "key_malformed" => "What was sent is no key",
        "key_invalid" => "Unknown key or wrong secret",
        "key_revoked" => "Revoked key still in use",
        "secret_retired" => "Secret retired by a rotation",
        "key_expired" => "Expired key still in use",
        "key_disabled" => "Inactive key still in use",
        "environment_mismatch" => "Wrong environment",
        "environment_drift" => "Environment drift",
        "ip_not_allowed" => "Address not allowed",
        "permission_denied" => "Signal not permitted",
        "rate_limited" => "Rate limit reached",
        "quota_exhausted" => "Quota used up",
        "path_unknown" => "Unknown path",
        "wrong_port" => "Wrong port for the protocol",
        "catalog_unavailable" => "Catalog not available",
        "log_unavailable" => "Log not available",
        _ => {
            let words = code.replace('_', " ");
            let mut characters = words.chars();
            let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
            return format!("{first}{}", characters.as_str());
        }
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn every_code_is_words() {
        assert_eq!(reason("key_revoked"), "Revoked key still in use");
        assert_eq!(reason("body_too_large"), "Body too large");
        assert_eq!(reason(""), "");
    }
}
