//! Positions in lists, in the text form that clients hand back.

use std::hash::Hash as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::keys::list::{KeyFilter, OrderBy, Position, Value};
use super::{CatalogError, Page, Paging};
use crate::domain::id::KEY_ID_LENGTH;
use crate::domain::{KeyId, Slug};

/// The slug to continue after; the empty text, which sorts before every slug, at the start.
pub(super) fn after_slug(paging: &Paging) -> Result<&str, CatalogError> {
    match &paging.after {
        None => Ok(""),
        Some(text) => text.parse::<Slug>().map(|_| text.as_str()).map_err(|_| CatalogError::Cursor),
    }
}

/// The position to continue after in the list of `filter`; `None` at the start.
pub(super) fn after_key(filter: &KeyFilter, paging: &Paging) -> Result<Option<Position>, CatalogError> {
    paging.after.as_ref().map(|text| position(filter, text).ok_or(CatalogError::Cursor)).transpose()
}

fn position(filter: &KeyFilter, text: &str) -> Option<Position> {
    let text = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
    let rest = text.strip_prefix(&fingerprint(filter))?;
    let (id, value) = rest.split_at_checked(KEY_ID_LENGTH)?;
    let id = KeyId::from_bare(id)?;
    let value = match filter.order.by {
        OrderBy::Name if value.contains('\0') => return None,
        OrderBy::Name => Value::Text(value.to_owned()),
        OrderBy::CreatedAt | OrderBy::LastUsedAt | OrderBy::ExpiresAt | OrderBy::Attention => {
            Value::Integer(value.parse().ok()?)
        }
    };
    Some(Position { value, id })
}

/// The position of the key `id` in the list of `filter`, which is ordered by `place`.
pub(super) fn of_key(filter: &KeyFilter, id: &KeyId, place: &str) -> String {
    BASE64.encode(format!("{}{}{place}", fingerprint(filter), id.bare()))
}

/// Eight digits by which a position knows its list: in another one it would skip and repeat.
fn fingerprint(filter: &KeyFilter) -> String {
    let mut hasher = crc32fast::Hasher::new();
    filter.hash(&mut hasher);
    format!("{:08x}", hasher.finalize())
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
    use crate::catalog::keys::list::Order;
    use crate::domain::KeyStatus;
    use proptest::prelude::*;

    fn after(text: &str) -> Paging {
        Paging { limit: 1, after: Some(text.to_owned()) }
    }

    const ID: &str = "7Hq2mZxK9wPa";

    fn by(by: OrderBy) -> KeyFilter {
        KeyFilter { order: Order { by, descending: true }, ..KeyFilter::default() }
    }

    fn of(filter: &KeyFilter, place: &str) -> String {
        of_key(filter, &KeyId::from_bare(ID).expect("an id"), place)
    }

    #[test]
    fn a_position_is_taken_or_refused_whole() {
        let (newest, named) = (by(OrderBy::CreatedAt), by(OrderBy::Name));
        let found = after_key(&newest, &after(&of(&newest, "-5"))).expect("a position").expect("not the start");
        assert_eq!((found.value, found.id.bare()), (Value::Integer(-5), ID));
        let found = after_key(&named, &after(&of(&named, "für Zoë"))).expect("a position").expect("not the start");
        assert_eq!(found.value, Value::Text("für Zoë".to_owned()));
        let refused =
            |filter: &KeyFilter, text: &str| matches!(after_key(filter, &after(text)), Err(CatalogError::Cursor));
        for place in ["", "x", "5 ", "9223372036854775808"] {
            assert!(refused(&newest, &of(&newest, place)), "{place:?}");
        }
        assert!(refused(&named, &of(&named, "a\0b")), "no text of a database");
        for text in ["", ".", "AAAA", "-5.7Hq2mZxK9wPa", &of(&newest, "5")[1..], &format!("{}=", of(&newest, "5"))] {
            assert!(refused(&newest, text), "{text:?}");
        }
        assert_eq!(after_key(&newest, &Paging { limit: 1, after: None }).expect("the start"), None);
        assert_eq!(after_slug(&after("shop")).expect("a position"), "shop");
        assert!(matches!(after_slug(&after("")), Err(CatalogError::Cursor)));
    }

    #[test]
    fn a_position_belongs_to_one_list() {
        let own = KeyFilter { owner: Some("acme".to_owned()), ..by(OrderBy::CreatedAt) };
        let cursor = after(&of(&own, "5"));
        assert!(after_key(&own, &cursor).is_ok());
        for other in [
            by(OrderBy::CreatedAt),
            by(OrderBy::ExpiresAt),
            KeyFilter { order: Order { descending: false, ..own.order }, ..own.clone() },
            KeyFilter { owner: None, tag: own.owner.clone(), ..own.clone() },
            KeyFilter { statuses: vec![KeyStatus::Active], ..own.clone() },
        ] {
            assert!(matches!(after_key(&other, &cursor), Err(CatalogError::Cursor)), "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_position_or_an_error(text in "\\PC*|[0-9A-Za-z_-]{20,60}", name in "\\PC*", micros: i64) {
            for order in OrderBy::ALL {
                let filter = by(order);
                let _ = after_key(&filter, &after(&text));
                let (place, value) = match order {
                    OrderBy::Name => (name.clone(), Value::Text(name.clone())),
                    _ => (micros.to_string(), Value::Integer(micros)),
                };
                let found = after_key(&filter, &after(&of(&filter, &place))).expect("a position");
                prop_assert_eq!(found.map(|found| found.value), Some(value));
            }
        }
    }
}
