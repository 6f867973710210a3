//! Origin: who sent an export, as far as its resources tell.

use super::token::without_tokens;

/// The longest text that is kept, in bytes.
pub const MAX_ORIGIN_LENGTH: usize = 128;

/// The most senders of one export that are told apart.
pub const MAX_SOURCES: usize = 8;

/// What an export's resources say of its sender (OpenTelemetry semantic conventions, «Resource»). Whoever sends writes it: it proves
/// nothing, and may hold any character but U+0000. Each text has at most [`MAX_ORIGIN_LENGTH`] bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Origin {
    /// `service.name`.
    pub service: Option<Box<str>>,
    /// `host.name`.
    pub host: Option<Box<str>>,
    /// `telemetry.sdk.language`, `telemetry.sdk.name` and `telemetry.sdk.version`, with spaces between them.
    pub sdk: Option<Box<str>>,
    /// `deployment.environment.name`.
    pub environment: Option<Box<str>>,
    /// What further resources say where they differ in service, host or SDK; with the first [`MAX_SOURCES`] at the most.
    pub others: Vec<Other>,
}

/// What a further resource of an export says of its sender.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Other {
    /// As [`Origin::service`].
    pub service: Option<Box<str>>,
    /// As [`Origin::host`].
    pub host: Option<Box<str>>,
    /// As [`Origin::sdk`].
    pub sdk: Option<Box<str>>,
}

/// One of the senders of an export.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Source<'a> {
    /// As [`Origin::service`].
    pub service: Option<&'a str>,
    /// As [`Origin::host`].
    pub host: Option<&'a str>,
    /// As [`Origin::sdk`].
    pub sdk: Option<&'a str>,
}

impl Origin {
    /// As much of `text` as is kept, without tokens in it. U+0000, which no database takes, becomes a space.
    #[must_use]
    pub fn text(text: &str) -> Box<str> {
        let text = without_tokens(text);
        let kept = &text[..text.floor_char_boundary(MAX_ORIGIN_LENGTH)];
        if kept.contains('\0') { kept.replace('\0', " ").into() } else { kept.into() }
    }

    /// Everybody who sent it, at least one, of whom perhaps nothing is known.
    pub fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        let first = (&self.service, &self.host, &self.sdk);
        let others = self.others.iter().map(|other| (&other.service, &other.host, &other.sdk));
        std::iter::once(first).chain(others).map(|(service, host, sdk)| Source {
            service: service.as_deref(),
            host: host.as_deref(),
            sdk: sdk.as_deref(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(&*Origin::text("checkout"), "checkout");
        assert_eq!(&*Origin::text(&"é".repeat(100)), "é".repeat(64));
        assert_eq!(&*Origin::text(&format!("a{}", "é".repeat(100))), format!("a{}", "é".repeat(63)));
        assert_eq!(&*Origin::text("a\0b"), "a b");
    }
}
