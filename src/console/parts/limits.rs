//! Limits as people read and write them: one on each line, in the words of the command line and of the audit log.

use maud::{Markup, html};

use super::field::Field;
use super::icon::{Icon, icon};
use super::number::short;
use crate::admin::problem::{FieldError, Place, Problem, ProblemView};
use crate::admin::terms::{LimitView, NewLimit};
use crate::console::guard::is_of;
use crate::domain::limit::{Limit, LimitError, MAX_AMOUNT};

/// The editor: a field with one limit on each line, called `name` as the API's field is (`limits`, or `limits/tenant` inside of another),
/// with everything that `problem` says of it. `value` is what [`lines`] makes of limits, or what was typed. Its form is read by [`read`];
/// [`super::field::rest_of`] is told of it as `limits/*`.
pub(in crate::console) fn limits_editor(name: &str, value: &str, problem: Option<&ProblemView>) -> Markup {
    let help = "One on each line. Without one, only the plan and the limits around it hold.";
    limits_field(Field::new(name, "Limits").help(help), value, problem)
}

/// The same with a label and help of its own.
pub(in crate::console) fn limits_field(field: Field<'_>, value: &str, problem: Option<&ProblemView>) -> Markup {
    let Field { name, label, help, .. } = field;
    let wrong = wrong_lines(name, value, problem);
    let help_id = format!("{name}-help");
    html! {
        div.field.limits-editor {
            label for=(name) { (label) }
            textarea #(name).mono name=(name) rows=(rows(value)) autocomplete="off" spellcheck="false"
                aria-describedby=(help_id) aria-invalid=[(!wrong.is_empty()).then_some("true")] { (value) }
            div id=(help_id) {
                @for (line, error) in &wrong {
                    p.field-error {
                        (icon(Icon::Danger))
                        span { @if let Some(line) = line { code { (line) } ": " } (error.detail) ". Allowed: " (error.fix) }
                    }
                }
                @if wrong.is_empty() { p.help { (help) } }
            }
            details.limits-help {
                summary { "How limits are written" }
                dl {
                    @for (example, meaning) in EXAMPLES {
                        div { dt { code { (example) } } dd { (meaning) } }
                    }
                }
            }
        }
    }
}

/// What the editor explains limits by.
const EXAMPLES: [(&str, &str); 4] = [
    (
        "2000 requests/second burst 4000",
        "A rate, in requests (exports), items or bytes. After a pause, the burst may come at once.",
    ),
    (
        "traces 1000 items/second",
        "Of one signal: traces, metrics, logs or profiles. Items are spans, data points, log records, samples.",
    ),
    (
        "5000000000 bytes/month warn",
        "A quota of items or bytes for a day or month in UTC. Over it, data is accepted and senders are warned.",
    ),
    ("1000000 items/day observe", "Only counted: a day later you see what would have been refused."),
];

/// Limits as the editor has them.
pub(in crate::console) fn lines(limits: &[LimitView]) -> String {
    limits.iter().map(LimitView::to_string).collect::<Vec<_>>().join("\n")
}

/// The limits in the editor called `name`, as the API takes them.
///
/// # Errors
/// What is no limit, at its place, as the API would say it.
pub(in crate::console) fn read(name: &str, text: &str) -> Result<Vec<NewLimit>, Box<ProblemView>> {
    let mut limits = Vec::new();
    let mut errors = Vec::new();
    for (index, line) in written(text).enumerate() {
        // Digits may be grouped.
        match line.replace(',', "").parse::<Limit>() {
            Ok(limit) => limits.push(NewLimit::from(&limit)),
            Err(error) => {
                let place = Place::Pointer(format!("/{name}/{index}"));
                errors.push(FieldError { place, detail: error.to_string(), fix: fix(error) });
            }
        }
    }
    if errors.is_empty() { Ok(limits) } else { Err(Box::new(Problem::invalid(errors).view(""))) }
}

/// A limit in short: `2,000 requests/s`, `traces 10 M items/day`.
pub(in crate::console) fn words(limit: &LimitView) -> String {
    let signal = limit.signal.as_deref().map(|signal| format!("{signal} ")).unwrap_or_default();
    let per = if limit.per == "second" { "s" } else { &limit.per };
    let amount = amount(limit.amount, &limit.unit);
    if limit.unit == "bytes" {
        format!("{signal}{amount}/{per}")
    } else {
        format!("{signal}{amount} {}/{per}", limit.unit)
    }
}

/// So much of a unit in short. Bytes are in decimal units, as limits are written in round decimal numbers.
pub(in crate::console) fn amount(number: u64, unit: &str) -> String {
    let short = short(number);
    match (unit, short.rsplit_once(' ')) {
        ("bytes", Some((digits, "B"))) => format!("{digits} GB"),
        ("bytes", Some(_)) => format!("{short}B"),
        ("bytes", None) => format!("{short} B"),
        _ => short,
    }
}

/// The limits of a text, each on a line of its own or, as in the text form of several, behind a comma and a space.
fn written(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.split(", ")).map(str::trim).filter(|line| !line.is_empty())
}

/// What `problem` says of the limits called `name`, each with the line that it is about.
fn wrong_lines<'a>(
    name: &str,
    value: &'a str,
    problem: Option<&'a ProblemView>,
) -> Vec<(Option<&'a str>, &'a FieldError)> {
    let errors = problem.map(|problem| problem.errors.as_slice()).unwrap_or_default().iter();
    let ours = errors.filter(|error| is_of(error, name)).map(|error| {
        let rest = error.place.to_string();
        let index = rest.split('/').nth(name.split('/').count() + 1).and_then(|index| index.parse().ok());
        (index.and_then(|index| written(value).nth(index)), error)
    });
    ours.collect()
}

fn fix(error: LimitError) -> String {
    match error {
        LimitError::Amount => format!("a whole number from 1 to {MAX_AMOUNT}"),
        LimitError::Burst => format!("a whole number from the amount to {MAX_AMOUNT}, or no burst"),
        LimitError::QuotaBurst => "no burst, or a limit per second".to_owned(),
        LimitError::QuotaRequests => "items or bytes, or a limit per second".to_owned(),
        LimitError::Twice => "one limit for each period, unit and signal".to_owned(),
        LimitError::Form => {
            "the signal or none, the amount, the unit and period, then a burst and a mode or none".to_owned()
        }
    }
}

/// Room for what is there and one more.
fn rows(value: &str) -> usize {
    (written(value).count() + 1).clamp(2, 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_line_by_line() {
        let text = " 2,000 requests/second burst 4000\r\n\r\ntraces 5 items/day warn, 7 bytes/month\n";
        let limits = read("limits", text).expect("limits");
        let amounts: Vec<_> = limits.iter().map(|limit| limit.amount.clone().expect("an amount")).collect();
        assert_eq!(amounts, [2000, 5, 7]);
        assert_eq!((limits[1].signal.as_deref(), limits[1].mode.as_deref()), (Some("traces"), Some("warn")));
        assert_eq!(read("limits", " \n").expect("none").len(), 0);
    }

    #[test]
    fn what_is_no_limit_is_told_at_its_line() {
        let text = "10 items/second\n\nten spans\n5 requests/day";
        let problem = read("limits/key", text).expect_err("no limits");
        let places: Vec<_> = problem.errors.iter().map(|error| error.place.to_string()).collect();
        assert_eq!(places, ["/limits/key/1", "/limits/key/2"]);
        let html = limits_field(Field::new("limits/key", "Of each key"), text, Some(&problem)).into_string();
        assert!(html.contains("<code>ten spans</code>: a limit is written as"), "{html}");
        assert!(html.contains("<code>5 requests/day</code>: a limit per day or month counts items or bytes"), "{html}");
        let other = limits_field(Field::new("limits/tenant", "Of each tenant"), text, Some(&problem)).into_string();
        assert!(!other.contains("field-error"), "{other}");
    }

    #[test]
    fn limits_are_told_in_short() {
        let words_of = |text: &str| words(&LimitView::from(&text.parse::<Limit>().expect("a limit")));
        assert_eq!(words_of("2000 requests/second burst 4000"), "2,000 requests/s");
        assert_eq!(words_of("traces 10000000 items/day"), "traces 10 M items/day");
        assert_eq!(words_of("5000000000 bytes/month"), "5 GB/month");
        let sizes = [500, 20_000, 7_500_000, 2_000_000_000_000].map(|number| amount(number, "bytes"));
        assert_eq!(sizes, ["500 B", "20 kB", "7.5 MB", "2 TB"]);
        let views: Vec<_> = ["10 items/second", "logs 5 bytes/day observe"]
            .map(|text| LimitView::from(&text.parse::<Limit>().expect("a limit")))
            .into();
        assert_eq!(lines(&views), "10 items/second\nlogs 5 bytes/day observe");
    }
}
