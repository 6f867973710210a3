//! Lists whose items are read one by one.

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{MAX_FAULTS, Step, no_object, pointer, unreadable};
use crate::admin::check::Check;
use crate::admin::problem::{Place, Problem};

/// The items of the list `name` in the object in `bytes`, which has no other fields, as they stand there: to be read one by one, so that
/// nothing in one of them hides the others. `None` without the list.
///
/// # Errors
/// Where it is no JSON or no object.
pub(in crate::admin) fn list<'a>(bytes: &'a [u8], name: &str) -> Result<(Option<Vec<&'a RawValue>>, Check), Problem> {
    let mut check = Check::default();
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let read = source.deserialize_any(Fields { name, check: &mut check });
    let found = read.and_then(|found| source.end().map(|()| found));
    let found = found.map_err(|error| if error.is_data() { no_object("the body") } else { unreadable(&[], &error) })?;
    let Some(found) = found.filter(|found| found.get() != "null") else { return Ok((None, check)) };
    let items = serde_json::from_str(found.get());
    if items.is_err() {
        check.refuse(Place::field(name), "it is not a list", "send a list");
    }
    Ok((items.ok(), check))
}

/// What stands for one field of an object that has no others.
struct Fields<'a> {
    name: &'a str,
    check: &'a mut Check,
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        let mut faults = 0;
        while let Some(name) = fields.next_key::<String>()? {
            let value = fields.next_value()?;
            if name == self.name && found.is_none() {
                found = Some(value);
                continue;
            }
            let (what, fix) = if name == self.name {
                ("duplicate", "send each field once".to_owned())
            } else {
                ("unknown", format!("send `{}`", self.name))
            };
            faults += 1;
            if faults <= MAX_FAULTS {
                let place = Place::Pointer(pointer(&[Step::Key(name.clone())]));
                self.check.refuse(place, format!("{what} field `{name}`"), fix);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::problem::Code;

    #[test]
    fn a_list_is_in_an_object() {
        let read = |text: &str| list(text.as_bytes(), "rows").map(|(rows, check)| (rows.map(|rows| rows.len()), check));
        for (text, found, faults) in [
            ("{}", None, 0),
            (r#"{"rows": null}"#, None, 0),
            (r#"{"rows": {}}"#, None, 1),
            (r#"{"rows": []}"#, Some(0), 0),
            (r#"{"rows": [1, [2, 3]]}"#, Some(2), 0),
        ] {
            let (rows, check) = read(text).unwrap_or_else(|problem| panic!("{problem:?}"));
            assert_eq!((rows, check.problem().errors.len()), (found, faults), "{text}");
        }
        let refused = |text: &str| read(text).map(|_| ()).map_err(|problem| problem.code);
        for text in ["[]", "null", "5", "\"rows\""] {
            assert_eq!(refused(text), Err(Code::Invalid), "{text}");
        }
        for text in ["", "{", "{} x", r#"{"rows": [1,]}"#, r#"{"rows": ["\q"]}"#] {
            assert_eq!(refused(text), Err(Code::BodyMalformed), "{text}");
        }
    }
}
