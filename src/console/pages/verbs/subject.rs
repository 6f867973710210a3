//! The key that a dialog is about, and who would notice.

use std::time::Duration;

use maud::{Markup, html};

use crate::admin::keys::KeyView;
use crate::admin::senders::SenderView;
use crate::admin::senders::of_key::SendersView;
use crate::console::api::Api;
use crate::console::guard::Fault;
use crate::console::parts::note::{Severity, note};
use crate::console::parts::time::apart;
use crate::console::visit::Visit;
use crate::domain::{KeyId, Timestamp};

/// Who has sent within this time is named as cut off: the API's own measure unless it is configured otherwise.
const IN_USE: Duration = Duration::from_mins(10);

/// A key that was used within this time is revoked only by who types its name.
const USED_LATELY: Duration = Duration::from_hours(24);

/// A key, and who sends with it.
pub(in crate::console::pages) struct Subject {
    /// The key.
    pub(in crate::console::pages) key: KeyView,
    /// Who was seen with it; `None` where the visitor may not know.
    pub(in crate::console::pages) senders: Option<Vec<SenderView>>,
}

/// Which secrets are refused after a change that were let in before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cut {
    /// Every one.
    All,
    /// The one whose time is running out.
    Old,
    /// The newer of two.
    New,
    /// None.
    Nothing,
}

impl Subject {
    /// The key `id`.
    ///
    /// # Errors
    /// As any call of the API.
    pub(super) async fn load(visit: &Visit, id: &str) -> Result<Self, Fault> {
        let id: KeyId = id.parse().map_err(|_| Fault::NotFound)?;
        let key = visit.api.get(&format!("/keys/{id}")).await?;
        Self::of(visit, key).await
    }

    /// `key`, with who sends with it.
    ///
    /// # Errors
    /// As any call of the API.
    pub(in crate::console::pages) async fn of(visit: &Visit, key: KeyView) -> Result<Self, Fault> {
        if key.kind != "ingest" {
            return Ok(Self { key, senders: None });
        }
        let path = format!("/keys/{}/senders", key.id);
        let senders = Api::if_allowed(visit.api.get::<SendersView>(&path)).await?;
        Ok(Self { key, senders: senders.map(|found| found.data) })
    }

    /// Whether the key was used in the last 24 hours, as far as the visitor may know.
    pub(super) fn was_used_lately(&self, now: Timestamp) -> bool {
        let seen = self.senders.iter().flatten().map(|one| Some(one.last_seen_at.as_str()));
        let last = seen.chain([self.key.last_used_at.as_deref()]).filter_map(instant).max();
        last.is_some_and(|last| now.since(last) < USED_LATELY)
    }

    /// Who loses telemetry by `cut`, in words; nothing where nobody is known to.
    pub(super) fn consequence(&self, cut: Cut, now: Timestamp) -> Option<Markup> {
        if self.key.status != "active" || cut == Cut::Nothing {
            return None;
        }
        let is_cut = |version: u32| match (cut, &self.key.rotation) {
            (Cut::All, _) => true,
            (Cut::Old, Some(rotation)) => version == rotation.old_version,
            (Cut::New, Some(rotation)) => version == rotation.new_version,
            _ => false,
        };
        let since = now.before(IN_USE);
        let lately = |at: Option<Timestamp>| at.filter(|&at| at > since);
        let mut named: Vec<(Timestamp, String)> = Vec::new();
        for one in self.senders.iter().flatten().filter(|one| is_cut(one.secret_version)) {
            let Some(at) = lately(instant(one.last_accepted_at.as_deref())) else { continue };
            let name = sender_name(one);
            if !named.iter().any(|(_, known)| *known == name) {
                named.push((at, name));
            }
        }
        let used = self.key.secrets.iter().filter(|one| is_cut(one.version) && one.state != "retired");
        let used = used.filter_map(|one| instant(one.last_used_at.as_deref())).max();
        if let Some((_, first)) = named.first() {
            let all_now = named.iter().all(|(at, _)| now.since(*at) <= Duration::from_mins(1));
            let span = if all_now { "minute" } else { "10 min" };
            let it = if named.len() == 1 { "It" } else { "They" };
            return Some(html! {
                strong { (first) @if named.len() > 1 { " and " (named.len() - 1) " more" } " sent data in the last " (span) "." }
                " " (it) " will lose telemetry."
            });
        }
        let used = lately(used)?;
        let (what, loses) = match (cut, self.key.kind.as_str()) {
            (Cut::All, "ingest") => ("This key", "Whoever sends with it will lose telemetry."),
            (Cut::All, _) => ("This key", "Whoever works with it will be refused."),
            (Cut::Old, _) => ("The old secret", "Whoever uses it will be refused."),
            _ => ("The new secret", "Whoever uses it will be refused."),
        };
        Some(html! { strong { (what) " was used " (apart(used, now)) "." } " " (loses) })
    }
}

/// A consequence as it stands in a dialog.
pub(super) fn warning(consequence: Option<&Markup>) -> Markup {
    consequence.map_or_else(Markup::default, |text| note(Severity::Danger, text))
}

/// What a sender is called: by its service, or else by where it is.
pub(in crate::console::pages) fn sender_name(sender: &SenderView) -> String {
    let name = sender.service.as_deref().or(sender.host.as_deref());
    name.unwrap_or(&sender.address).to_owned()
}

fn instant(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}
