//! Reading JSON objects strictly: all that is wrong with their form is noted with its place, and the rest is read all the same, so
//! that everything can be told at once.

mod list;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

use super::check::Check;
use super::problem::{Code, FieldError, Place, Problem};
pub(super) use list::list;

/// How deep values lie within each other at the most.
const MAX_DEPTH: usize = 8;

/// How many faults of form are told of one body.
const MAX_FAULTS: usize = 100;

/// How many are of one row of a list: as many as it can have fields, and some.
const MAX_ROW_FAULTS: usize = 20;

/// The object in `bytes`, and what is wrong with it so far; its bad fields are read as if they were absent. `fixed` names fields that
/// are known but not to be sent, each with what to do instead.
///
/// # Errors
/// Where it is no JSON, no object, or has too many faults.
pub(super) fn object<T: DeserializeOwned>(bytes: &[u8], fixed: &[(&str, &str)]) -> Result<(T, Check), Problem> {
    read(bytes, fixed, "the body", MAX_FAULTS)
}

/// The object that is one item of a list, as [`object`].
///
/// # Errors
/// As [`object`].
pub(super) fn row<T: DeserializeOwned>(item: &RawValue) -> Result<(T, Check), Problem> {
    read(item.get().as_bytes(), &[], "it", MAX_ROW_FAULTS)
}

/// `what` is to be an object.
fn read<T: DeserializeOwned>(
    bytes: &[u8],
    fixed: &[(&str, &str)],
    what: &str,
    most: usize,
) -> Result<(T, Check), Problem> {
    let mut check = Check::default();
    let mut tree = tree(bytes, &mut check, most)?;
    let Value::Object(fields) = &mut tree else { return Err(no_object(what)) };
    for (name, instead) in fixed {
        if fields.remove(*name).is_some() {
            check.refuse(Place::field(name), "it is not changed by an edit", *instead);
        }
    }
    for _ in 0..most {
        let error = match serde_path_to_error::deserialize(&tree) {
            Ok(value) => return Ok((value, check)),
            Err(error) => error,
        };
        let path = steps(error.path());
        let (detail, fix) = told(&error.inner().to_string());
        check.refuse(Place::Pointer(pointer(&path)), detail, fix);
        if !remove(&mut tree, &path) {
            break;
        }
    }
    Err(check.problem())
}

/// A step from a value to one inside of it.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    Key(String),
    Index(usize),
}

fn no_object(what: &str) -> Problem {
    let (detail, fix) = (format!("{what} is not a JSON object"), "send an object".to_owned());
    Problem::invalid(vec![FieldError { place: Place::Pointer(String::new()), detail, fix }])
}

/// Every value in `bytes`; of a field that is there twice the first. At most `most` faults are noted.
fn tree(bytes: &[u8], check: &mut Check, most: usize) -> Result<Value, Problem> {
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let mut reading = Reading { path: Vec::new(), check, faults: 0, most, deep: Vec::new() };
    let read = Node(&mut reading).deserialize(&mut source).and_then(|value| source.end().map(|()| value));
    let Reading { path, deep, .. } = reading;
    let mut value = read.map_err(|error| unreadable(&path, &error))?;
    for path in deep {
        remove(&mut value, &path);
    }
    Ok(value)
}

/// The state of reading.
struct Reading<'a> {
    /// Where it is, or where it ended with an error.
    path: Vec<Step>,
    check: &'a mut Check,
    faults: usize,
    most: usize,
    /// What lies too deep, and is not read.
    deep: Vec<Vec<Step>>,
}

impl Reading<'_> {
    fn note(&mut self, detail: String, fix: &str) {
        self.faults += 1;
        if self.faults <= self.most {
            self.check.refuse(Place::Pointer(pointer(&self.path)), detail, fix);
        }
    }

    /// Whether what is inside of the value here lies too deep.
    fn ends(&mut self) -> bool {
        let ends = self.path.len() >= MAX_DEPTH;
        if ends {
            self.note("it lies too deep".to_owned(), "send a value of the field's own type");
            self.deep.push(self.path.clone());
        }
        ends
    }
}

/// One value.
struct Node<'r, 'a>(&'r mut Reading<'a>);

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let Self(reading) = self;
        if reading.ends() {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut all = Vec::new();
        loop {
            reading.path.push(Step::Index(all.len()));
            let Some(item) = items.next_element_seed(Node(reading))? else { break };
            reading.path.pop();
            all.push(item);
        }
        reading.path.pop();
        Ok(all.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let Self(reading) = self;
        if reading.ends() {
            while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut all = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            reading.path.push(Step::Key(name.clone()));
            let value = fields.next_value_seed(Node(reading))?;
            if all.contains_key(&name) {
                reading.note(format!("duplicate field `{name}`"), "send each field once");
            } else {
                all.insert(name, value);
            }
            reading.path.pop();
        }
        Ok(all.into())
    }
}

/// What `serde_json` says of text that is well-formed, but that no value can be made of.
const UNREPRESENTABLE: [(&str, &str, &str); 4] = [
    ("lone leading surrogate", "half of a surrogate pair is no character", "send whole characters"),
    ("unexpected end of hex escape", "half of a surrogate pair is no character", "send whole characters"),
    ("invalid unicode code point", "the text is not Unicode", "send whole characters in UTF-8"),
    ("number out of range", "the number is too large", "send a number that fits the field"),
];

/// Why the value at `path` could not be read.
fn unreadable(path: &[Step], error: &serde_json::Error) -> Problem {
    let message = error.to_string();
    let known = UNREPRESENTABLE.iter().find(|(beginning, ..)| message.starts_with(beginning));
    match known.filter(|_| !error.is_eof()) {
        Some((_, detail, fix)) => {
            let place = Place::Pointer(pointer(path));
            Problem::invalid(vec![FieldError { place, detail: (*detail).to_owned(), fix: (*fix).to_owned() }])
        }
        None => Problem::new(Code::BodyMalformed, format!("the body is not JSON: {message}")),
    }
}

/// What is wrong, and what is allowed, of serde's «what is wrong, expected what is allowed».
fn told(message: &str) -> (String, String) {
    let (detail, expected) = message.rsplit_once(", expected ").unwrap_or((message, ""));
    // The text itself may be long, and may be a token.
    let quoted = ["invalid type: string", "invalid value: string"].into_iter().find(|text| detail.starts_with(text));
    let fix = match expected {
        "" => "send each field once".to_owned(),
        "u32" | "u64" | "usize" => "send a whole number that is not negative".to_owned(),
        expected => format!("send {expected}"),
    };
    (quoted.unwrap_or(detail).to_owned(), fix)
}

fn steps(path: &Path) -> Vec<Step> {
    let step = |segment: &Segment| match segment {
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Enum { .. } | Segment::Unknown => None,
    };
    path.iter().filter_map(step).collect()
}

/// The JSON pointer (RFC 6901) of the value at `path`.
fn pointer(path: &[Step]) -> String {
    path.iter().fold(String::new(), |pointer, step| match step {
        Step::Key(key) => format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")),
        Step::Index(index) => format!("{pointer}/{index}"),
    })
}

/// Takes the innermost field that `path` leads through out of its object, so that places in lists stay what they are. Whether there
/// was one.
fn remove(tree: &mut Value, path: &[Step]) -> bool {
    let Some(last) = path.iter().rposition(|step| matches!(step, Step::Key(_))) else { return false };
    let owner = path[..last].iter().try_fold(tree, |value, step| match (value, step) {
        (Value::Object(fields), Step::Key(key)) => fields.get_mut(key),
        (Value::Array(items), Step::Index(index)) => items.get_mut(*index),
        _ => None,
    });
    match (owner, &path[last]) {
        (Some(Value::Object(fields)), Step::Key(key)) => fields.remove(key).is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Default, PartialEq, Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        name: Option<String>,
        count: Option<u32>,
        rows: Option<Vec<Row>>,
    }

    #[derive(Default, PartialEq, Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Row {
        id: Option<String>,
    }

    /// What was read, and each fault with its place.
    fn read(text: &str) -> (Body, Vec<(String, String)>) {
        let (body, check) = object::<Body>(text.as_bytes(), &[("fixed", "do without")]).expect(text);
        let errors = check.problem().errors;
        (body, errors.into_iter().map(|error| (error.place.to_string(), error.detail)).collect())
    }

    fn refused(text: &str) -> (Code, Vec<String>) {
        let problem = object::<Body>(text.as_bytes(), &[]).map(|_| ()).expect_err(text);
        (problem.code, problem.errors.iter().map(|error| error.place.to_string()).collect())
    }

    #[test]
    fn every_fault_is_told_and_the_rest_is_read() {
        let (body, faults) = read(
            r#"{"name": "a", "count": -1, "fixed": 1, "other": 0, "na\u006de": "b", "a/b~": [],
                "rows": [{"id": "x"}, {"id": 5, "more": null}, {"id": "y", "id": "z"}]}"#,
        );
        let row = |id: Option<&str>| Row { id: id.map(str::to_owned) };
        let rows = Some(vec![row(Some("x")), row(None), row(Some("y"))]);
        assert_eq!(body, Body { name: Some("a".to_owned()), count: None, rows });
        let mut places: Vec<_> = faults.iter().map(|(place, _)| place.as_str()).collect();
        places.sort_unstable();
        assert_eq!(
            places,
            ["/a~1b~0", "/count", "/fixed", "/name", "/other", "/rows/1/id", "/rows/1/more", "/rows/2/id"]
        );
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for text in ["", "{", "{\"name\":\"a\"} x", "{\"name\":}", "{\"name\":\"a\\q\"}", "{\"name\":\"\\ud800"] {
            assert_eq!(refused(text), (Code::BodyMalformed, Vec::new()), "{text}");
        }
        for (text, place) in [
            ("[]", "the body"),
            ("null", "the body"),
            ("{\"name\":\"\\ud800\"}", "/name"),
            ("{\"rows\":[{\"id\":\"\\udc00x\"}]}", "/rows/0/id"),
            ("{\"count\":1e999}", "/count"),
        ] {
            assert_eq!(refused(text), (Code::Invalid, vec![place.to_owned()]), "{text}");
        }
    }

    /// Rows are read one by one: what cannot be read in one of them is told of it alone.
    #[test]
    fn rows_stand_for_themselves() {
        let text =
            r#"{"rows": [{"id": "a"}, {"id": "\ud800"}, [1], {"id": "b", "id": "c", "x": {}}], "x/y": [], "rows": 5}"#;
        let (rows, check) = list(text.as_bytes(), "rows").unwrap_or_else(|problem| panic!("{problem:?}"));
        let places = |problem: Problem| problem.errors.iter().map(|error| error.place.to_string()).collect::<Vec<_>>();
        assert_eq!(places(check.problem()), ["/x~1y", "/rows"]);
        let rows = rows.expect("a list");
        let read = |index: usize| row::<Row>(rows[index]).map(|(row, check)| (row.id, places(check.problem())));
        assert_eq!(read(0).ok(), Some((Some("a".to_owned()), Vec::new())));
        assert_eq!(read(1).map_err(places), Err(vec!["/id".to_owned()]));
        assert_eq!(read(2).map_err(|problem| problem.detail), Err("the body: it is not a JSON object".to_owned()));
        assert_eq!(read(3).ok(), Some((Some("b".to_owned()), vec!["/id".to_owned(), "/x".to_owned()])));
        let many = (0..30).fold(String::new(), |many, number| many + &format!("\"x{number}\":0,"));
        let item = RawValue::from_string(format!("{{{many}\"id\":\"a\"}}")).expect("JSON");
        assert_eq!(row::<Row>(&item).map(|_| ()).map_err(|problem| problem.errors.len()), Err(MAX_ROW_FAULTS));
    }

    #[test]
    fn depth_and_number_of_faults_have_a_limit() {
        let deep = format!("{{\"name\":{}{},\"count\":7}}", "[".repeat(20_000), "]".repeat(20_000));
        let (body, faults) = read(&deep);
        assert_eq!((body.count, faults.len()), (Some(7), 1));
        assert!(faults[0].0.starts_with("/name/0"), "{faults:?}");
        let many = (0..5_000).fold(String::new(), |many, number| many + &format!("\"x{number}\":0,"));
        let problem = object::<Body>(format!("{{{many}\"name\":\"a\"}}").as_bytes(), &[]).map(|_| ());
        assert_eq!(problem.expect_err("too many").errors.len(), MAX_FAULTS);
        let twice = format!("{{{}\"name\":\"a\"}}", "\"name\":\"a\",".repeat(5_000));
        assert_eq!(read(&twice).1.len(), MAX_FAULTS);
    }

    #[test]
    fn texts_are_not_repeated() {
        let (_, faults) = read("{\"count\": \"gga_secret\"}");
        assert_eq!(faults, [("/count".to_owned(), "invalid type: string".to_owned())]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*|[{}\\[\\]\",:a-z0-9 \\\\]{0,80}") {
            let _ = object::<Body>(text.as_bytes(), &[]);
            let _ = list(text.as_bytes(), "rows");
        }
    }
}
