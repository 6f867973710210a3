//! The lake's files: OTLP payloads as Parquet, one row per item, no field of OTLP lost.
//!
//! A file is built straight from the wire bytes: the walk over the request (`table`) is the same for the four signals;
//! each signal's module appends the columns of one item. What belongs to a resource, a scope, a metric or a profile is
//! read once and its rows refer to it (`repeated`). `docs/lake.md` is the schema's reference.

mod attributes;
mod columns;
mod dictionary;
mod envelope;
mod fields;
mod file;
mod json;
mod logs;
mod metrics;
mod points;
mod profiles;
mod repeated;
mod stacks;
mod table;
mod traces;

use arrow_schema::ArrowError;
use parquet::errors::ParquetError;

pub use file::LakeFile;

use crate::domain::{KeyId, RecordId, Timestamp};
use crate::otlp::wire::WireError;

/// One accepted export, as the lake takes it.
#[derive(Clone, Copy, Debug)]
pub struct LakeRecord<'a> {
    /// The record's id.
    pub record: RecordId,
    /// The key that sent it.
    pub key: KeyId,
    /// When it arrived.
    pub arrival: Timestamp,
    /// The decompressed protobuf of the signal's `Export…ServiceRequest`.
    pub payload: &'a [u8],
}

/// Why a payload cannot become rows, or rows a file.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The payload is not well-formed protobuf.
    #[error("the payload is not well-formed: {0}")]
    Wire(#[from] WireError),
    /// A field of OTLP has a wire type that is not its own.
    #[error("a field has the wire type of another kind of value")]
    FieldType,
    /// A field of type `string` is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// Attribute values nested deeper than 32.
    #[error("attribute values are nested too deeply")]
    Depth,
    /// The payload, or what its rows expand to, is beyond the bound that keeps memory and time limited.
    #[error("the payload expands to more rows than one record may")]
    TooLarge,
    /// An earlier append failed; the file holds a part of that record and must be dropped.
    #[error("the file was abandoned because a record failed")]
    Abandoned,
    /// The columns do not fit together.
    #[error("the columns cannot be built: {0}")]
    Columns(#[from] ArrowError),
    /// The Parquet writer failed.
    #[error("the Parquet file cannot be written: {0}")]
    Parquet(#[from] ParquetError),
}
