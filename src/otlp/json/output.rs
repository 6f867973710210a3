//! Wire bytes whose lengths become known after their contents, in linear time.

/// A protobuf message under construction. The lengths in front of nested messages are left out at first and remembered; one
/// pass at the end puts them in.
pub(super) struct Output {
    bytes: Vec<u8>,
    /// Every length left out, in the order of its place.
    lengths: Vec<Length>,
    /// How many bytes the lengths take that are known so far.
    length_bytes: usize,
}

struct Length {
    /// Where it belongs in `bytes`.
    at: usize,
    value: usize,
}

/// A nested message that was begun and not yet ended.
pub(super) struct Open {
    /// Where its key begins.
    start: usize,
    length: usize,
    length_bytes: usize,
}

impl Output {
    pub(super) fn new(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity), lengths: Vec::new(), length_bytes: 0 }
    }

    /// How many bytes it has so far, lengths of open messages not counted.
    pub(super) const fn len(&self) -> usize {
        self.bytes.len() + self.length_bytes
    }

    /// How much memory it holds.
    pub(super) const fn memory(&self) -> usize {
        self.bytes.capacity() + self.lengths.capacity() * size_of::<Length>()
    }

    pub(super) fn key(&mut self, number: u32, wire_type: u8) {
        self.varint(u64::from(number << 3 | u32::from(wire_type)));
    }

    pub(super) fn varint(&mut self, value: u64) {
        put_varint(&mut self.bytes, value);
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Begins field `number`, whose length is not yet known.
    pub(super) fn begin(&mut self, number: u32) -> Open {
        let start = self.bytes.len();
        self.key(number, 2);
        self.lengths.push(Length { at: self.bytes.len(), value: 0 });
        Open { start, length: self.lengths.len() - 1, length_bytes: self.length_bytes }
    }

    #[expect(clippy::needless_pass_by_value, reason = "what is ended cannot be ended again")]
    pub(super) fn end(&mut self, open: Open) {
        let Some(length) = self.lengths.get_mut(open.length) else { return };
        length.value = self.bytes.len() - length.at + self.length_bytes - open.length_bytes;
        self.length_bytes += varint_width(length.value as u64);
    }

    /// Like [`Output::end`], but takes the field back where nothing was written into it.
    pub(super) fn end_unless_empty(&mut self, open: Open) {
        if self.lengths.last().is_some_and(|last| last.at == self.bytes.len()) {
            self.lengths.pop();
            self.bytes.truncate(open.start);
        } else {
            self.end(open);
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        if self.lengths.is_empty() {
            return self.bytes;
        }
        let mut whole = Vec::with_capacity(self.len());
        let mut copied = 0;
        for Length { at, value } in self.lengths {
            whole.extend_from_slice(&self.bytes[copied..at]);
            put_varint(&mut whole, value as u64);
            copied = at;
        }
        whole.extend_from_slice(&self.bytes[copied..]);
        whole
    }
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

const fn varint_width(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_width_are_put_in() {
        for size in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152] {
            let mut output = Output::new(0);
            let outer = output.begin(1);
            let inner = output.begin(2);
            output.put(&vec![7; size]);
            output.end(inner);
            output.put(b"tail");
            output.end(outer);
            let announced = output.len();
            let bytes = output.into_bytes();
            assert_eq!(announced, bytes.len());

            let mut inner = vec![0x12];
            put_varint(&mut inner, size as u64);
            inner.extend(vec![7; size]);
            inner.extend(b"tail");
            let mut expected = vec![0x0a];
            put_varint(&mut expected, inner.len() as u64);
            expected.extend(inner);
            assert!(bytes == expected, "{size}");
            assert_eq!(varint_width(size as u64), {
                let mut bytes = Vec::new();
                put_varint(&mut bytes, size as u64);
                bytes.len()
            });
        }
    }

    #[test]
    fn an_empty_field_is_taken_back() {
        let mut output = Output::new(0);
        output.put(b"x");
        let open = output.begin(3);
        output.end_unless_empty(open);
        assert_eq!(output.into_bytes(), b"x");
    }
}
