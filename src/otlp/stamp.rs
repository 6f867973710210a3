//! Stamping: the names of the tenant as resource attributes, in the wire bytes of a request.
//!
//! They are the key's and nobody else's, so whatever the client sent under the same names is dropped. Everything else stays
//! byte for byte what was sent, also what this version of OTLP does not know.

use super::wire::{Reader, Value, WireError};
use crate::domain::{Signal, Tenant};

/// The attributes: the tenant's project, grid and environment.
pub const NAMES: [&str; 3] = ["gridgate.project", "gridgate.grid", "gridgate.environment"];

/// The Export request of `signal` in `payload` with the three [`NAMES`] in the resource of everything that it holds. Where
/// there was no resource, there is one now.
///
/// # Errors
/// Where the bytes are not well-formed, which no validated payload is.
pub fn stamp(signal: Signal, payload: &[u8], tenant: &Tenant) -> Result<Vec<u8>, WireError> {
    let rule = Rule { stamps: stamps(tenant), references: references(signal, payload)? };
    // Room for the stamps of a few resources.
    let mut stamped = Vec::with_capacity(payload.len() + 4 * rule.stamps.len());
    let mut group = Vec::new();
    // Every signal's request has its groups in field 1, each with its resource in field 1, and that its attributes.
    each_field(payload, |number, value, raw| {
        match (number, value) {
            (1, Value::Bytes(bytes)) => {
                group.clear();
                rule.group(bytes, &mut group)?;
                put(&mut stamped, &group);
            }
            _ => stamped.extend_from_slice(raw),
        }
        Ok(())
    })?;
    Ok(stamped)
}

struct Rule {
    /// The fields of a resource that hold the attributes.
    stamps: Vec<u8>,
    /// The positions in the string table of a request for profiles that hold one of the names.
    references: Vec<u32>,
}

impl Rule {
    /// A `ResourceSpans` or the like. A resource in several pieces is one to every reader, so each piece loses what the client
    /// has no right to, and the first gets the stamps.
    fn group(&self, bytes: &[u8], stamped: &mut Vec<u8>) -> Result<(), WireError> {
        let mut is_stamped = false;
        each_field(bytes, |number, value, raw| {
            match (number, value) {
                (1, Value::Bytes(bytes)) => {
                    let mut resource = self.resource(bytes)?;
                    if !is_stamped {
                        resource.extend_from_slice(&self.stamps);
                        is_stamped = true;
                    }
                    put(stamped, &resource);
                }
                _ => stamped.extend_from_slice(raw),
            }
            Ok(())
        })?;
        if !is_stamped {
            put(stamped, &self.stamps);
        }
        Ok(())
    }

    /// A resource without the attributes under our names.
    fn resource(&self, bytes: &[u8]) -> Result<Vec<u8>, WireError> {
        let mut kept = Vec::with_capacity(bytes.len() + self.stamps.len());
        each_field(bytes, |number, value, raw| {
            match (number, value) {
                (1, Value::Bytes(attribute)) if self.is_ours(attribute)? => {}
                _ => kept.extend_from_slice(raw),
            }
            Ok(())
        })?;
        Ok(kept)
    }

    /// Whether a `KeyValue` bears one of our names, as text or as a reference. Of a field that occurs twice the last counts.
    fn is_ours(&self, attribute: &[u8]) -> Result<bool, WireError> {
        let (mut key, mut reference) = (&[][..], 0);
        each_field(attribute, |number, value, _| {
            match (number, value) {
                (1, Value::Bytes(bytes)) => key = bytes,
                (3, Value::Varint(index)) => reference = low_bits(index),
                _ => {}
            }
            Ok(())
        })?;
        // Without key and reference, a reader may take the first entry of the table, though it has to be empty.
        let refers = (reference != 0 || key.is_empty()) && self.references.contains(&reference);
        Ok(is_name(key) || refers)
    }
}

/// The three attributes as fields of a resource.
fn stamps(tenant: &Tenant) -> Vec<u8> {
    let mut stamps = Vec::new();
    for (name, slug) in NAMES.iter().zip([&tenant.project, &tenant.grid, &tenant.environment]) {
        let mut value = Vec::new();
        put(&mut value, slug.as_str().as_bytes());
        let mut attribute = Vec::new();
        put(&mut attribute, name.as_bytes());
        // The value is field 2.
        attribute.push(0x12);
        put_varint(&mut attribute, value.len());
        attribute.extend_from_slice(&value);
        put(&mut stamps, &attribute);
    }
    stamps
}

/// Where our names are in the string table of a request for profiles. Several dictionaries are one, as in [`Rule::group`].
fn references(signal: Signal, payload: &[u8]) -> Result<Vec<u32>, WireError> {
    let mut references = Vec::new();
    if signal != Signal::Profiles {
        return Ok(references);
    }
    let mut index = 0;
    each_field(payload, |number, value, _| {
        let (2, Value::Bytes(dictionary)) = (number, value) else { return Ok(()) };
        each_field(dictionary, |number, value, _| {
            if let (5, Value::Bytes(text)) = (number, value) {
                if is_name(text) {
                    references.push(index);
                }
                index += 1;
            }
            Ok(())
        })
    })?;
    Ok(references)
}

fn is_name(text: &[u8]) -> bool {
    NAMES.iter().any(|name| name.as_bytes() == text)
}

/// An `int32` as its readers take it: the low half of what was sent.
#[expect(clippy::cast_possible_truncation, reason = "this is what the readers do")]
const fn low_bits(value: u64) -> u32 {
    value as u32
}

/// Calls `each` with every field of a message: its number, its value, and all of its bytes.
fn each_field<'a>(
    message: &'a [u8],
    mut each: impl FnMut(u32, Value<'a>, &'a [u8]) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let mut reader = Reader::new(message);
    loop {
        let before = reader.rest();
        let Some((number, value)) = reader.field()? else { return Ok(()) };
        each(number, value, &before[..before.len() - reader.rest().len()])?;
    }
}

/// Adds field 1 with these bytes.
fn put(message: &mut Vec<u8>, bytes: &[u8]) {
    message.push(0x0a);
    put_varint(message, bytes.len());
    message.extend_from_slice(bytes);
}

fn put_varint(message: &mut Vec<u8>, mut value: usize) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return message.push(low);
        }
        message.push(low | 0x80);
    }
}
