//! The protobuf wire format, read in place: no allocation, no copy, no recursion.
//!
//! Source: Protocol Buffers documentation, «Encoding».

/// The bytes are not well-formed protobuf.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WireError {
    /// The bytes end inside a field.
    #[error("the bytes end inside a field")]
    Truncated,
    /// A varint of more than ten bytes, or over 64 bits.
    #[error("a variable-length number is longer than 64 bits")]
    Varint,
    /// A field number of 0 or over 2^29 - 1.
    #[error("a field has the number 0 or one over 536870911")]
    FieldNumber,
    /// Wire type 6 or 7.
    #[error("a field has the wire type {0}, which does not exist")]
    WireType(u8),
    /// The start of a group without its end, or the reverse.
    #[error("a group is not closed, or closed without being opened")]
    Group,
    /// Groups nested deeper than 24.
    #[error("groups are nested too deeply")]
    Depth,
}

/// The value of one field, as its wire type tells.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: a string, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
    /// Wire types 3 and 4: a whole group, passed over.
    Group,
    /// Wire type 5.
    Fixed32(u32),
}

/// Reads the fields of one message in the order of the wire.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// The deepest nesting of groups. OTLP has none; unknown fields may.
const MAX_GROUP_DEPTH: usize = 24;

impl<'a> Reader<'a> {
    /// A reader of the message in `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes not yet read.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next field's number and value, `None` at the end of the message. Groups are passed over whole.
    ///
    /// # Errors
    /// Where the bytes are not well-formed.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "measured: handing the result over in memory costs half of a scan's time")]
    pub fn field(&mut self) -> Result<Option<(u32, Value<'a>)>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, wire_type) = self.key()?;
        match wire_type {
            3 => self.skip_group(number).map(|()| Some((number, Value::Group))),
            4 => Err(WireError::Group),
            _ => self.value(wire_type).map(|value| Some((number, value))),
        }
    }

    /// A variable-length number.
    ///
    /// # Errors
    /// Where it is cut off or longer than 64 bits.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, WireError> {
        match *self.rest {
            [byte, ref rest @ ..] if byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(byte))
            }
            [low, high, ref rest @ ..] if high < 0x80 => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for (index, &byte) in self.rest.iter().take(10).enumerate() {
            if index == 9 && byte > 1 {
                return Err(WireError::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { WireError::Truncated } else { WireError::Varint })
    }

    #[inline]
    fn key(&mut self) -> Result<(u32, u8), WireError> {
        let key = u32::try_from(self.varint()?).map_err(|_| WireError::FieldNumber)?;
        let number = key >> 3;
        if number == 0 {
            return Err(WireError::FieldNumber);
        }
        Ok((number, (key & 7) as u8))
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as for `field`")]
    fn value(&mut self, wire_type: u8) -> Result<Value<'a>, WireError> {
        match wire_type {
            0 => self.varint().map(Value::Varint),
            1 => self.take::<8>().map(|bytes| Value::Fixed64(u64::from_le_bytes(bytes))),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or(WireError::Truncated)?;
                self.rest = rest;
                Ok(Value::Bytes(bytes))
            }
            5 => self.take::<4>().map(|bytes| Value::Fixed32(u32::from_le_bytes(bytes))),
            other => Err(WireError::WireType(other)),
        }
    }

    #[inline]
    fn take<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// Passes over everything up to the end of group `number`, whose start was read.
    fn skip_group(&mut self, number: u32) -> Result<(), WireError> {
        let mut open = [0; MAX_GROUP_DEPTH];
        open[0] = number;
        let mut depth = 1;
        while depth > 0 {
            if self.rest.is_empty() {
                return Err(WireError::Group);
            }
            let (number, wire_type) = self.key()?;
            match wire_type {
                3 => {
                    *open.get_mut(depth).ok_or(WireError::Depth)? = number;
                    depth += 1;
                }
                4 if open[depth - 1] == number => depth -= 1,
                4 => return Err(WireError::Group),
                _ => {
                    self.value(wire_type)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(bytes: &[u8]) -> Result<Option<(u32, Value<'_>)>, WireError> {
        Reader::new(bytes).field()
    }

    #[test]
    fn every_wire_type() {
        assert_eq!(first(&[]), Ok(None));
        assert_eq!(first(&[0x08, 0x96, 0x01]), Ok(Some((1, Value::Varint(150)))));
        assert_eq!(first(&[0x09, 1, 0, 0, 0, 0, 0, 0, 0]), Ok(Some((1, Value::Fixed64(1)))));
        assert_eq!(first(&[0x12, 2, b'h', b'i']), Ok(Some((2, Value::Bytes(b"hi")))));
        assert_eq!(first(&[0x0d, 1, 0, 0, 0]), Ok(Some((1, Value::Fixed32(1)))));
        assert_eq!(first(&[0x0b, 0x13, 0x08, 0x01, 0x14, 0x0c]), Ok(Some((1, Value::Group))));
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        assert_eq!(first(&[0x08]), Err(WireError::Truncated));
        assert_eq!(first(&[0x12, 5, 1]), Err(WireError::Truncated));
        assert_eq!(first(&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), Err(WireError::Truncated));
        assert_eq!(first(&[0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02]), Err(WireError::Varint));
        assert_eq!(first(&[0x00, 0x00]), Err(WireError::FieldNumber));
        assert_eq!(first(&[0x0e]), Err(WireError::WireType(6)));
        assert_eq!(first(&[0x0c]), Err(WireError::Group));
        assert_eq!(first(&[0x0b, 0x14]), Err(WireError::Group));
        assert_eq!(first(&[0x0b, 0x08, 0x01]), Err(WireError::Group));
        assert_eq!(first(&[0x0b; 100]), Err(WireError::Depth));
    }

    #[test]
    fn the_largest_number_has_ten_bytes() {
        let mut reader = Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
        assert_eq!(reader.varint(), Ok(u64::MAX));
        assert!(reader.rest().is_empty());
    }
}
