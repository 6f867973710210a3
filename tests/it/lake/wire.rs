//! Random OTLP requests as wire bytes: every field, in any order, some of them twice, packed and not, with unknown fields
//! between. What they mean is for `prost` to say.

/// A message of OTLP: its fields by number.
pub(super) struct Message(&'static [(u32, Kind)]);

/// The type of a field.
#[derive(Clone, Copy)]
enum Kind {
    Varint,
    Fixed64,
    Fixed32,
    Varints,
    Fixed64s,
    /// A number that is an index into a small table more often than not.
    Index,
    Indexes,
    Text,
    Bytes,
    Id(usize),
    Message(&'static Message),
    /// An attribute `service.name`.
    ServiceName,
}

use Kind::{Bytes, Fixed32, Fixed64, Fixed64s, Id, Index, Indexes, ServiceName, Text, Varint, Varints};

const fn message(message: &'static Message) -> Kind {
    Kind::Message(message)
}

static ANY_VALUE: Message = Message(&[
    (1, Text),
    (2, Varint),
    (3, Varint),
    (4, Fixed64),
    (5, message(&ARRAY)),
    (6, message(&KEY_VALUES)),
    (7, Bytes),
    (8, Index),
]);
static ARRAY: Message = Message(&[(1, message(&ANY_VALUE))]);
static KEY_VALUES: Message = Message(&[(1, message(&KEY_VALUE))]);
static KEY_VALUE: Message =
    Message(&[(1, Text), (2, message(&ANY_VALUE)), (1, Text), (2, message(&ANY_VALUE)), (3, Index)]);
static ENTITY: Message = Message(&[(1, Text), (2, Text), (3, Text), (4, Text)]);
static RESOURCE: Message = Message(&[(1, message(&KEY_VALUE)), (1, ServiceName), (2, Varint), (3, message(&ENTITY))]);
static SCOPE: Message = Message(&[(1, Text), (2, Text), (3, message(&KEY_VALUE)), (4, Varint)]);

pub(super) static TRACES: Message = Message(&[(1, message(&RESOURCE_SPANS))]);
static RESOURCE_SPANS: Message =
    Message(&[(1, message(&RESOURCE)), (2, message(&SCOPE_SPANS)), (2, message(&SCOPE_SPANS)), (3, Text)]);
static SCOPE_SPANS: Message =
    Message(&[(1, message(&SCOPE)), (2, message(&SPAN)), (2, message(&SPAN)), (2, message(&SPAN)), (3, Text)]);
static SPAN: Message = Message(&[
    (1, Id(16)),
    (2, Id(8)),
    (3, Text),
    (4, Id(8)),
    (5, Text),
    (6, Varint),
    (7, Fixed64),
    (8, Fixed64),
    (9, message(&KEY_VALUE)),
    (10, Varint),
    (11, message(&EVENT)),
    (12, Varint),
    (13, message(&LINK)),
    (14, Varint),
    (15, message(&STATUS)),
    (16, Fixed32),
]);
static EVENT: Message = Message(&[(1, Fixed64), (2, Text), (3, message(&KEY_VALUE)), (4, Varint)]);
static LINK: Message =
    Message(&[(1, Id(16)), (2, Id(8)), (3, Text), (4, message(&KEY_VALUE)), (5, Varint), (6, Fixed32)]);
static STATUS: Message = Message(&[(2, Text), (3, Varint)]);

pub(super) static LOGS: Message = Message(&[(1, message(&RESOURCE_LOGS))]);
static RESOURCE_LOGS: Message =
    Message(&[(1, message(&RESOURCE)), (2, message(&SCOPE_LOGS)), (2, message(&SCOPE_LOGS)), (3, Text)]);
static SCOPE_LOGS: Message = Message(&[
    (1, message(&SCOPE)),
    (2, message(&LOG_RECORD)),
    (2, message(&LOG_RECORD)),
    (2, message(&LOG_RECORD)),
    (3, Text),
]);
static LOG_RECORD: Message = Message(&[
    (1, Fixed64),
    (2, Varint),
    (3, Text),
    (5, message(&ANY_VALUE)),
    (6, message(&KEY_VALUE)),
    (7, Varint),
    (8, Fixed32),
    (9, Id(16)),
    (10, Id(8)),
    (11, Fixed64),
    (12, Text),
]);

pub(super) static METRICS: Message = Message(&[(1, message(&RESOURCE_METRICS))]);
static RESOURCE_METRICS: Message =
    Message(&[(1, message(&RESOURCE)), (2, message(&SCOPE_METRICS)), (2, message(&SCOPE_METRICS)), (3, Text)]);
static SCOPE_METRICS: Message =
    Message(&[(1, message(&SCOPE)), (2, message(&METRIC)), (2, message(&METRIC)), (2, message(&METRIC)), (3, Text)]);
static METRIC: Message = Message(&[
    (1, Text),
    (2, Text),
    (3, Text),
    (5, message(&GAUGE)),
    (7, message(&SUM)),
    (9, message(&HISTOGRAM)),
    (10, message(&EXPONENTIAL)),
    (11, message(&SUMMARY)),
    (12, message(&KEY_VALUE)),
]);
static GAUGE: Message = Message(&[(1, message(&NUMBER_POINT))]);
static SUM: Message = Message(&[(1, message(&NUMBER_POINT)), (2, Varint), (3, Varint)]);
static HISTOGRAM: Message = Message(&[(1, message(&HISTOGRAM_POINT)), (2, Varint)]);
static EXPONENTIAL: Message = Message(&[(1, message(&EXPONENTIAL_POINT)), (2, Varint)]);
static SUMMARY: Message = Message(&[(1, message(&SUMMARY_POINT))]);
static NUMBER_POINT: Message = Message(&[
    (2, Fixed64),
    (3, Fixed64),
    (4, Fixed64),
    (5, message(&EXEMPLAR)),
    (6, Fixed64),
    (7, message(&KEY_VALUE)),
    (8, Varint),
]);
static HISTOGRAM_POINT: Message = Message(&[
    (2, Fixed64),
    (3, Fixed64),
    (4, Fixed64),
    (5, Fixed64),
    (6, Fixed64s),
    (7, Fixed64s),
    (8, message(&EXEMPLAR)),
    (9, message(&KEY_VALUE)),
    (10, Varint),
    (11, Fixed64),
    (12, Fixed64),
]);
static EXPONENTIAL_POINT: Message = Message(&[
    (1, message(&KEY_VALUE)),
    (2, Fixed64),
    (3, Fixed64),
    (4, Fixed64),
    (5, Fixed64),
    (6, Varint),
    (7, Fixed64),
    (8, message(&BUCKETS)),
    (9, message(&BUCKETS)),
    (10, Varint),
    (11, message(&EXEMPLAR)),
    (12, Fixed64),
    (13, Fixed64),
    (14, Fixed64),
]);
static BUCKETS: Message = Message(&[(1, Varint), (2, Varints)]);
static SUMMARY_POINT: Message = Message(&[
    (2, Fixed64),
    (3, Fixed64),
    (4, Fixed64),
    (5, Fixed64),
    (6, message(&QUANTILE)),
    (7, message(&KEY_VALUE)),
    (8, Varint),
]);
static QUANTILE: Message = Message(&[(1, Fixed64), (2, Fixed64)]);
static EXEMPLAR: Message =
    Message(&[(2, Fixed64), (3, Fixed64), (4, Id(8)), (5, Id(16)), (6, Fixed64), (7, message(&KEY_VALUE))]);

pub(super) static PROFILES: Message =
    Message(&[(1, message(&RESOURCE_PROFILES)), (2, message(&DICTIONARY)), (2, message(&DICTIONARY))]);
static RESOURCE_PROFILES: Message =
    Message(&[(1, message(&RESOURCE)), (2, message(&SCOPE_PROFILES)), (2, message(&SCOPE_PROFILES)), (3, Text)]);
static SCOPE_PROFILES: Message =
    Message(&[(1, message(&SCOPE)), (2, message(&PROFILE)), (2, message(&PROFILE)), (2, message(&PROFILE)), (3, Text)]);
static PROFILE: Message = Message(&[
    (1, message(&VALUE_TYPE)),
    (2, message(&SAMPLE)),
    (2, message(&SAMPLE)),
    (2, message(&SAMPLE)),
    (3, Fixed64),
    (4, Varint),
    (5, message(&VALUE_TYPE)),
    (6, Varint),
    (7, Id(16)),
    (8, Varint),
    (9, Text),
    (10, Bytes),
    (11, Indexes),
]);
static VALUE_TYPE: Message = Message(&[(1, Index), (2, Index)]);
static SAMPLE: Message = Message(&[(1, Index), (2, Indexes), (3, Index), (4, Varints), (5, Fixed64s)]);
static DICTIONARY: Message = Message(&[
    (1, message(&MAPPING)),
    (2, message(&LOCATION)),
    (2, message(&LOCATION)),
    (3, message(&FUNCTION)),
    (4, message(&PROFILE_LINK)),
    (5, Text),
    (5, Text),
    (6, message(&KEY_VALUE_AND_UNIT)),
    (7, message(&STACK)),
    (7, message(&STACK)),
]);
static MAPPING: Message = Message(&[(1, Varint), (2, Varint), (3, Varint), (4, Index), (5, Indexes)]);
static LOCATION: Message = Message(&[(1, Index), (2, Varint), (3, message(&LINE)), (4, Indexes)]);
static LINE: Message = Message(&[(1, Index), (2, Varint), (3, Varint)]);
static FUNCTION: Message = Message(&[(1, Index), (2, Index), (3, Index), (4, Varint)]);
static PROFILE_LINK: Message = Message(&[(1, Id(16)), (2, Id(8))]);
static KEY_VALUE_AND_UNIT: Message = Message(&[(1, Index), (2, message(&ANY_VALUE)), (3, Index)]);
static STACK: Message = Message(&[(1, Indexes)]);

const TEXTS: [&str; 10] = [
    "",
    "a",
    "service.name",
    "http.route",
    "\"\\\n\t\r\u{1}\u{7f}",
    "größe",
    "日本",
    "🦀",
    "NaN",
    "a longer text, longer than sixteen",
];

const NUMBERS: [u64; 12] = [
    0,
    1,
    2,
    3,
    127,
    1 << 31,
    (1 << 53) + 1,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
    u64::MAX - 4,
    1_700_000_000_123_456_789,
];

const DOUBLES: [f64; 9] = [0.0, -0.0, 1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, 1e300, 0.1];

/// Makes a message out of random bytes: each choice consumes one.
pub(super) struct Generator<'e> {
    entropy: &'e [u8],
}

impl<'e> Generator<'e> {
    pub(super) fn new(entropy: &'e [u8]) -> Self {
        Self { entropy }
    }

    fn choose(&mut self, below: usize) -> usize {
        match self.entropy.split_first() {
            Some((byte, rest)) => {
                self.entropy = rest;
                usize::from(*byte) % below
            }
            None => 0,
        }
    }

    pub(super) fn message(&mut self, message: &Message, depth: usize) -> Vec<u8> {
        let mut out = Vec::new();
        // Deep down in values little is enough; the containers should not be empty, and items should have most fields.
        let fields = match depth {
            0..3 if message.0.len() < 6 => 1 + self.choose(4),
            0..8 => self.choose(2 * message.0.len()),
            _ => self.choose(4),
        };
        for _ in 0..fields {
            let (number, kind) = message.0[self.choose(message.0.len())];
            self.field(number, kind, depth, &mut out);
            if self.choose(30) == 29 {
                self.unknown(&mut out);
            }
        }
        out
    }

    fn field(&mut self, number: u32, kind: Kind, depth: usize, out: &mut Vec<u8>) {
        match kind {
            Kind::Message(inner) if depth < 16 => {
                let bytes = self.message(inner, depth + 1);
                length_delimited(number, &bytes, out);
            }
            Kind::Message(_) => length_delimited(number, &[], out),
            Varint => {
                varint(u64::from(number) << 3, out);
                varint(self.number(), out);
            }
            Index => {
                varint(u64::from(number) << 3, out);
                varint(self.index(), out);
            }
            Fixed64 => {
                varint(u64::from(number) << 3 | 1, out);
                out.extend(self.fixed64().to_le_bytes());
            }
            Fixed32 => {
                varint(u64::from(number) << 3 | 5, out);
                let number = self.number();
                out.extend(&number.to_le_bytes()[..4]);
            }
            Varints | Indexes | Fixed64s => self.repeated(number, kind, out),
            Text => {
                let text = TEXTS[self.choose(TEXTS.len())];
                length_delimited(number, text.as_bytes(), out);
            }
            ServiceName => {
                let mut pair = Vec::new();
                length_delimited(1, b"service.name", &mut pair);
                let value = self.message(&ANY_VALUE, depth + 1);
                length_delimited(2, &value, &mut pair);
                length_delimited(number, &pair, out);
            }
            Bytes => {
                let length = self.choose(5);
                let bytes = self.bytes(length);
                length_delimited(number, &bytes, out);
            }
            Id(length) => {
                let length = if self.choose(4) == 0 { 0 } else { length };
                let bytes = self.bytes(length);
                length_delimited(number, &bytes, out);
            }
        }
    }

    fn repeated(&mut self, number: u32, kind: Kind, out: &mut Vec<u8>) {
        let packed = self.choose(2) == 0;
        let mut bytes = Vec::new();
        for _ in 0..self.choose(4) {
            if !packed {
                varint(u64::from(number) << 3 | u64::from(matches!(kind, Fixed64s)), &mut bytes);
            }
            match kind {
                Fixed64s => bytes.extend(self.fixed64().to_le_bytes()),
                Indexes => varint(self.index(), &mut bytes),
                _ => varint(self.number(), &mut bytes),
            }
        }
        if packed {
            length_delimited(number, &bytes, out);
        } else {
            out.extend(bytes);
        }
    }

    fn unknown(&mut self, out: &mut Vec<u8>) {
        match self.choose(3) {
            0 => length_delimited(2047, b"from the future", out),
            1 => {
                varint(2047 << 3, out);
                varint(u64::MAX, out);
            }
            _ => {
                varint(2047 << 3 | 3, out);
                length_delimited(1, b"a group", out);
                varint(2047 << 3 | 4, out);
            }
        }
    }

    fn number(&mut self) -> u64 {
        NUMBERS[self.choose(NUMBERS.len())]
    }

    fn fixed64(&mut self) -> u64 {
        if self.choose(2) == 0 { self.number() } else { DOUBLES[self.choose(DOUBLES.len())].to_bits() }
    }

    fn index(&mut self) -> u64 {
        match self.choose(16) {
            0 => u64::MAX,
            1 => 1000,
            other => other as u64 / 4,
        }
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.choose(256).to_le_bytes()[0]).collect()
    }
}

fn length_delimited(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    varint(u64::from(number) << 3 | 2, out);
    varint(bytes.len() as u64, out);
    out.extend(bytes);
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}
