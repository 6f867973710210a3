//! The card that shows a secret, once, and the snippets that use it.

use maud::{Markup, html};

use super::snippets::{SECRET, Snippet, name_of, of_admin, of_ingest};
use super::waiting;
use crate::admin::keys::KeyView;
use crate::admin::keys::create::IssuedKey;
use crate::console::parts::copy::copy_button;
use crate::console::parts::icon::{Icon, icon};
use crate::console::visit::Visit;

/// The whole page of one card with the secret of `issued`, for the answer to the form that made it: status 200, and never kept by
/// anybody, as no answer of the console is. `what_happened` is a sentence before what is always said, or nothing.
pub(in crate::console) fn secret_card(visit: &Visit, issued: &IssuedKey, what_happened: &str) -> Markup {
    let key = &issued.key;
    let exports = key.kind == "ingest";
    // Of a first secret it is awaited that it is used; after others the key's own page says who uses which.
    let next = if exports && key.secrets.len() == 1 {
        format!("/keys/{}/waiting", key.id)
    } else if key.member {
        "/members".to_owned()
    } else {
        format!("/keys/{}", key.id)
    };
    let in_dialog = next.ends_with("/waiting");
    let content = html! {
        div.card-head {
            h1 { "Copy the secret now" }
            a.button.icon-button href=(visit.frame.href(&next)) data-close aria-label="Close" { (icon(Icon::Close)) }
        }
        p { @if !what_happened.is_empty() { (what_happened) " " } "It is shown once. Gridgate keeps only a digest and cannot show it again." }
        div.dialog-body.secret data-secret {
            div.secret-box {
                div.secret-head {
                    h2 #secret-name { "Secret of " (key.name) }
                    span.meta.push { (issued.token.chars().count()) " characters" }
                }
                div.secret-line role="group" aria-labelledby="secret-name" {
                    code { span.masked { (masked(&issued.token)) } span.whole { (issued.token) } }
                    button.quiet-button.small type="button" data-unmask aria-label="Reveal" aria-pressed="false" {
                        (icon(Icon::Eye)) span.unmask-word { "Reveal" }
                    }
                    button.primary.small type="button" data-copy=(issued.token) data-with-secret autofocus { (icon(Icon::Copy)) "Copy" }
                }
                p.meta { "Key id " code { (key.id) } " " (copy_button(&key.id, "key id")) span.aside { " safe to log and to share" } }
            }
            (snippets(visit, key, Some(&issued.token)))
            @if exports { (waiting::line(visit, key, None)) }
        }
        div.dialog-foot {
            @if let (Some(project), Some(grid), Some(environment)) = (&key.project, &key.grid, &key.environment) {
                span.meta { "Goes to " (visit.tenant(project, grid, environment)) }
            }
            form method="get" action=(visit.frame.href(&next)) data-dialog[in_dialog] {
                button type="submit" data-copied { "I have copied it" }
            }
        }
        section.close-gate data-close-gate hidden role="alertdialog" aria-labelledby="gate-name" aria-describedby="gate-text" {
            h2 #gate-name { "Close without copying?" }
            p #gate-text { "You will not see this secret again. If it is lost, regenerate the key to get a new one." }
            div.dialog-foot {
                button type="button" data-close-anyway { "Close anyway" }
                button.primary type="button" data-keep-open { "Back to the secret" }
            }
        }
    };
    visit.broad_dialog("Copy the secret now", &content)
}

/// How `key` is used, in tabs. With its `token` they are shown masked and copied whole; without one they are patterns.
pub(in crate::console) fn snippets(visit: &Visit, key: &KeyView, token: Option<&str>) -> Markup {
    let all = if key.kind == "ingest" {
        of_ingest(key, &visit.settings().http, &visit.frame.host)
    } else {
        of_admin(&admin_url(visit))
    };
    html! {
        section.snippets data-tabs {
            h2 #snippets-name { "Use it" }
            div.snippet-box {
                div.snippet-tabs role="tablist" aria-labelledby="snippets-name" {
                    @for (index, snippet) in all.iter().enumerate() {
                        button type="button" role="tab" id={ "tab-" (snippet.id) } aria-controls={ "snippet-" (snippet.id) }
                            aria-selected=(index == 0) tabindex=(if index == 0 { "0" } else { "-1" }) { (snippet.tab) }
                    }
                }
                @for (index, snippet) in all.iter().enumerate() { (panel(snippet, index == 0, token, &key.masked)) }
            }
            @if token.is_some() { p.help { "Copying puts the real secret in place of the dots." } }
        }
    }
}

/// One snippet. The whole text is in an attribute, where the button takes it.
fn panel(snippet: &Snippet, is_first: bool, token: Option<&str>, pattern: &str) -> Markup {
    let shown = token.map_or_else(|| pattern.to_owned(), masked);
    let whole = token.map(|token| snippet.text.replace(SECRET, token));
    let copied = whole.clone().unwrap_or_else(|| snippet.text.replace(SECRET, pattern));
    let holds_secret = token.is_some() && snippet.text.contains(SECRET);
    html! {
        div.snippet .here[is_first] role="tabpanel" id={ "snippet-" (snippet.id) } aria-labelledby={ "tab-" (snippet.id) } {
            div.scroll tabindex="0" role="region" aria-label={ "Text for " (snippet.tab) } {
                pre {
                    @for (index, part) in snippet.text.split(SECRET).enumerate() {
                        @if index > 0 { span.secret-dots { (shown) } }
                        (part)
                    }
                }
            }
            button.small type="button" data-copy=(copied) data-with-secret[holds_secret] aria-label={ "Copy " (snippet.tab) } {
                (icon(Icon::Copy)) "Copy"
            }
            p.help { (snippet.hint) }
        }
    }
}

/// A token as it is shown: what is safe to log of it, and dots.
fn masked(token: &str) -> String {
    const DOTS: &str = "••••••••••••";
    match token.rsplit_once('_') {
        Some((public, _)) => format!("{public}_{DOTS}"),
        None => DOTS.to_owned(),
    }
}

/// Where the admin API is, as the visitor's browser reaches it. Sessions are kept over TLS or on this machine alone, so it is one of
/// both.
fn admin_url(visit: &Visit) -> String {
    let host = &visit.frame.host;
    let name = name_of(host);
    let port = host.strip_prefix(name).unwrap_or_default();
    let loopback = name == "localhost" || name == "[::1]" || name.starts_with("127.") || name.ends_with(".localhost");
    let scheme = if visit.settings().tls || !loopback { "https" } else { "http" };
    format!("{scheme}://{name}{port}{}", visit.settings().prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_token_only_what_may_be_logged_is_shown() {
        let token = "ggi_dev_7Hq2mZxK9wPa_EXAMPLEexampleEXAMPLEexample00000oD3lQ";
        assert_eq!(masked(token), "ggi_dev_7Hq2mZxK9wPa_••••••••••••");
        assert_eq!(masked("0b5e6d2c-8a54-4c57-9f0e-3d0f0b9f7c11"), "••••••••••••");
    }
}
