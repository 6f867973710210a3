//! Legacy tokens: UUIDs that other products gave out as keys, and that senders keep when their keys are imported.

use std::fmt;

use uuid::{Uuid, Variant, Version};
use zeroize::Zeroizing;

const HYPHENATED: usize = 36;
const PLAIN: usize = 32;

/// A presented UUID, as digests are taken of it: in lower case, with hyphens. No key's id is in it.
pub struct LegacyToken {
    text: Zeroizing<String>,
    is_weak: bool,
}

impl LegacyToken {
    /// Reads a UUID in any case, with its four hyphens or without any. White space around it is ignored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        // Other notations, in braces or as URN, are none that products gave out.
        if text.len() != HYPHENATED && text.len() != PLAIN {
            return None;
        }
        let uuid = Uuid::try_parse(text).ok()?;
        let mut hyphenated = Zeroizing::new([0; HYPHENATED]);
        let text = Zeroizing::new(uuid.hyphenated().encode_lower(&mut *hyphenated).to_owned());
        let is_random = uuid.get_variant() == Variant::RFC4122 && uuid.get_version() == Some(Version::Random);
        Some(Self { text, is_weak: !is_random })
    }

    /// The text over which digests are taken.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it may be guessed: only version 4 has 122 random bits, the others have time, place or a name in them.
    #[must_use]
    pub const fn is_weak(&self) -> bool {
        self.is_weak
    }
}

impl fmt::Debug for LegacyToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LegacyToken(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UUID: &str = "6f1f7ffd-cd42-4f03-8a35-9ee3e5a04d42";

    #[test]
    fn any_case_with_hyphens_or_without_is_one_token() {
        let plain = UUID.replace('-', "");
        for text in [UUID.to_owned(), UUID.to_uppercase(), plain.clone(), plain.to_uppercase(), format!(" {UUID}\t")] {
            assert_eq!(LegacyToken::parse(&text).expect("a UUID").text(), UUID);
        }
        for text in [
            "",
            &format!("{{{UUID}}}"),
            &format!("urn:uuid:{UUID}"),
            &UUID[1..],
            &format!("{UUID}0"),
            &format!("{plain}----"),
            &UUID.replace('f', "g"),
            &UUID.replacen('-', "", 1),
            "6f1f7ffdc-d42-4f03-8a35-9ee3e5a04d42",
        ] {
            assert!(LegacyToken::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn only_random_uuids_are_strong() {
        for (text, weak) in [
            (UUID, false),
            ("c232ab00-9414-11ec-b3c8-9f6bdeced846", true),
            ("017f22e2-79b0-7cc3-98c4-dc0c0c07398f", true),
            ("5df41881-3aed-3515-88a7-2f4a814cf09e", true),
            ("2ed6657d-e927-568b-95e1-2665a8aea6a2", true),
            ("00000000-0000-0000-0000-000000000000", true),
            ("ffffffff-ffff-ffff-ffff-ffffffffffff", true),
            // Version 4 of another variant.
            ("6f1f7ffd-cd42-4f03-ca35-9ee3e5a04d42", true),
        ] {
            assert_eq!(LegacyToken::parse(text).expect("a UUID").is_weak(), weak, "{text}");
        }
    }

    #[test]
    fn nothing_is_told_by_debug_output() {
        assert_eq!(format!("{:?}", LegacyToken::parse(UUID)), "Some(LegacyToken(redacted))");
    }

    proptest! {
        #[test]
        fn what_is_read_is_read_again_as_the_same(text in "[0-9a-fA-F-]{30,38}|[0-9a-fA-F]{32}|\\PC*") {
            if let Some(token) = LegacyToken::parse(&text) {
                prop_assert_eq!(token.text().len(), HYPHENATED);
                let digits = |text: &str| text.trim().to_lowercase().replace('-', "");
                prop_assert_eq!(digits(token.text()), digits(&text));
                let again = LegacyToken::parse(token.text()).expect("a UUID");
                prop_assert_eq!(again.text(), token.text());
            }
        }
    }
}
