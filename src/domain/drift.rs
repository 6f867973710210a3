//! Drift: a resource that names another environment than the key that it is sent with.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Environment, EnvironmentCode, Slug};

/// What is commonly written for one environment. Whatever is on no line stands for itself.
const SYNONYMS: [&[&str]; 4] = [
    &["production", "prod", "prd", "live"],
    &["staging", "stage", "stg"],
    &["development", "develop", "dev", "local"],
    &["test", "testing", "tst"],
];

/// The short forms of the installation's environments, which resources may name as well.
#[derive(Debug, Default)]
pub struct Codes(RwLock<Arc<HashMap<Slug, EnvironmentCode>>>);

impl Codes {
    /// From now on these are the environments.
    pub fn set(&self, environments: &[Environment]) {
        let codes = environments.iter().map(|one| (one.slug.clone(), one.code.clone())).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(codes);
    }

    /// Whether `said`, the `deployment.environment.name` of a resource, names another environment than `environment`. Case and the
    /// white space around it do not count; slug, code and synonyms name the same one; nothing at all names none.
    #[must_use]
    pub fn differ(&self, environment: &Slug, said: &str) -> bool {
        let (slug, said) = (environment.as_str(), said.trim());
        if said.is_empty() || said.eq_ignore_ascii_case(slug) {
            return false;
        }
        let are_synonyms = SYNONYMS
            .iter()
            .any(|line| line.contains(&slug) && line.iter().any(|synonym| said.eq_ignore_ascii_case(synonym)));
        let is_code = || {
            let codes = self.0.read().unwrap_or_else(PoisonError::into_inner);
            codes.get(environment).is_some_and(|code| said.eq_ignore_ascii_case(code.as_str()))
        };
        !are_synonyms && !is_code()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    fn slug(text: &str) -> Slug {
        text.parse().expect("a slug")
    }

    #[test]
    fn slugs_codes_and_synonyms_name_the_same_environment() {
        let codes = Codes::default();
        for (environment, said, differ) in [
            ("production", "production", false),
            ("production", " Production ", false),
            ("production", "PROD", false),
            ("production", "live", false),
            ("production", "", false),
            ("production", "  ", false),
            ("production", "staging", true),
            ("production", "productio", true),
            ("production", "preprod", true),
            ("staging", "stage", false),
            ("staging", "prod", true),
            ("development", "local", false),
            ("development", "test", true),
            ("test", "testing", false),
            ("acceptance", "acceptance", false),
            ("acceptance", "acc", true),
            ("acceptance", "staging", true),
        ] {
            assert_eq!(codes.differ(&slug(environment), said), differ, "{environment}, {said:?}");
        }
    }

    #[test]
    fn a_code_counts_for_its_own_environment_and_as_long_as_there_is_such_a_one() {
        let codes = Codes::default();
        let acceptance = Environment {
            slug: slug("acceptance"),
            code: "acc".parse().expect("a code"),
            name: "Acceptance".to_owned(),
            rotation_days: None,
            created_at: Timestamp::from_micros(0),
        };
        codes.set(&[acceptance]);
        assert!(!codes.differ(&slug("acceptance"), "ACC"));
        assert!(codes.differ(&slug("production"), "acc"));
        codes.set(&[]);
        assert!(codes.differ(&slug("acceptance"), "acc"));
    }
}
