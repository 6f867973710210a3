//! Tags: short labels that keys are found by.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The most tags of one key.
pub const MAX_TAGS: usize = 20;

/// The longest tag, in characters.
pub const MAX_TAG_LENGTH: usize = 40;

/// A set of tags. Its text form is the tags, sorted, with single spaces between them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Tags(BTreeSet<String>);

/// Why a text is no tag, or a set too large.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TagError {
    /// The text has not the form of a tag.
    #[error("a tag has 1 to 40 characters of a-z and 0-9, with . _ : / - between them")]
    Form,
    /// There are more than 20.
    #[error("a key has at most 20 tags")]
    TooMany,
}

impl Tags {
    /// The set of `tags`; what is there twice counts once.
    ///
    /// # Errors
    /// [`TagError`], with the position of the tag.
    pub fn new<'a>(tags: impl IntoIterator<Item = &'a str>) -> Result<Self, (usize, TagError)> {
        let mut set = BTreeSet::new();
        for (index, tag) in tags.into_iter().enumerate() {
            if !is_tag(tag) {
                return Err((index, TagError::Form));
            }
            set.insert(tag.to_owned());
            if set.len() > MAX_TAGS {
                return Err((index, TagError::TooMany));
            }
        }
        Ok(Self(set))
    }

    /// The tags, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Whether `text` has the form of a tag.
#[must_use]
pub fn is_tag(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let edges = bytes.first().zip(bytes.last());
    bytes.len() <= MAX_TAG_LENGTH
        && edges.is_some_and(|(&first, &last)| plain(first) && plain(last))
        && bytes.iter().all(|&byte| plain(byte) || b"._:/-".contains(&byte))
}

impl FromStr for Tags {
    type Err = TagError;

    fn from_str(text: &str) -> Result<Self, TagError> {
        Self::new(text.split_ascii_whitespace()).map_err(|(_, error)| error)
    }
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags_have_a_form() {
        for good in ["a", "team:payments", "eu-west/1", "a.b_c", &"x".repeat(40)] {
            assert!(is_tag(good), "{good}");
        }
        for bad in ["", "A", "-a", "a-", "a b", "ключ", &"x".repeat(41), "a,b"] {
            assert!(!is_tag(bad), "{bad}");
        }
        let many: Vec<_> = (0..=MAX_TAGS).map(|number| format!("t{number}")).collect();
        assert_eq!(Tags::new(many.iter().map(String::as_str)), Err((20, TagError::TooMany)));
        assert_eq!(Tags::new(["a", "B"]), Err((1, TagError::Form)));
    }

    proptest! {
        #[test]
        fn a_set_survives_its_text_form(tags in proptest::collection::vec("[a-z0-9]([a-z0-9._:/-]{0,38}[a-z0-9])?", 0..20)) {
            let set = Tags::new(tags.iter().map(String::as_str)).expect("tags");
            prop_assert_eq!(set.to_string().parse(), Ok(set));
        }
    }
}
