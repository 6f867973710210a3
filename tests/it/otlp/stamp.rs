//! Stamping against a decoder: the tenant's names are there once and are the key's, and nothing else is changed.

use gridgate::domain::{Signal, Tenant};
use gridgate::otlp::stamp::{NAMES, stamp};
use gridgate::otlp::wire::WireError;
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::profiles::v1development::{ProfilesDictionary, ResourceProfiles};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use proptest::prelude::*;
use prost::Message;
use protox::prost_reflect::{DynamicMessage, ReflectMessage, Value};

use super::arbitrary::{self, Entropy};

const SLUGS: [&str; 3] = ["shop", "web-eu", "production"];

fn tenant() -> Tenant {
    let [project, grid, environment] = SLUGS.map(|slug| slug.parse().expect("a slug"));
    Tenant { project, grid, environment }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_names_are_the_keys_and_the_rest_is_as_sent(
        (signal, entropy) in arbitrary::signal_and_entropy(),
        forged in prop::collection::vec((any::<prop::sample::Index>(), 0..NAMES.len(), any::<bool>()), 0..6),
    ) {
        let mut request = arbitrary::request(signal, &mut Entropy::new(&entropy));
        for (place, name, by_reference) in forged {
            forge(&mut request, place, NAMES[name], by_reference && signal == Signal::Profiles);
        }
        is_stamped(signal, &request, &request.encode_to_vec())?;
    }

    #[test]
    fn whatever_a_decoder_reads_is_stamped(
        (signal, entropy) in arbitrary::signal_and_entropy(),
        place in any::<prop::sample::Index>(),
        mutations in prop::collection::vec(arbitrary::mutations(), 8),
    ) {
        let mut request = arbitrary::request(signal, &mut Entropy::new(&entropy));
        forge(&mut request, place, NAMES[0], signal == Signal::Profiles);
        let valid = request.encode_to_vec();
        for mutations in mutations {
            let mut body = valid.clone();
            arbitrary::mutate(&mut body, &mutations);
            match DynamicMessage::decode(request.descriptor(), body.as_slice()) {
                Ok(request) => is_stamped(signal, &request, &body)?,
                // It need not be stamped, but it must not panic either.
                Err(_) => drop(stamp(signal, &body, &tenant())),
            }
        }
    }
}

/// Gives one of the resources in `request` an attribute under `name`, with a value of any kind.
fn forge(request: &mut DynamicMessage, place: prop::sample::Index, name: &str, by_reference: bool) {
    let reference = by_reference.then(|| {
        let mut dictionary = part(request, 2);
        let table = dictionary.get_field_by_number_mut(5).and_then(Value::as_list_mut).expect("a list");
        table.push(Value::String(name.to_owned()));
        // The first entry stands for nothing.
        while table.len() < 2 {
            table.push(Value::String(name.to_owned()));
        }
        let last = i32::try_from(table.len() - 1).expect("a small table");
        request.set_field_by_number(2, Value::Message(dictionary));
        last
    });
    let groups = request.get_field_by_number_mut(1).and_then(Value::as_list_mut).expect("a list");
    if groups.is_empty() {
        return;
    }
    let at = place.index(groups.len());
    let group = groups[at].as_message_mut().expect("a message");
    let mut resource = part(group, 1);
    let field = resource.descriptor().get_field(1).expect("attributes");
    let mut attribute = DynamicMessage::new(field.kind().as_message().expect("a message").clone());
    match reference {
        Some(reference) => attribute.set_field_by_number(3, Value::I32(reference)),
        None => attribute.set_field_by_number(1, Value::String(name.to_owned())),
    }
    let attributes = resource.get_field_by_number_mut(1).and_then(Value::as_list_mut).expect("a list");
    let value = attributes.iter().find_map(|other| Some(other.as_message()?.get_field_by_number(2)?.into_owned()));
    if let Some(value) = value {
        attribute.set_field_by_number(2, value);
    }
    attributes.insert(place.index(attributes.len() + 1), Value::Message(attribute));
    group.set_field_by_number(1, Value::Message(resource));
}

/// The message in field `number`, an empty one where there is none.
fn part(message: &DynamicMessage, number: u32) -> DynamicMessage {
    let value = message.get_field_by_number(number).expect("a field");
    value.as_message().expect("a message").clone()
}

/// Checks `body`, which is `request` to a decoder, once stamped.
fn is_stamped(signal: Signal, request: &DynamicMessage, body: &[u8]) -> Result<(), TestCaseError> {
    let stamped = stamp(signal, body, &tenant()).expect("a decoder reads it");
    let stamped = DynamicMessage::decode(request.descriptor(), stamped.as_slice()).expect("a request");
    let ours = |request: &DynamicMessage| {
        let (mut stamps, mut kept) = (Vec::new(), request.clone());
        let table = strings(request);
        let groups = kept.get_field_by_number_mut(1).and_then(Value::as_list_mut).expect("a list");
        for group in groups {
            let group = group.as_message_mut().expect("a message");
            let mut resource = part(group, 1);
            let attributes = resource.get_field_by_number_mut(1).and_then(Value::as_list_mut).expect("a list");
            let mut found = Vec::new();
            attributes.retain(|attribute| {
                let Some(name) = name(attribute, &table) else { return true };
                found.push((name, attribute.clone()));
                false
            });
            stamps.push(found);
            group.set_field_by_number(1, Value::Message(resource));
        }
        (stamps, kept)
    };
    let ((_, before), (stamps, after)) = (ours(request), ours(&stamped));
    prop_assert_eq!(before.encode_to_vec(), after.encode_to_vec());
    for stamps in stamps {
        let stamps: Vec<_> = stamps
            .iter()
            .map(|(name, attribute)| {
                let attribute = attribute.as_message().expect("a message").encode_to_vec();
                let attribute = KeyValue::decode(attribute.as_slice()).expect("an attribute");
                (*name, attribute.value)
            })
            .collect();
        let expected: Vec<_> = NAMES.into_iter().zip(SLUGS.map(text)).collect();
        prop_assert_eq!(stamps, expected);
    }
    Ok(())
}

/// Which of our names an attribute bears.
fn name(attribute: &Value, table: &[String]) -> Option<&'static str> {
    let attribute = attribute.as_message().expect("a message");
    let key = attribute.get_field_by_number(1).expect("a key").as_str().expect("text").to_owned();
    let reference = attribute.get_field_by_number(3).expect("a reference").as_i32().expect("a number");
    let referred = usize::try_from(reference).ok().filter(|&index| index > 0 || key.is_empty());
    let referred = referred.and_then(|index| table.get(index)).map(String::as_str);
    NAMES.into_iter().find(|&name| key == name || referred == Some(name))
}

/// The string table of a request for profiles.
fn strings(request: &DynamicMessage) -> Vec<String> {
    if request.descriptor().name() != "ExportProfilesServiceRequest" {
        return Vec::new();
    }
    let table = part(request, 2).get_field_by_number(5).expect("a table").into_owned();
    let strings = table.as_list().expect("a list").iter().map(|text| text.as_str().expect("text").to_owned());
    strings.collect()
}

#[expect(clippy::unnecessary_wraps, reason = "the form of a field")]
fn text(text: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) })
}

/// Field `number` with these bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("a short field");
    assert!(length < 128, "a short field");
    [&[number << 3 | 2, length], bytes].concat()
}

/// A request for traces with one group of these fields, stamped and read.
fn stamped(group: &[Vec<u8>]) -> ResourceSpans {
    let stamped = stamp(Signal::Traces, &field(1, &group.concat()), &tenant()).expect("a request");
    let mut request = ExportTraceServiceRequest::decode(stamped.as_slice()).expect("a request");
    assert_eq!(request.resource_spans.len(), 1);
    request.resource_spans.remove(0)
}

fn attributes(group: ResourceSpans) -> Vec<(String, Option<AnyValue>)> {
    let attributes = group.resource.expect("a resource").attributes;
    attributes.into_iter().map(|attribute| (attribute.key, attribute.value)).collect()
}

fn the_stamps() -> Vec<(String, Option<AnyValue>)> {
    NAMES.into_iter().map(str::to_owned).zip(SLUGS.map(text)).collect()
}

#[test]
fn a_group_without_resource_gets_one() {
    let group = stamped(&[field(3, b"schema")]);
    assert_eq!(group.schema_url, "schema");
    assert_eq!(attributes(group), the_stamps());
}

#[test]
fn a_resource_in_pieces_is_one() {
    let forged = field(1, &[field(1, b"gridgate.project"), field(2, &field(1, b"bank"))].concat());
    let other = field(1, &[field(1, b"host.name"), field(2, &field(1, b"a"))].concat());
    let pieces =
        [field(1, &other), field(3, b"schema"), field(1, &[forged.clone(), other].concat()), field(1, &forged)];
    let attributes = attributes(stamped(&pieces));
    let hosts = attributes.iter().filter(|(name, _)| name == "host.name").count();
    let stamps: Vec<_> = attributes.into_iter().filter(|(name, _)| name != "host.name").collect();
    assert_eq!((hosts, stamps), (2, the_stamps()));
}

#[test]
fn of_a_key_that_is_there_twice_the_last_counts() {
    let value = field(2, &field(1, b"bank"));
    let hidden = field(1, &[field(1, b"a"), value.clone(), field(1, b"gridgate.grid")].concat());
    let harmless = field(1, &[field(1, b"gridgate.grid"), value, field(1, b"a")].concat());
    let mut expected = vec![("a".to_owned(), text("bank"))];
    expected.extend(the_stamps());
    assert_eq!(attributes(stamped(&[field(1, &[hidden, harmless].concat())])), expected);
}

#[test]
fn a_forged_value_of_any_form_is_dropped() {
    for value in [vec![], field(2, b""), field(2, &[0x10, 1]), field(2, &field(5, b"")), vec![0x12, 2, 0x18, 7]] {
        let forged = field(1, &[value, field(1, b"gridgate.environment")].concat());
        assert_eq!(attributes(stamped(&[field(1, &forged)])), the_stamps());
    }
}

/// A name in the string table, referred to by an attribute; the table is in two pieces.
#[test]
fn a_reference_to_a_name_is_dropped_too() {
    let piece = |table: &[&str]| ExportProfilesServiceRequest {
        resource_profiles: vec![],
        dictionary: Some(ProfilesDictionary {
            string_table: table.iter().map(|&text| text.to_owned()).collect(),
            ..ProfilesDictionary::default()
        }),
    };
    let attribute = |key_strindex| KeyValue { key: String::new(), value: text("bank"), key_strindex };
    let attributes = vec![attribute(1), attribute(2), attribute(3), attribute(-1), attribute(9)];
    let resource = Some(Resource { attributes, ..Resource::default() });
    let groups = ExportProfilesServiceRequest {
        resource_profiles: vec![ResourceProfiles { resource, ..ResourceProfiles::default() }],
        dictionary: None,
    };
    let body = [
        groups.encode_to_vec(),
        piece(&["", "gridgate.project"]).encode_to_vec(),
        piece(&["host.name", "gridgate.grid"]).encode_to_vec(),
    ];
    let stamped = stamp(Signal::Profiles, &body.concat(), &tenant()).expect("a request");
    let request = ExportProfilesServiceRequest::decode(stamped.as_slice()).expect("a request");
    let attributes = &request.resource_profiles[0].resource.as_ref().expect("a resource").attributes;
    let found: Vec<_> = attributes.iter().map(|attribute| (attribute.key.as_str(), attribute.key_strindex)).collect();
    assert_eq!(found, [("", 2), ("", -1), ("", 9), (NAMES[0], 0), (NAMES[1], 0), (NAMES[2], 0)]);
}

#[test]
fn what_nobody_knows_stays_byte_for_byte() {
    // An unknown field of each kind around the resource, inside it, and around its group, numbers in more bytes than needed.
    let unknown =
        [0xf8, 0x01, 0x81, 0x80, 0x00, 0xf9, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 0xfb, 0x01, 0x08, 0x01, 0xfc, 0x01];
    let resource = field(1, &unknown);
    let body = [unknown.to_vec(), field(1, &[unknown.to_vec(), resource, unknown.to_vec()].concat()), unknown.to_vec()];
    let stamped = stamp(Signal::Traces, &body.concat(), &tenant()).expect("a request");
    let places: Vec<_> = stamped.windows(unknown.len()).filter(|window| **window == unknown).collect();
    assert_eq!(places.len(), 5);
    assert!(stamped.starts_with(&unknown) && stamped.ends_with(&unknown));
}

#[test]
fn what_is_not_protobuf_is_not_stamped() {
    assert_eq!(stamp(Signal::Traces, &[0x0a, 5, 1], &tenant()), Err(WireError::Truncated));
    assert_eq!(stamp(Signal::Traces, &field(1, &field(1, &[0x0e])), &tenant()), Err(WireError::WireType(6)));
    assert_eq!(stamp(Signal::Logs, &[], &tenant()), Ok(Vec::new()));
}
