//! The record: one authenticated export on its way to its tenant's storage.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;

use crate::domain::{Encoding, KeyId, RecordId, Reservation, Signal, Tenant, Timestamp};

/// One authenticated export and its payload: OTLP protobuf as received, or transcoded from JSON.
#[derive(Debug)]
pub struct Record {
    /// Everything about it but the payload.
    pub meta: RecordMeta,
    /// `Export*ServiceRequest` in protobuf, compressed as `meta.encoding` says.
    pub payload: Bytes,
    /// The memory that the payload holds; given back once it is durable.
    pub reservation: Option<Reservation>,
}

/// What is known about a record apart from its payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordMeta {
    /// Its id; sorts by arrival.
    pub id: RecordId,
    /// Whose it is: from the key alone, never from the client.
    pub tenant: Arc<Tenant>,
    /// The key it was sent with.
    pub key: KeyId,
    /// The version of the secret that was presented.
    pub secret_version: u32,
    /// Its signal.
    pub signal: Signal,
    /// When its headers had arrived.
    pub arrival: Timestamp,
    /// Spans, data points, log records or samples.
    pub items: u64,
    /// How the payload is compressed.
    pub encoding: Encoding,
    /// The payload's size once decompressed, in bytes.
    pub decompressed_size: u64,
}

impl RecordMeta {
    /// The header in the form of `proto/gridgate/log/v1/record.proto`.
    #[must_use]
    pub(super) fn encode(&self) -> Vec<u8> {
        generated::RecordHeader {
            record_id: Bytes::copy_from_slice(self.id.as_bytes()),
            project: self.tenant.project.to_string(),
            grid: self.tenant.grid.to_string(),
            environment: self.tenant.environment.to_string(),
            key_id: self.key.bare().to_owned(),
            secret_version: self.secret_version,
            signal: match self.signal {
                Signal::Traces => generated::Signal::Traces,
                Signal::Metrics => generated::Signal::Metrics,
                Signal::Logs => generated::Signal::Logs,
                Signal::Profiles => generated::Signal::Profiles,
            }
            .into(),
            arrival_unix_micros: self.arrival.micros(),
            items: self.items,
            encoding: match self.encoding {
                Encoding::Identity => generated::Encoding::Identity,
                Encoding::Gzip => generated::Encoding::Gzip,
                Encoding::Zstd => generated::Encoding::Zstd,
                Encoding::Deflate => generated::Encoding::Deflate,
            }
            .into(),
            decompressed_size: self.decompressed_size,
        }
        .encode_to_vec()
    }

    /// Reads a header; `None` where it holds what no version of Gridgate writes.
    #[must_use]
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let header = generated::RecordHeader::decode(bytes).ok()?;
        Some(Self {
            id: RecordId::from_bytes(header.record_id.as_ref().try_into().ok()?),
            tenant: Arc::new(Tenant {
                project: header.project.parse().ok()?,
                grid: header.grid.parse().ok()?,
                environment: header.environment.parse().ok()?,
            }),
            key: KeyId::from_bare(&header.key_id)?,
            secret_version: header.secret_version,
            signal: match header.signal() {
                generated::Signal::Unspecified => return None,
                generated::Signal::Traces => Signal::Traces,
                generated::Signal::Metrics => Signal::Metrics,
                generated::Signal::Logs => Signal::Logs,
                generated::Signal::Profiles => Signal::Profiles,
            },
            arrival: Timestamp::from_micros(header.arrival_unix_micros),
            items: header.items,
            encoding: match header.encoding() {
                generated::Encoding::Unspecified => return None,
                generated::Encoding::Identity => Encoding::Identity,
                generated::Encoding::Gzip => Encoding::Gzip,
                generated::Encoding::Zstd => Encoding::Zstd,
                generated::Encoding::Deflate => Encoding::Deflate,
            },
            decompressed_size: header.decompressed_size,
        })
    }
}

/// Code from `proto/gridgate/log/v1/record.proto`; `tests/generated.rs` makes it and checks it for drift.
mod generated {
    #![expect(clippy::pedantic, unreachable_pub, reason = "generated code follows its generator")]
    include!("generated/gridgate.log.v1.rs");
}
