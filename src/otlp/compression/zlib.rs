//! `deflate` of HTTP and gRPC: the zlib form (RFC 1950), whose Adler-32 is checked. Bytes after its end are refused.

use flate2::{Decompress, FlushDecompress, Status};

use super::Stop;

/// Inflates `payload` into `output` and returns the length.
pub(super) fn inflate(payload: &[u8], output: &mut [u8]) -> Result<usize, Stop> {
    let mut decompress = Decompress::new(true);
    let mut length = 0;
    loop {
        let read = usize::try_from(decompress.total_in()).map_err(|_| Stop::Damaged)?;
        let rest = payload.get(read..).ok_or(Stop::Damaged)?;
        // Whether a full output holds everything only one byte more can tell.
        let mut probe = [0];
        let is_full = length == output.len();
        let room = if is_full { &mut probe[..] } else { &mut output[length..] };
        let before = (decompress.total_in(), decompress.total_out());
        let status = decompress.decompress(rest, room, FlushDecompress::None).map_err(|_| Stop::Damaged)?;
        let written = decompress.total_out() - before.1;
        if is_full && written > 0 {
            return Err(Stop::Full);
        }
        length += usize::try_from(written).map_err(|_| Stop::Damaged)?;
        match status {
            Status::StreamEnd if decompress.total_in() == payload.len() as u64 => return Ok(length),
            Status::StreamEnd => return Err(Stop::Damaged),
            // Cut off: it wants more than there is.
            Status::Ok | Status::BufError if before == (decompress.total_in(), decompress.total_out()) => {
                return Err(Stop::Damaged);
            }
            Status::Ok | Status::BufError => {}
        }
    }
}
