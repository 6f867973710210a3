//! `Retry-After` (RFC 9110 section 10.2.3): seconds, or an instant.

use std::time::Duration;

use crate::domain::Timestamp;

/// How long `text` asks to wait from `now` on; `None` where it is neither a number of seconds nor a date. Of dates the one form is read
/// that may be sent today (section 5.6.7); one in the past asks for nothing.
pub(super) fn wait(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has are as good as the largest.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    date(text).map(|until| until.since(now))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`. That the weekday is that of the date is not asked for.
fn date(text: &str) -> Option<Timestamp> {
    let (weekday, rest) = text.split_once(", ")?;
    let [day, month, year, time, zone] = rest.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let month = MONTHS.iter().position(|one| *one == month)? + 1;
    if !WEEKDAYS.contains(&weekday) || zone != "GMT" || time.len() != "08:49:37".len() {
        return None;
    }
    format!("{year}-{month:02}-{day}T{time}Z").parse().ok()
}

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 1994-11-06T08:49:07Z.
    const NOW: Timestamp = Timestamp::from_micros(784_111_747_000_000);

    #[test]
    fn seconds_and_dates_are_read() {
        let seconds = |number| Some(Duration::from_secs(number));
        for (text, expected) in [
            ("0", seconds(0)),
            (" 120 ", seconds(120)),
            ("99999999999999999999999999", seconds(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", seconds(30)),
            ("Sun, 06 Nov 1994 08:49:06 GMT", seconds(0)),
            ("Mon, 07 Nov 1994 08:49:07 GMT", seconds(24 * 3600)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 06 Nov 1994 08:49:37", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 6 Nov 1994 08:49:37 GMT", None),
            ("Sun, 31 Feb 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37.5 GMT", None),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
        ] {
            assert_eq!(wait(text, NOW), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_wait_or_none(text in "\\PC*|[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT") {
            let _ = wait(&text, NOW);
        }

        #[test]
        fn every_number_of_seconds_is_read(seconds: u64) {
            prop_assert_eq!(wait(&seconds.to_string(), NOW), Some(Duration::from_secs(seconds)));
        }
    }
}
