//! From what the log has to what goes out: inflated, stamped and compressed only where that is needed.

use bytes::Bytes;
use libdeflater::{CompressionLvl, Compressor};

use super::Compression;
use crate::domain::Encoding;
use crate::otlp::compression::{InflateError, with_inflated};
use crate::otlp::stamp::stamp;
use crate::otlp::wire::WireError;
use crate::storage::record::RecordMeta;

/// Why a record cannot be sent to anybody.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsendable {
    /// It cannot be inflated.
    #[error("the record cannot be inflated: {0}")]
    Inflate(#[from] InflateError),
    /// It is not what was validated when it arrived.
    #[error("the record cannot be stamped: {0}")]
    Wire(#[from] WireError),
    /// It cannot be compressed.
    #[error("the record cannot be compressed: {0}")]
    Compress(String),
    /// More than the length of a gRPC message can say.
    #[error("the record has more bytes than a gRPC message can have")]
    TooLong,
    /// A header cannot be made for it.
    #[error("a header cannot be made for the record")]
    Header,
}

/// From this size on, work on a payload would hold up the other tasks of its thread.
const LARGE: u64 = 32 << 10;

/// The payload as it goes out, and its encoding there.
pub(super) async fn encode(
    compression: Compression,
    stamped: bool,
    meta: &RecordMeta,
    payload: &Bytes,
) -> Result<(Encoding, Bytes), Unsendable> {
    let encoding = match compression {
        Compression::AsReceived if meta.encoding == Encoding::Gzip => Encoding::Gzip,
        Compression::AsReceived | Compression::None => Encoding::Identity,
        Compression::Gzip => Encoding::Gzip,
        Compression::Zstd => Encoding::Zstd,
    };
    if encoding == meta.encoding && !stamped {
        return Ok((encoding, payload.clone()));
    }
    if meta.decompressed_size < LARGE {
        return recode(meta, payload, encoding, stamped).map(|payload| (encoding, payload));
    }
    let (meta, payload) = (meta.clone(), payload.clone());
    let work = tokio::task::spawn_blocking(move || recode(&meta, &payload, encoding, stamped));
    let payload = work.await.map_err(|cut_short| Unsendable::Compress(cut_short.to_string()))??;
    Ok((encoding, payload))
}

fn recode(meta: &RecordMeta, payload: &[u8], encoding: Encoding, stamped: bool) -> Result<Bytes, Unsendable> {
    let size = usize::try_from(meta.decompressed_size).unwrap_or(usize::MAX);
    let plain = with_inflated(
        meta.encoding,
        payload,
        size,
        |_| Ok(()),
        |plain| {
            if stamped { stamp(meta.signal, plain, &meta.tenant).map_err(Unsendable::from) } else { Ok(plain.to_vec()) }
        },
    )??;
    compress(encoding, plain)
}

fn compress(encoding: Encoding, plain: Vec<u8>) -> Result<Bytes, Unsendable> {
    if encoding == Encoding::Gzip {
        let mut compressor = Compressor::new(CompressionLvl::default());
        let mut compressed = vec![0; compressor.gzip_compress_bound(plain.len())];
        let length = compressor.gzip_compress(&plain, &mut compressed);
        compressed.truncate(length.map_err(|failed| Unsendable::Compress(failed.to_string()))?);
        Ok(compressed.into())
    } else if encoding == Encoding::Zstd {
        let compressed = zstd::bulk::compress(&plain, zstd::DEFAULT_COMPRESSION_LEVEL);
        compressed.map(Bytes::from).map_err(|failed| Unsendable::Compress(failed.to_string()))
    } else {
        Ok(plain.into())
    }
}
