//! Numbers as people read them.

use maud::{Markup, html};

/// At most three digits that count: `96`, `41.2 k`, `2.14 M`, `1.2 B`.
pub(in crate::console) fn short(number: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1_000_000_000_000, "T"), (1_000_000_000, "B"), (1_000_000, "M"), (10_000, "k")];
    let Some((_, unit)) = UNITS.iter().find(|(from, _)| number >= *from) else { return grouped(number) };
    let one = match *unit {
        "T" => 1_000_000_000_000,
        "B" => 1_000_000_000,
        "M" => 1_000_000,
        _ => 1_000,
    };
    format!("{} {unit}", scaled(number, one))
}

/// `number` in units of `one`, with three digits: rounded down, so that what is not full never looks full.
fn scaled(number: u64, one: u64) -> String {
    let (whole, rest) = (number / one, u128::from(number % one));
    let hundredths = rest * 100 / u128::from(one);
    let text = match whole {
        0..10 => format!("{whole}.{hundredths:02}"),
        10..100 => format!("{whole}.{}", hundredths / 10),
        _ => return whole.to_string(),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Every digit, in groups of three: `1,204`.
pub(in crate::console) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes in units of 1024: `512 B`, `1.5 KiB`, `20 MiB`.
pub(in crate::console) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let (mut one, mut unit) = (1024, UNITS[0]);
    for next in &UNITS[1..] {
        if number / one < 1024 {
            break;
        }
        (one, unit) = (one * 1024, next);
    }
    format!("{} {unit}", scaled(number, one))
}

/// How much of `whole` is `part`: `0 %`, `< 0.01 %`, `0.07 %`, `34 %`.
pub(in crate::console) fn percent(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0 %".to_owned();
    }
    let hundredths = u128::from(part) * 10_000 / u128::from(whole);
    match hundredths {
        0 => "< 0.01 %".to_owned(),
        1..1_000 => {
            let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
            format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => format!("{} %", hundredths / 100),
    }
}

/// A number in short, with every digit for who points at it. Nothing is pale.
pub(in crate::console) fn number(number: u64) -> Markup {
    html! { span.number .zero[number == 0] title=(grouped(number)) { (short(number)) } }
}

/// `1 sender`, `2 senders`.
pub(in crate::console) fn counted(number: u64, one: &str, several: &str) -> String {
    format!("{} {}", short(number), if number == 1 { one } else { several })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0, "0"),
            (96, "96"),
            (1_204, "1,204"),
            (9_999, "9,999"),
            (41_200, "41.2 k"),
            (612_000, "612 k"),
            (2_149_999, "2.14 M"),
            (1_200_000_000, "1.2 B"),
            (u64::MAX, "18446744 T"),
        ];
        for (number, text) in cases {
            assert_eq!(short(number), text);
        }
    }

    #[test]
    fn bytes_and_parts_are_read_easily() {
        let cases = [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (20 << 20, "20 MiB")];
        for (number, text) in cases {
            assert_eq!(bytes(number), text);
        }
        let cases = [(0, 5, "0 %"), (1, 100_000, "< 0.01 %"), (7, 10_000, "0.07 %"), (34, 100, "34 %"), (1, 0, "0 %")];
        for (part, whole, text) in cases {
            assert_eq!(percent(part, whole), text);
        }
        assert_eq!(counted(1, "sender", "senders"), "1 sender");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
