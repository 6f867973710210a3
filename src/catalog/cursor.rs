//! Positions in lists, in the text form that clients hand back.

use super::{CatalogError, Page, Paging};
use crate::domain::{Key, KeyId, Slug};

/// The slug to continue after; the empty text, which sorts before every slug, at the start.
pub(super) fn after_slug(paging: &Paging) -> Result<&str, CatalogError> {
    match &paging.after {
        None => Ok(""),
        Some(text) => text.parse::<Slug>().map(|_| text.as_str()).map_err(|_| CatalogError::Cursor),
    }
}

/// The creation time and id to continue after, in the order newest first, then by id. At the start: a position before
/// every key.
pub(super) fn after_key(paging: &Paging) -> Result<(i64, String), CatalogError> {
    let Some(text) = &paging.after else { return Ok((i64::MAX, String::new())) };
    let (micros, id) = text.split_once('.').ok_or(CatalogError::Cursor)?;
    let micros = micros.parse().map_err(|_| CatalogError::Cursor)?;
    let id = KeyId::from_bare(id).ok_or(CatalogError::Cursor)?;
    Ok((micros, id.to_string()))
}

/// The position of a key in the list of keys.
pub(super) fn of_key(key: &Key) -> String {
    format!("{}.{}", key.created_at.micros(), key.id.bare())
}

/// How many rows to read for a page: one more than it holds, which tells whether another page follows.
pub(super) fn rows_to_read(paging: &Paging) -> i64 {
    i64::from(paging.limit.max(1)) + 1
}

/// The page from the rows that [`rows_to_read`] asked for; `position` gives the cursor of a row.
pub(super) fn page<T>(mut items: Vec<T>, paging: &Paging, position: impl Fn(&T) -> String) -> Page<T> {
    let limit = usize::try_from(paging.limit.max(1)).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(position);
    Page { items, next }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn after(text: &str) -> Paging {
        Paging { limit: 1, after: Some(text.to_owned()) }
    }

    #[test]
    fn a_position_is_taken_or_refused_whole() {
        assert_eq!(after_key(&after("-5.7Hq2mZxK9wPa")).expect("a position"), (-5, "key_7Hq2mZxK9wPa".to_owned()));
        for text in ["", ".", "5", "5.", "5.7Hq2mZxK9wP", "x.7Hq2mZxK9wPa", "5.7Hq2mZxK9wPa ", "5.key_7Hq2mZxK9wPa"] {
            assert!(matches!(after_key(&after(text)), Err(CatalogError::Cursor)), "{text:?}");
        }
        assert_eq!(after_slug(&after("shop")).expect("a position"), "shop");
        assert!(matches!(after_slug(&after("")), Err(CatalogError::Cursor)));
    }

    proptest! {
        #[test]
        fn any_text_is_a_position_or_an_error(text in "\\PC*|-?[0-9]{1,20}\\.[0-9A-Za-z]{11,13}") {
            if let Ok((micros, id)) = after_key(&after(&text)) {
                prop_assert!(text.starts_with(|c: char| "+-0123456789".contains(c)));
                prop_assert_eq!(id.len(), 16);
                prop_assert!(i128::from(micros) == text.split('.').next().unwrap().parse::<i128>().unwrap());
            }
        }
    }
}
