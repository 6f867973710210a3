//! Segments: immutable objects that hold many tenants' records, the unit of durability.
//!
//! ```text
//! magic  (frame)*  index
//! frame  = header length u32, payload length u32, CRC32C u32, header, payload
//! index  = (offset of the frame u64)*, number of frames u32, CRC32C u32, magic
//! ```
//!
//! Numbers are little-endian. A frame's checksum covers its two lengths, its header and its payload; the index's covers the
//! offsets and their number. A segment is published whole or not at all, so there are no torn tails to mend; what the
//! checksums find is damage at rest. Because the index gives every offset, a damaged frame costs that one record; without a
//! good index the frames are walked from the front, as far as they are sound.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

use super::record::{Record, RecordMeta};

const MAGIC: &[u8; 8] = b"GGSEG\x00\x01\n";
const FRAME_HEAD: usize = 12;
const INDEX_TAIL: usize = 4 + 4 + MAGIC.len();

/// Payloads from this size on are written from where they are; smaller ones are copied together, so that one write serves
/// many.
const OWN_CHUNK: usize = 16 << 10;

/// A record ready to be written: its frame but for the payload, which stays where it is.
#[derive(Debug)]
pub struct Frame {
    head: Vec<u8>,
    payload: Bytes,
}

impl Frame {
    /// The frame of `record`. It takes the checksum, and so belongs on the thread of the export, not of the log.
    #[must_use]
    pub fn new(record: &Record) -> Self {
        let header = record.meta.encode();
        let mut head = Vec::with_capacity(FRAME_HEAD + header.len());
        head.put_u32_le(length_of(&header));
        head.put_u32_le(length_of(&record.payload));
        let checksum = checksum(&head, &header, &record.payload);
        head.put_u32_le(checksum);
        head.put_slice(&header);
        Self { head, payload: record.payload.clone() }
    }

    /// The frame that was read back as `bytes`. They are not looked into: damage is found by whoever reads the frame again.
    #[must_use]
    pub(super) fn of_bytes(bytes: Bytes) -> Self {
        Self { head: Vec::new(), payload: bytes }
    }

    /// Its size in the segment, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.head.len() + self.payload.len()
    }
}

/// The bytes of a segment of `frames`, in pieces.
#[must_use]
pub fn encode(frames: &[Frame]) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let mut open = BytesMut::from(&MAGIC[..]);
    let mut index = Vec::with_capacity(frames.len() * 8 + INDEX_TAIL);
    let mut offset = MAGIC.len();
    for frame in frames {
        index.put_u64_le(offset as u64);
        offset += frame.size();
        open.put_slice(&frame.head);
        if frame.payload.len() < OWN_CHUNK {
            open.put_slice(&frame.payload);
        } else {
            pieces.push(open.split().freeze());
            pieces.push(frame.payload.clone());
        }
    }
    index.put_u32_le(u32::try_from(frames.len()).unwrap_or(u32::MAX));
    let checksum = crc32c::crc32c(&index);
    open.put_slice(&index);
    open.put_u32_le(checksum);
    open.put_slice(MAGIC);
    pieces.push(open.freeze());
    pieces
}

/// One frame of a segment that was read back.
#[derive(Clone, Debug)]
pub enum Stored {
    /// A sound record.
    Record {
        /// Everything about it but the payload.
        meta: RecordMeta,
        /// The payload, compressed as `meta.encoding` says.
        payload: Bytes,
    },
    /// Bytes that no longer hold what was written.
    Damaged {
        /// The bytes of the frame, as far as its place is known.
        bytes: Bytes,
        /// What is wrong with them.
        damage: Damage,
    },
}

/// What can be wrong with bytes at rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Damage {
    /// The object is no segment, or one of a later version.
    #[error("the bytes are no segment of a known version")]
    Magic,
    /// The index is not sound; frames were walked from the front.
    #[error("the segment's index is damaged")]
    Index,
    /// The frame's lengths do not fit into its place.
    #[error("the frame's lengths do not fit its place")]
    Length,
    /// The checksum does not fit the bytes.
    #[error("the frame's checksum does not fit its bytes")]
    Checksum,
    /// The checksum fits, but the header holds what no version of Gridgate writes.
    #[error("the frame's header cannot be read")]
    Header,
}

/// Every frame of a segment, in order. Never fails: what is damaged is among the results.
#[must_use]
pub fn decode(segment: &Bytes) -> Vec<Stored> {
    decode_placed(segment).into_iter().map(|(_, stored)| stored).collect()
}

/// Every frame of a segment, in order, and its place in bytes.
#[must_use]
pub(super) fn decode_placed(segment: &Bytes) -> Vec<(Range<usize>, Stored)> {
    if !segment.starts_with(MAGIC) {
        return vec![(0..segment.len(), Stored::Damaged { bytes: segment.clone(), damage: Damage::Magic })];
    }
    let Some(places) = read_index(segment) else { return walk(segment) };
    places.into_iter().map(|(start, end)| (start..end, read_frame(segment.slice(start..end)))).collect()
}

/// Where each frame starts and ends, from the index; `None` where the index is not sound.
fn read_index(segment: &[u8]) -> Option<Vec<(usize, usize)>> {
    let rest = segment.strip_suffix(MAGIC)?;
    let (rest, checksum) = rest.split_last_chunk::<4>()?;
    let (_, count) = rest.split_last_chunk::<4>()?;
    let index_start = rest.len().checked_sub(4 + (u32::from_le_bytes(*count) as usize).checked_mul(8)?)?;
    let index = &rest[index_start..];
    if crc32c::crc32c(index) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let offsets = index[..index.len() - 4].as_chunks::<8>().0.iter();
    let offsets = offsets.map(|&offset| usize::try_from(u64::from_le_bytes(offset)));
    let offsets = offsets.chain([Ok(index_start)]).collect::<Result<Vec<_>, _>>().ok()?;
    let sound = offsets.first().is_some_and(|&first| first == MAGIC.len()) && offsets.is_sorted();
    sound.then(|| offsets.windows(2).map(|pair| (pair[0], pair[1])).collect())
}

/// One frame that should fill `bytes` exactly.
pub(super) fn read_frame(bytes: Bytes) -> Stored {
    match frame_length(&bytes) {
        Some((header, payload)) if FRAME_HEAD + header + payload == bytes.len() => read_sound_frame(bytes, header),
        _ => Stored::Damaged { bytes, damage: Damage::Length },
    }
}

fn read_sound_frame(bytes: Bytes, header_length: usize) -> Stored {
    let payload = bytes.slice(FRAME_HEAD + header_length..);
    let header = &bytes[FRAME_HEAD..FRAME_HEAD + header_length];
    if checksum(&bytes[..8], header, &payload).to_le_bytes() != bytes[8..FRAME_HEAD] {
        return Stored::Damaged { bytes, damage: Damage::Checksum };
    }
    match RecordMeta::decode(header) {
        Some(meta) => Stored::Record { meta, payload },
        None => Stored::Damaged { bytes, damage: Damage::Header },
    }
}

/// The sound frames from the front, then the rest as one damaged piece.
fn walk(segment: &Bytes) -> Vec<(Range<usize>, Stored)> {
    let mut found = Vec::new();
    let mut start = MAGIC.len();
    while let Some((header, payload)) = frame_length(&segment[start..]) {
        let Some(end) = (start + FRAME_HEAD + header).checked_add(payload).filter(|&end| end <= segment.len()) else {
            break;
        };
        match read_sound_frame(segment.slice(start..end), header) {
            record @ Stored::Record { .. } => found.push((start..end, record)),
            Stored::Damaged { .. } => break,
        }
        start = end;
    }
    let rest = Stored::Damaged { bytes: segment.slice(start..), damage: Damage::Index };
    found.push((start..segment.len(), rest));
    found
}

/// The lengths of header and payload that a frame claims.
fn frame_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let (head, _) = bytes.split_first_chunk::<FRAME_HEAD>()?;
    let (header, payload) = (head[..4].try_into().ok()?, head[4..8].try_into().ok()?);
    Some((u32::from_le_bytes(header) as usize, u32::from_le_bytes(payload) as usize))
}

fn checksum(lengths: &[u8], header: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(lengths), header), payload)
}

/// Lengths are far below 4 GiB: a body has a cap, and a header a few hundred bytes.
fn length_of(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Encoding, KeyId, RecordId, Signal, Tenant, Timestamp};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn record(number: u8, payload: Vec<u8>) -> Record {
        let slug = |text: &str| text.parse().expect("a slug");
        Record {
            meta: RecordMeta {
                id: RecordId::from_bytes([number; 16]),
                tenant: Arc::new(Tenant { project: slug("shop"), grid: slug("web"), environment: slug("staging") }),
                key: KeyId::from_bare("7Hq2mZxK9wPa").expect("an id"),
                secret_version: 2,
                signal: Signal::ALL[usize::from(number % 4)],
                arrival: Timestamp::from_micros(1_795_256_520_123_456),
                items: u64::from(number),
                encoding: if number.is_multiple_of(2) { Encoding::Identity } else { Encoding::Gzip },
                decompressed_size: 3,
            },
            payload: payload.into(),
            reservation: None,
        }
    }

    fn segment(records: &[Record]) -> Bytes {
        let frames: Vec<_> = records.iter().map(Frame::new).collect();
        encode(&frames).concat().into()
    }

    fn sound(stored: &[Stored]) -> Vec<u8> {
        let number = |stored: &Stored| match stored {
            Stored::Record { meta, .. } => Some(meta.id.as_bytes()[0]),
            Stored::Damaged { .. } => None,
        };
        stored.iter().filter_map(number).collect()
    }

    #[test]
    fn records_come_back_as_they_were() {
        let records =
            [record(0, Vec::new()), record(1, vec![1; 40_000]), record(2, vec![2, 3]), record(3, vec![9; 16_384])];
        let read = decode(&segment(&records));
        assert_eq!(read.len(), records.len());
        for (read, written) in read.iter().zip(&records) {
            let Stored::Record { meta, payload } = read else { panic!("{read:?}") };
            assert_eq!((meta, payload), (&written.meta, &written.payload));
        }
    }

    #[test]
    fn an_empty_or_foreign_object_is_damage() {
        for bytes in [&b""[..], b"PAR1", &MAGIC[..]] {
            let read = decode(&Bytes::copy_from_slice(bytes));
            assert!(matches!(read.as_slice(), [Stored::Damaged { .. }]), "{read:?}");
        }
    }

    /// Catalogue D3: flip every byte, truncate at every length.
    #[test]
    fn damage_costs_at_most_the_record_it_hits() {
        let whole = segment(&[record(0, vec![7; 50]), record(1, vec![8; 60]), record(2, vec![9; 70])]);
        for place in 0..whole.len() {
            let mut bytes = whole.to_vec();
            bytes[place] ^= 0x20;
            let read = decode(&bytes.into());
            let survivors = sound(&read);
            if place < MAGIC.len() {
                assert!(survivors.is_empty());
            } else {
                assert!(survivors.len() >= 2, "flip at {place}: {survivors:?}");
            }
            assert!(read.len() > survivors.len(), "flip at {place} was not noticed");
        }
        for length in 0..whole.len() {
            let read = decode(&whole.slice(..length));
            assert!(sound(&read).is_sorted() && read.len() > sound(&read).len(), "cut to {length}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_at_all_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&Bytes::from([&MAGIC[..], &bytes].concat()));
            let _ = decode(&Bytes::from([&MAGIC[..], &bytes, MAGIC].concat()));
        }
    }
}
