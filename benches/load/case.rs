//! What is sent: real bodies, encoded before the clock starts.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use gridgate::domain::Signal;
use gridgate::domain::Transport;
use prost::Message;

use super::bodies;

/// Spans in a body.
pub(crate) const ITEMS: usize = 100;

/// More than fits a core's cache, so that no server finds a body there that it has just had.
const BODIES: u64 = 64;

/// One way to send an export.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) transport: Transport,
    pub(crate) gzip: bool,
}

/// Every way that is measured.
pub(crate) const CASES: [Case; 4] = [
    Case { transport: Transport::Http, gzip: false },
    Case { transport: Transport::Http, gzip: true },
    Case { transport: Transport::Grpc, gzip: false },
    Case { transport: Transport::Grpc, gzip: true },
];

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.transport {
            Transport::Http => "HTTP",
            Transport::Grpc => "gRPC",
        };
        write!(f, "{transport} {}", if self.gzip { "gzip" } else { "plain" })
    }
}

/// The bodies of the requests of one case.
#[derive(Clone)]
pub(crate) struct Requests {
    /// As they go over the wire, gRPC's frame included.
    pub(crate) bodies: Arc<[Bytes]>,
    /// The mean size on the wire, in bytes.
    pub(crate) wire_size: usize,
    /// The mean size once decompressed, in bytes.
    pub(crate) size: usize,
}

impl Case {
    /// The path that is posted to.
    pub(crate) const fn path(self) -> &'static str {
        match self.transport {
            Transport::Http => Signal::Traces.http_path(),
            Transport::Grpc => Signal::Traces.grpc_path(),
        }
    }

    /// Its bodies, the same in every run.
    pub(crate) fn requests(self) -> Requests {
        let (mut size, mut wire_size) = (0, 0);
        let encode = |seed| {
            let body = bodies::traces_of(seed).encode_to_vec();
            size += body.len();
            let body = if self.gzip { gzip(&body) } else { body };
            let body = match self.transport {
                Transport::Http => body,
                Transport::Grpc => framed(self.gzip, &body),
            };
            wire_size += body.len();
            Bytes::from(body)
        };
        let bodies: Arc<[Bytes]> = (1..=BODIES).map(encode).collect();
        let (size, wire_size) = (size / bodies.len(), wire_size / bodies.len());
        Requests { bodies, wire_size, size }
    }
}

/// As SDKs compress: zlib's default level.
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

/// gRPC over HTTP/2, «Length-Prefixed-Message».
fn framed(compressed: bool, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[u8::from(compressed)], length.to_be_bytes().as_slice(), message].concat()
}
