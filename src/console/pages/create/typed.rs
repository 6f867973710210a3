//! The fields of the form that creates a key.

use std::time::Duration;

use crate::admin::keys::create::NewKey;
use crate::admin::problem::ProblemView;
use crate::console::form::Form;
use crate::console::parts::limits;
use crate::domain::Timestamp;

/// After how many days a key can be chosen to expire.
pub(super) const EXPIRES: [u16; 4] = [30, 90, 180, 365];

/// What is typed and chosen.
#[derive(Default)]
pub(super) struct Typed {
    pub(super) name: String,
    pub(super) project: String,
    pub(super) grid: String,
    pub(super) environment: String,
    /// Empty: permissions of its own.
    pub(super) role: String,
    pub(super) permissions: Vec<String>,
    pub(super) others: String,
    /// Days, or `never`.
    pub(super) expires: String,
    pub(super) limits: String,
    pub(super) addresses: String,
    pub(super) owner: String,
    pub(super) tags: String,
    pub(super) note: String,
    /// `token` or `uuid`.
    pub(super) format: String,
    /// The idempotency key.
    pub(super) once: String,
    /// When the form was first shown, from which expiry counts: sent twice, it says the same.
    pub(super) shown_at: String,
}

impl Typed {
    /// What a form begins with.
    pub(super) fn new(once: String, now: Timestamp) -> Self {
        Self {
            role: "ingest".to_owned(),
            expires: "90".to_owned(),
            format: "token".to_owned(),
            once,
            shown_at: now.to_string(),
            ..Self::default()
        }
    }

    /// What came back.
    pub(super) fn of(form: &Form) -> Self {
        let text = |name| form.text(name).to_owned();
        Self {
            name: text("name"),
            project: text("project"),
            grid: text("grid"),
            environment: text("environment"),
            role: text("role"),
            permissions: form.all("permissions").into_iter().map(str::to_owned).collect(),
            others: text("others"),
            expires: text("expires"),
            limits: text("limits"),
            addresses: text("addresses"),
            owner: text("owner"),
            tags: text("tags"),
            note: text("note"),
            format: text("format"),
            once: text("once"),
            shown_at: text("shown_at"),
        }
    }

    /// What the API is asked for.
    ///
    /// # Errors
    /// Where a line is no limit.
    pub(super) fn body(&self, now: Timestamp) -> Result<NewKey, Box<ProblemView>> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let words = |text: &str| -> Option<Vec<String>> {
            let words = text.split([',', '\n', '\r', ' ', '\t']).filter(|word| !word.is_empty());
            Some(words.map(str::to_owned).collect()).filter(|words: &Vec<_>| !words.is_empty())
        };
        let own = || self.permissions.iter().cloned().chain(words(&self.others).unwrap_or_default()).collect();
        let limits = Some(limits::read("limits", &self.limits)?).filter(|limits| !limits.is_empty());
        Ok(NewKey {
            name: given(&self.name),
            note: given(&self.note),
            tags: words(&self.tags),
            owner: given(&self.owner),
            project: given(&self.project),
            grid: given(&self.grid),
            environment: given(&self.environment),
            role: given(&self.role),
            permissions: self.role.is_empty().then(own),
            allowed_addresses: words(&self.addresses),
            limits,
            expires_at: self.expiry(&self.expires, now).map(|at| at.to_string()),
            format: given(&self.format),
            ..NewKey::default()
        })
    }

    /// The instant so many `days` after the form was shown; `never` has none.
    pub(super) fn expiry(&self, days: &str, now: Timestamp) -> Option<Timestamp> {
        let days: u32 = days.parse().ok()?;
        let from = self.shown_at.parse().unwrap_or(now);
        Some(Timestamp::after(from, Duration::from_secs(u64::from(days) * 86_400)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed() -> Typed {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().expect("an instant");
        Typed { name: "shop".to_owned(), ..Typed::new("0".repeat(32), now) }
    }

    #[test]
    fn a_form_that_is_sent_twice_asks_for_the_same() {
        let [first, second] = ["2026-11-20T10:00:01Z", "2026-11-21T10:00:01Z"]
            .map(|now| typed().body(now.parse().expect("an instant")).expect("a body").expires_at);
        assert_eq!(first.as_deref(), Some("2027-02-18T10:00:00.000000Z"));
        assert_eq!(first, second);
    }

    #[test]
    fn what_is_left_empty_is_left_out() {
        let now = "2026-11-20T10:00:01Z".parse().expect("an instant");
        let body = typed().body(now).expect("a body");
        assert_eq!((body.role.as_deref(), body.permissions, body.limits.is_none()), (Some("ingest"), None, true));
        let own = Typed {
            role: String::new(),
            permissions: vec!["telemetry.logs.write".to_owned()],
            others: "customer.read, license.manage".to_owned(),
            expires: "never".to_owned(),
            ..typed()
        };
        let body = own.body(now).expect("a body");
        let permissions = ["telemetry.logs.write", "customer.read", "license.manage"].map(str::to_owned).to_vec();
        assert_eq!((body.role, body.permissions, body.expires_at), (None, Some(permissions), None));
    }

    #[test]
    fn what_is_no_limit_is_told() {
        let wrong = Typed { limits: "10 spans".to_owned(), ..typed() };
        let problem = wrong.body("2026-11-20T10:00:01Z".parse().expect("an instant")).expect_err("no limit");
        assert_eq!(problem.errors.len(), 1);
    }
}
