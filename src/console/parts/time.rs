//! Instants as people read them: relative, with the exact one in UTC for who points at it. The script keeps them true.

use maud::{Markup, html};

use crate::domain::Timestamp;

/// `2 min ago`, `in 5 d`. `instant` is RFC 3339, as the API gives it; another text stands as it is.
pub(in crate::console) fn relative(instant: &str, now: Timestamp) -> Markup {
    let Ok(at) = instant.parse::<Timestamp>() else { return html! { (instant) } };
    html! { time datetime=(instant) title=(exact(instant)) data-relative { (apart(at, now)) } }
}

/// The same of an instant that may not be there.
pub(in crate::console) fn relative_or(instant: Option<&str>, now: Timestamp, absent: &str) -> Markup {
    instant.map_or_else(|| html! { span.meta { (absent) } }, |instant| relative(instant, now))
}

/// `11 Apr 2027`.
pub(in crate::console) fn date(instant: &str) -> Markup {
    html! { time datetime=(instant) title=(exact(instant)) { (day(instant)) } }
}

/// `11 Apr 2027, 14:48:07 UTC`.
pub(in crate::console) fn exact(instant: &str) -> String {
    let clock = instant.get(11..19).unwrap_or_default();
    format!("{}, {clock} UTC", day(instant))
}

/// `11 Apr, 14:48 UTC`.
pub(in crate::console) fn minute(instant: &str) -> String {
    let day = day(instant);
    let day = day.rsplit_once(' ').map_or(day.as_str(), |(day, _)| day);
    format!("{day}, {} UTC", clock(instant))
}

/// `14:48`.
pub(in crate::console) fn clock(instant: &str) -> &str {
    instant.get(11..16).unwrap_or_default()
}

/// `11 Apr 2027`.
pub(in crate::console) fn day(instant: &str) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let part = |range: std::ops::Range<usize>| instant.get(range).unwrap_or_default();
    let month = part(5..7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    let Some(month) = month else { return instant.to_owned() };
    format!("{} {month} {}", part(8..10).trim_start_matches('0'), part(0..4))
}

/// An instant as it is typed into a form: a day alone begins it, in UTC. The API reads it.
pub(in crate::console) fn from_typed(text: &str) -> String {
    let is_day = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if is_day { format!("{text}T00:00:00Z") } else { text.to_owned() }
}

/// An instant of the API as a form shows it: without what is zero.
pub(in crate::console) fn to_type(instant: &str) -> String {
    let short = instant.replace(".000000Z", "Z");
    short.strip_suffix("T00:00:00Z").map_or(short.clone(), str::to_owned)
}

/// How far `at` is from `now`, in the largest unit of which there are two, or one.
pub(in crate::console) fn apart(at: Timestamp, now: Timestamp) -> String {
    let micros = i128::from(at.micros()) - i128::from(now.micros());
    let span = span(u64::try_from(micros.unsigned_abs() / 1_000_000).unwrap_or(u64::MAX));
    if micros > 0 { format!("in {span}") } else { format!("{span} ago") }
}

/// `41 s`, `12 min`, `5 h`, `9 d`.
pub(in crate::console) fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_told_from_now() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().expect("an instant");
        let cases = [
            ("2026-11-21T10:00:00Z", "0 s ago"),
            ("2026-11-21T09:59:19Z", "41 s ago"),
            ("2026-11-21T09:00:00Z", "60 min ago"),
            ("2026-11-21T07:59:00Z", "2 h ago"),
            ("2026-11-26T10:00:00Z", "in 5 d"),
        ];
        for (at, text) in cases {
            assert_eq!(apart(at.parse().expect("an instant"), now), text);
        }
        assert_eq!(day("2027-04-01T00:00:00Z"), "1 Apr 2027");
        assert_eq!(exact("2027-04-11T14:48:07.123Z"), "11 Apr 2027, 14:48:07 UTC");
        assert_eq!(minute("2027-04-11T14:48:07.123Z"), "11 Apr, 14:48 UTC");
        assert_eq!(day("?"), "?");
    }

    #[test]
    fn a_day_is_typed_without_a_time() {
        assert_eq!(from_typed("2027-04-11"), "2027-04-11T00:00:00Z");
        assert_eq!(from_typed("2027-04-11T10:00:00Z"), "2027-04-11T10:00:00Z");
        assert_eq!(to_type("2027-04-11T00:00:00.000000Z"), "2027-04-11");
        assert_eq!(to_type("2027-04-11T10:00:00.500000Z"), "2027-04-11T10:00:00.500000Z");
    }
}
