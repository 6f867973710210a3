//! What can be done to a key, in the menu of its row.

use maud::{Markup, html};

use crate::admin::keys::KeyView;
use crate::console::parts::icon::{Icon, icon};
use crate::console::visit::Visit;

/// The menu. What the visitor may not do, or what the key's status does not let, is not in it.
pub(super) fn menu(visit: &Visit, key: &KeyView) -> Markup {
    let may = Rights {
        update: visit.may("api.key.update"),
        renew: visit.may("api.key.update") && visit.may("api.key.create"),
        revoke: visit.may("api.key.delete"),
        purge: visit.may("api.key.purge"),
    };
    let verbs = verbs(key, &may);
    html! {
        details.menu data-popup {
            summary.icon-button.small aria-label={ "Actions for " (key.name) } { (icon(Icon::More)) }
            ul {
                li { a href=(visit.frame.href(&format!("/keys/{}", key.id))) { "Details" } }
                @for (verb, words) in verbs {
                    @let href = visit.frame.href(&format!("/keys/{}/{verb}", key.id));
                    @if verb == "settings" {
                        li { a href=(href) { (words) } }
                    } @else {
                        li { a .danger-button[is_final(verb)] href=(href) data-dialog { (words) } }
                    }
                }
            }
        }
    }
}

/// What the visitor may do to keys.
#[expect(clippy::struct_excessive_bools, reason = "each is a right of its own")]
struct Rights {
    update: bool,
    /// Give a key a new secret.
    renew: bool,
    revoke: bool,
    purge: bool,
}

fn is_final(verb: &str) -> bool {
    matches!(verb, "revoke" | "purge")
}

/// The verbs with what they are called, those that change the least first.
fn verbs(key: &KeyView, may: &Rights) -> Vec<(&'static str, &'static str)> {
    let (is_active, is_rotating) = (key.status == "active", key.rotation.is_some());
    if key.status == "revoked" {
        return if may.purge { vec![("purge", "Purge…")] } else { Vec::new() };
    }
    let is_expired = key.status == "expired";
    let all = [
        (may.update, "settings", "Edit"),
        (key.kind == "ingest", "snippets", "Snippets"),
        (may.update && is_expired, "renew", "Renew…"),
        (may.update && key.status == "disabled", "enable", "Enable…"),
        (may.renew && is_active && !is_rotating, "rotate", "Rotate…"),
        (may.renew && is_rotating, "complete", "Complete rotation…"),
        (may.renew && is_rotating, "cancel", "Cancel rotation…"),
        (may.renew && !is_expired, "regenerate", "Regenerate…"),
        (may.update && is_active, "disable", "Disable…"),
        (may.revoke, "revoke", "Revoke…"),
    ];
    all.into_iter().filter(|(offered, ..)| *offered).map(|(_, verb, words)| (verb, words)).collect()
}
