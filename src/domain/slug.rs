//! Slugs: the immutable names of projects, grids and environments, safe in paths.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest slug, in characters.
pub const MAX_SLUG_LENGTH: usize = 40;

/// An immutable name of 1 to 40 characters of `a-z`, `0-9` and single `-` between them. Because nothing else gets in, it
/// is safe in storage paths, URLs and headers.
///
/// ```
/// use gridgate::domain::Slug;
/// assert!("checkout-eu".parse::<Slug>().is_ok());
/// assert!("../etc".parse::<Slug>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(Arc<str>);

impl Slug {
    /// The slug's characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a slug. The message says what is allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SlugError {
    /// The text is empty.
    #[error("a slug needs 1 to 40 characters of a-z, 0-9 and single '-' between them; this one is empty")]
    Empty,
    /// The text has more than 40 characters.
    #[error("a slug has at most 40 characters; this one is longer")]
    TooLong,
    /// A character outside `[a-z0-9-]`.
    #[error("a slug has only the characters a-z, 0-9 and '-'; character {position} of this one is {found:?}")]
    Character {
        /// 1-based position of the character.
        position: usize,
        /// The character found there.
        found: char,
    },
    /// A `-` at an end, or two in a row.
    #[error("in a slug every '-' stands between two of a-z, 0-9; the one at character {position} does not")]
    Hyphen {
        /// 1-based position of the hyphen.
        position: usize,
    },
}

impl FromStr for Slug {
    type Err = SlugError;

    fn from_str(text: &str) -> Result<Self, SlugError> {
        if text.is_empty() {
            return Err(SlugError::Empty);
        }
        let mut previous = '-';
        for (index, found) in text.chars().enumerate() {
            let position = index + 1;
            match found {
                '-' if previous == '-' => return Err(SlugError::Hyphen { position }),
                'a'..='z' | '0'..='9' | '-' => {}
                _ => return Err(SlugError::Character { position, found }),
            }
            if position > MAX_SLUG_LENGTH {
                return Err(SlugError::TooLong);
            }
            previous = found;
        }
        if previous == '-' {
            return Err(SlugError::Hyphen { position: text.len() });
        }
        Ok(Self(Arc::from(text)))
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_allowed_is_accepted() {
        for text in ["a", "0", "checkout", "checkout-eu-1", &"a".repeat(40)] {
            assert_eq!(text.parse::<Slug>().map(|slug| slug.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn everything_else_is_refused_with_the_place() {
        assert_eq!("".parse::<Slug>(), Err(SlugError::Empty));
        assert_eq!("a".repeat(41).parse::<Slug>(), Err(SlugError::TooLong));
        assert_eq!("a/b".parse::<Slug>(), Err(SlugError::Character { position: 2, found: '/' }));
        assert_eq!("Shop".parse::<Slug>(), Err(SlugError::Character { position: 1, found: 'S' }));
        // Cyrillic «а», a look-alike.
        assert_eq!("pаy".parse::<Slug>(), Err(SlugError::Character { position: 2, found: 'а' }));
        assert_eq!("-a".parse::<Slug>(), Err(SlugError::Hyphen { position: 1 }));
        assert_eq!("a--b".parse::<Slug>(), Err(SlugError::Hyphen { position: 3 }));
        assert_eq!("a-".parse::<Slug>(), Err(SlugError::Hyphen { position: 2 }));
    }

    proptest! {
        #[test]
        fn a_slug_is_one_safe_path_segment(text in "\\PC*") {
            if let Ok(slug) = text.parse::<Slug>() {
                prop_assert!(slug.as_str().bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')));
                prop_assert!((1..=MAX_SLUG_LENGTH).contains(&slug.as_str().len()));
            }
        }
    }
}
