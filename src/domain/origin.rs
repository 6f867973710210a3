//! Origin: who sent an export, as far as its first resource tells.

/// The longest text that is kept, in bytes.
pub const MAX_ORIGIN_LENGTH: usize = 128;

/// What an export's resources say of its sender (OpenTelemetry semantic conventions, «Resource»). Whoever sends writes it: it proves
/// nothing, and may hold any character. Each text has at most [`MAX_ORIGIN_LENGTH`] bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Origin {
    /// `service.name`.
    pub service: Option<Box<str>>,
    /// `host.name`.
    pub host: Option<Box<str>>,
    /// `deployment.environment.name`.
    pub environment: Option<Box<str>>,
}

impl Origin {
    /// As much of `text` as is kept.
    #[must_use]
    pub fn text(text: &str) -> Box<str> {
        text[..text.floor_char_boundary(MAX_ORIGIN_LENGTH)].into()
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
    }
}
