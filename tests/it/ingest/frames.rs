//! HTTP/2 frame by frame (RFC 9113 section 4.1), for what no client library would send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::client::Export;

/// Types of frames (RFC 9113 section 6).
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const ACK: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// Error codes (RFC 9113 section 7).
pub(super) const NO_ERROR: u32 = 0;
pub(super) const FLOW_CONTROL_ERROR: u32 = 3;
pub(super) const REFUSED_STREAM: u32 = 7;
pub(super) const CANCEL: u32 = 8;
pub(super) const ENHANCE_YOUR_CALM: u32 = 11;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One frame as it was received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// The number that begins at `offset`: an error code, most of the time.
    pub(super) fn number(&self, offset: usize) -> u32 {
        u32::from_be_bytes(self.payload[offset..offset + 4].try_into().expect("four bytes"))
    }

    pub(super) const fn ends_stream(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }
}

/// A connection whose client is the test itself.
pub(super) struct Wire {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Wire {
    /// Begins a connection with these settings, and waits until the gate has accepted them.
    pub(super) async fn connect(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let (reader, writer) = TcpStream::connect(address).await.expect("a connection").into_split();
        let mut wire = Self { reader: BufReader::new(reader), writer };
        let settings: Vec<u8> =
            settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
        wire.write(&[PREFACE, &frame(SETTINGS, 0, 0, &settings), &frame(SETTINGS, ACK, 0, b"")].concat()).await;
        wire.until(|frame| frame.kind == SETTINGS && frame.flags == ACK).await.expect("the settings are accepted");
        wire
    }

    /// Writes, and does not mind whether the gate still wants it.
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        let _ = self.try_write(bytes).await;
    }

    /// Whether `bytes` could be written.
    pub(super) async fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.writer.write_all(bytes).await.is_ok()
    }

    /// The next frame; `None` once the connection is closed.
    pub(super) async fn next(&mut self) -> Option<Frame> {
        read(&mut self.reader).await
    }

    /// The first frame that is `wanted`; `None` where the connection is closed before.
    pub(super) async fn until(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        while let Some(frame) = self.next().await {
            if wanted(&frame) {
                return Some(frame);
            }
        }
        None
    }

    /// Every stream that has an answer, or is reset, up to the answer to a ping sent now, and the frame that ended it.
    pub(super) async fn ended(&mut self) -> Vec<Frame> {
        self.write(&frame(PING, 0, 0, b"the end?")).await;
        let mut ended = Vec::new();
        while let Some(frame) = self.next().await {
            if frame.kind == PING && frame.flags == ACK && frame.payload == b"the end?" {
                break;
            }
            if frame.ends_stream() || frame.kind == RST_STREAM {
                ended.push(frame);
            }
        }
        ended
    }

    /// Writes `piece` for as long as the gate takes it, at most `times`, and returns the error code with which it closes the
    /// connection; `None` where it does not say why, or does not close it.
    pub(super) async fn flood(self, times: u32, piece: impl Fn(u32) -> Vec<u8> + Send + 'static) -> Option<u32> {
        let Self { mut reader, mut writer } = self;
        let writing = tokio::spawn(async move {
            for number in 0..times {
                if writer.write_all(&piece(number)).await.is_err() {
                    break;
                }
            }
            let _ = writer.shutdown().await;
        });
        let mut code = None;
        while let Some(frame) = read(&mut reader).await {
            if frame.kind == GOAWAY {
                code = Some(frame.number(4));
            }
        }
        writing.await.expect("no panic");
        code
    }
}

async fn read(reader: &mut BufReader<OwnedReadHalf>) -> Option<Frame> {
    let mut head = [0; 9];
    reader.read_exact(&mut head).await.ok()?;
    let [a, b, c, kind, flags, stream @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    reader.read_exact(&mut payload).await.ok()?;
    Some(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload })
}

/// A frame's bytes.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

/// A frame whose payload is a number: a reset, or an update of a window.
pub(super) fn numbered(kind: u8, stream: u32, number: u32) -> Vec<u8> {
    frame(kind, 0, stream, &number.to_be_bytes())
}

/// The stream of the request with this number.
pub(super) const fn stream(number: u32) -> u32 {
    2 * number + 1
}

/// The headers of `export`, as HPACK writes them without its tables.
pub(super) fn block(export: &Export) -> Vec<u8> {
    let pseudo = [(":method", export.method), (":scheme", "http"), (":path", &export.path), (":authority", "gate")];
    let pseudo = pseudo.into_iter().map(|(name, value)| field(name, value.as_bytes()));
    let headers = export.headers.iter().map(|(name, value)| field(name, value));
    pseudo.chain(headers).flatten().collect()
}

/// One header field, literally and without indexing (RFC 7541 section 6.2.2).
pub(super) fn field(name: &str, value: &[u8]) -> Vec<u8> {
    [&[0][..], &string(name.as_bytes()), &string(value)].concat()
}

/// One header field, literally, and from then on in the table (RFC 7541 section 6.2.1).
pub(super) fn indexed(name: &str, value: &[u8]) -> Vec<u8> {
    [&[0x40][..], &string(name.as_bytes()), &string(value)].concat()
}

/// A string without Huffman coding (RFC 7541 sections 5.1 and 5.2).
fn string(bytes: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    let seven = |bits: usize| u8::try_from(bits).expect("seven bits");
    if bytes.len() < 127 {
        encoded.push(seven(bytes.len()));
    } else {
        encoded.push(127);
        let mut rest = bytes.len() - 127;
        while rest >= 128 {
            encoded.push(seven(rest & 127) | 128);
            rest >>= 7;
        }
        encoded.push(seven(rest));
    }
    encoded.extend_from_slice(bytes);
    encoded
}
