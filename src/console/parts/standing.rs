//! How limits stand: what is used of each.

use maud::{Markup, html};

use super::chart::bar;
use super::icon::{Icon, icon};
use super::limits::words;
use super::number::{bytes, percent, short};
use super::time::relative;
use crate::admin::terms::EffectiveLimit;
use crate::domain::Timestamp;

/// A table of `limits`, called `label` for who listens. From four fifths on, what is used stands out.
pub(in crate::console) fn standing(label: &str, limits: &[EffectiveLimit], now: Timestamp) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(label) {
            table.standing {
                thead { tr {
                    th scope="col" { "Limit" }
                    th scope="col" { "Counted for" }
                    th scope="col" { "Used" }
                    th.end scope="col" { "Left" }
                    th scope="col" { "All of it back" }
                } }
                tbody { @for one in limits { (row(one, now)) } }
            }
        }
    }
}

fn row(one: &EffectiveLimit, now: Timestamp) -> Markup {
    let EffectiveLimit { scope, source, limit, used, remaining, resets_at, would_have_refused } = one;
    let whole = used.saturating_add(*remaining);
    let is_near = *used > 0 && used.saturating_mul(5) >= whole.saturating_mul(4);
    let amount = |number: u64| if limit.unit == "bytes" { bytes(number) } else { short(number) };
    let share = percent(*used, whole);
    html! {
        tr.two {
            th scope="row" {
                span.name { (words(limit)) }
                span.meta {
                    @if let Some(burst) = limit.burst.filter(|burst| *burst != limit.amount) { "burst " (amount(burst)) " · " }
                    (source_words(source))
                }
            }
            td { (scope_words(scope)) (mode(&limit.mode, *would_have_refused)) }
            td.used {
                span.amber-text[is_near] { @if is_near { (icon(Icon::Warning)) " " } (amount(*used)) " of " (amount(whole)) span.meta { (share) } }
                (bar(*used, whole, if is_near { "warn" } else { "ok" }, &format!("{share} used")))
            }
            td.end { (amount(*remaining)) }
            td { @if *used == 0 { span.meta { "All is there" } } @else { (relative(resets_at, now)) } }
        }
    }
}

fn scope_words(scope: &str) -> &str {
    match scope {
        "key" => "This key",
        "tenant" => "The tenant's keys together",
        _ => "The whole project",
    }
}

fn source_words(source: &str) -> &str {
    if source == "plan" { "from the plan" } else { "its own" }
}

/// What happens over a limit that is not enforced, and what that would have been yesterday.
fn mode(mode: &str, would_have_refused: Option<f64>) -> Markup {
    let words = match mode {
        "enforce" => return html! {},
        "warn" => "Warns only",
        _ => "Observes only",
    };
    html! {
        span.meta {
            (words)
            @match would_have_refused {
                Some(share) => { ": would have refused " (share_words(share)) " yesterday" }
                None => { ": nothing was sent yesterday" }
            }
        }
    }
}

/// A share from 0 to 1, in hundredths of a percent at the finest.
fn share_words(share: f64) -> String {
    let percent = share * 100.0;
    if share == 0.0 || percent >= 10.0 { format!("{percent:.0} %") } else { format!("{percent:.2} %") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::terms::LimitView;
    use crate::domain::limit::Limit;

    fn html(limit: &str, used: u64, remaining: u64, would_have_refused: Option<f64>) -> String {
        let limit = LimitView::from(&limit.parse::<Limit>().expect("a limit"));
        let (scope, source, resets_at) = ("tenant".to_owned(), "plan".to_owned(), "2026-11-22T00:00:00Z".to_owned());
        let one = EffectiveLimit { scope, source, limit, used, remaining, resets_at, would_have_refused };
        standing("Limits", &[one], "2026-11-21T10:00:00Z".parse().expect("an instant")).into_string()
    }

    #[test]
    fn what_is_used_stands_out_from_four_fifths_on() {
        assert!(!html("100 items/day", 79, 21, None).contains("amber-text"));
        let near = html("100 items/day", 80, 20, None);
        assert!(near.contains("amber-text") && near.contains("80 of 100") && near.contains("in 14 h"), "{near}");
        assert!(!html("100 items/day", 0, 100, None).contains("<time"));
    }

    #[test]
    fn what_is_only_watched_says_what_it_would_have_refused() {
        assert!(html("100 items/day observe", 0, 100, Some(0.03)).contains("would have refused 3.00 % yesterday"));
        assert!(html("100 items/day warn", 0, 100, None).contains("nothing was sent yesterday"));
        assert!(!html("100 items/day", 0, 100, None).contains("yesterday"));
    }
}
