//! Base62: the alphabet of ids, secrets and checksums.

use zeroize::Zeroizing;

use super::random::{Random, RandomError};

/// The digits, least first.
pub(super) const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whether every byte is a digit of base62.
pub(super) fn is_base62(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_alphanumeric)
}

/// `N` independent, uniform base62 characters.
pub(super) fn random_base62<const N: usize>(random: &dyn Random) -> Result<[u8; N], RandomError> {
    // 248 is the largest multiple of 62 below 256; bytes from there on are thrown away, or some characters would be likelier.
    const LIMIT: u8 = 248;
    let mut characters = [0; N];
    let mut filled = 0;
    let mut pool = Zeroizing::new([0; 64]);
    while filled < N {
        random.fill(&mut *pool)?;
        for &byte in pool.iter().filter(|&&byte| byte < LIMIT).take(N - filled) {
            characters[filled] = DIGITS[usize::from(byte % 62)];
            filled += 1;
        }
    }
    Ok(characters)
}
