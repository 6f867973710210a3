//! Which keys are asked for: the query of the page, and that of the API for it.

use serde::Deserialize;

use crate::admin::keys::counts::KeyCountOf;
use crate::console::api::Query;

/// The query of the list.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    pub(super) project: Option<String>,
    pub(super) view: Option<String>,
    pub(super) q: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) role: Option<String>,
    pub(super) status: Option<String>,
    pub(super) sort: Option<String>,
    pub(super) cursor: Option<String>,
    /// How many keys stand on the pages before.
    pub(super) before: Option<u32>,
}

/// So many keys stand on a page.
pub(super) const ROWS: u32 = 15;

impl Wanted {
    /// The saved view; one that there is not is the first.
    pub(super) fn view(&self) -> KeyCountOf {
        let named = |view: &KeyCountOf| self.view.as_deref() == Some(view.as_str());
        KeyCountOf::ALL.into_iter().find(named).unwrap_or(KeyCountOf::NotRevoked)
    }

    /// What the list is sorted by.
    pub(super) fn sort(&self) -> &str {
        let chosen = self.sort.as_deref().filter(|sort| !sort.is_empty());
        let is_search = self.q.as_deref().is_some_and(|q| !q.trim().is_empty());
        chosen.unwrap_or(if is_search { "name" } else { usual_sort(self.view()) })
    }

    /// Whether only some of the view's keys are asked for.
    pub(super) fn is_filtered(&self) -> bool {
        let filters = [&self.q, &self.environment, &self.role, &self.status];
        filters.iter().any(|filter| filter.as_deref().is_some_and(|text| !text.trim().is_empty()))
    }

    /// The query of a page of the same list from its beginning, sorted by `sort`.
    pub(super) fn query(&self, sort: Option<&str>) -> Query {
        self.of_view(self.view())
            .with("q", self.q.as_deref().map(str::trim))
            .with("environment", self.environment.as_deref())
            .with("role", self.role.as_deref())
            .with("status", self.status.as_deref())
            .with("sort", sort)
    }

    /// The query of all keys of `view`.
    pub(super) fn of_view(&self, view: KeyCountOf) -> Query {
        let named = (view != KeyCountOf::NotRevoked).then(|| view.as_str());
        Query::default().with("project", self.project.as_deref()).with("view", named)
    }

    /// The query of the API.
    pub(super) fn asked(&self) -> Query {
        let view = self.view();
        let (status, attention, rotating) = match view {
            KeyCountOf::NotRevoked => (self.status.as_deref(), None, None),
            KeyCountOf::Attention => (None, Some("any"), None),
            KeyCountOf::Rotating => (None, None, Some(true)),
            KeyCountOf::ExpiringSoon | KeyCountOf::Unused45 => (None, Some(view.as_str()), None),
            KeyCountOf::Revoked => (Some(view.as_str()), None, None),
        };
        Query::default()
            .with("project", self.project.as_deref())
            .with("environment", self.environment.as_deref())
            .with("role", self.role.as_deref())
            .with("q", self.q.as_deref().map(str::trim))
            .with("status", status)
            .with("attention", attention)
            .with("rotating", rotating)
            .with("sort", Some(self.sort()))
            .with("limit", Some(ROWS))
            .with("cursor", self.cursor.as_deref())
    }
}

/// What a view is sorted by unless somebody chooses: what is read along an index.
const fn usual_sort(view: KeyCountOf) -> &'static str {
    match view {
        KeyCountOf::NotRevoked | KeyCountOf::Attention => "-last_used_at",
        KeyCountOf::ExpiringSoon => "expires_at",
        KeyCountOf::Unused45 => "last_used_at",
        KeyCountOf::Rotating | KeyCountOf::Revoked => "-created_at",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(view: &str) -> Wanted {
        Wanted { view: Some(view.to_owned()), ..Wanted::default() }
    }

    #[test]
    fn a_view_is_a_list_of_the_api() {
        let cases = [
            ("", "?sort=-last_used_at&limit=15"),
            ("none", "?sort=-last_used_at&limit=15"),
            ("attention", "?attention=any&sort=-last_used_at&limit=15"),
            ("rotating", "?rotating=true&sort=-created_at&limit=15"),
            ("expiring_soon", "?attention=expiring_soon&sort=expires_at&limit=15"),
            ("unused_45", "?attention=unused_45&sort=last_used_at&limit=15"),
            ("revoked", "?status=revoked&sort=-created_at&limit=15"),
        ];
        for (view, query) in cases {
            assert_eq!(wanted(view).asked().as_str(), query);
        }
    }

    #[test]
    fn what_is_searched_comes_by_name_unless_somebody_chooses() {
        let searched = Wanted { q: Some(" a b ".to_owned()), ..Wanted::default() };
        assert_eq!(searched.asked().as_str(), "?q=a+b&sort=name&limit=15");
        assert_eq!(searched.query(Some("-name")).as_str(), "?q=a+b&sort=-name");
        assert!(searched.is_filtered());
        let sorted = Wanted { sort: Some("expires_at".to_owned()), status: Some(String::new()), ..searched };
        assert_eq!(sorted.sort(), "expires_at");
        assert!(!wanted("revoked").is_filtered());
    }
}
