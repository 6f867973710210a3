//! gRPC's frame around a message (gRPC over HTTP/2, «Length-Prefixed-Message»): a byte of flags, four of length, the message.

/// The bytes in front of a message.
pub const PREFIX: usize = 5;

/// Why a body is not exactly one framed message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    /// Fewer bytes than stand in front of a message.
    #[error("the gRPC message is cut off before its length")]
    Prefix,
    /// Flags other than the lowest.
    #[error("the gRPC message has unknown flags")]
    Flags,
    /// Fewer bytes than announced.
    #[error("the gRPC message is shorter than its length says")]
    Short,
    /// More bytes than announced.
    #[error("an export has exactly one gRPC message; more bytes follow it")]
    More,
}

/// One message and how it was framed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Whether the message is compressed, as the headers say.
    pub is_compressed: bool,
    /// The message.
    pub message: &'a [u8],
}

/// The one message of a unary call whose body is `body`.
///
/// # Errors
/// [`FrameError`].
pub fn only_message(body: &[u8]) -> Result<Frame<'_>, FrameError> {
    let Some((&[flags, a, b, c, d], message)) = body.split_first_chunk::<PREFIX>() else {
        return Err(FrameError::Prefix);
    };
    if flags > 1 {
        return Err(FrameError::Flags);
    }
    match message.len().cmp(&(u32::from_be_bytes([a, b, c, d]) as usize)) {
        std::cmp::Ordering::Less => Err(FrameError::Short),
        std::cmp::Ordering::Greater => Err(FrameError::More),
        std::cmp::Ordering::Equal => Ok(Frame { is_compressed: flags == 1, message }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_exactly_one_message() {
        assert_eq!(only_message(&[0; 5]), Ok(Frame { is_compressed: false, message: &[] }));
        assert_eq!(only_message(&[1, 0, 0, 0, 2, 7, 8]), Ok(Frame { is_compressed: true, message: &[7, 8] }));
        assert_eq!(only_message(&[]), Err(FrameError::Prefix));
        assert_eq!(only_message(&[0; 4]), Err(FrameError::Prefix));
        assert_eq!(only_message(&[2, 0, 0, 0, 0]), Err(FrameError::Flags));
        assert_eq!(only_message(&[0, 0, 0, 0, 2, 7]), Err(FrameError::Short));
        assert_eq!(only_message(&[0, 255, 255, 255, 255]), Err(FrameError::Short));
        assert_eq!(only_message(&[0, 0, 0, 0, 1, 7, 8]), Err(FrameError::More));
    }
}
