use std::io::Write;

use flate2::write::{GzEncoder, ZlibEncoder};
use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;

use super::*;

const ENCODINGS: [Encoding; 3] = [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

/// With a checksum, and with its size in the header or without.
fn zstd(bytes: &[u8], with_size: bool) -> Vec<u8> {
    let mut encoder = ::zstd::stream::write::Encoder::new(Vec::new(), 3).expect("an encoder");
    encoder.include_checksum(true).expect("an option");
    encoder.include_contentsize(with_size).expect("an option");
    encoder.set_pledged_src_size(with_size.then_some(bytes.len() as u64)).expect("an option");
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

fn compress(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
    match encoding {
        Encoding::Identity => bytes.to_vec(),
        Encoding::Gzip => gzip(bytes),
        Encoding::Deflate => deflate(bytes),
        Encoding::Zstd => zstd(bytes, true),
    }
}

fn inflate(encoding: Encoding, payload: &[u8], cap: usize) -> Result<Vec<u8>, InflateError> {
    with_inflated(encoding, payload, cap, |_| Ok(()), <[u8]>::to_vec)
}

/// The most that was reserved, beside the result.
fn measured(encoding: Encoding, payload: &[u8], cap: usize) -> (Result<usize, InflateError>, usize) {
    let mut most = 0;
    let reserve = |bytes: usize| {
        most = most.max(bytes);
        Ok(())
    };
    (with_inflated(encoding, payload, cap, reserve, <[u8]>::len), most)
}

#[test]
fn every_gzip_member_counts() {
    let members = [gzip(b"one"), gzip(b""), gzip(&vec![7; 100_000])].concat();
    let mut expected = b"one".to_vec();
    expected.extend(vec![7; 100_000]);
    assert_eq!(inflate(Encoding::Gzip, &members, 1 << 20), Ok(expected));
}

/// Two equal members: the trailer of the last fits the output of the first, so that only the size of the whole could tell.
#[test]
fn two_equal_gzip_members_are_both_kept() {
    let members = [gzip(b"again"), gzip(b"again")].concat();
    assert_eq!(inflate(Encoding::Gzip, &members, 1 << 20), Ok(b"againagain".to_vec()));
}

#[test]
fn every_zstd_frame_counts() {
    let skippable = [&0x184d_2a5f_u32.to_le_bytes()[..], &3_u32.to_le_bytes(), b"any"].concat();
    let frames =
        [zstd(b"one", true), skippable.clone(), zstd(b"", false), zstd(&vec![7; 300_000], false), skippable].concat();
    let mut expected = b"one".to_vec();
    expected.extend(vec![7; 300_000]);
    assert_eq!(inflate(Encoding::Zstd, &frames, 1 << 20), Ok(expected));
}

#[test]
fn damaged_cut_off_and_trailing_bytes_are_refused() {
    let damaged = |encoding, payload: &[u8]| {
        assert_eq!(inflate(encoding, payload, 10_000), Err(InflateError::Damaged), "{encoding}: {payload:02x?}");
    };
    for encoding in ENCODINGS {
        let good = compress(encoding, &[1, 2, 3].repeat(1000));
        damaged(encoding, &[]);
        damaged(encoding, b"not compressed at all");
        for length in 0..good.len() {
            damaged(encoding, &good[..length]);
        }
        for more in [b"\0".as_slice(), b"garbage!!", &good[good.len() - 8..], &good[good.len() - 4..]] {
            damaged(encoding, &[&good, more].concat());
        }
        // All end with a checksum, gzip with the size behind it.
        let mut wrong = good.clone();
        let checksum = wrong.len() - if encoding == Encoding::Gzip { 8 } else { 4 };
        wrong[checksum] ^= 1;
        damaged(encoding, &wrong);
    }
    // `deflate` without the zlib form, and zlib with a dictionary.
    damaged(Encoding::Deflate, &deflate(b"plain")[2..]);
    damaged(Encoding::Deflate, &[0x78, 0xbb, 0, 0, 0, 1, 3, 0, 0, 0, 0, 1]);
}

#[test]
fn the_cap_is_exact() {
    for encoding in ENCODINGS {
        for length in [0, 1, 4095, 4096, 4097, 5000, 100_000] {
            let payload = compress(encoding, &vec![7; length]);
            assert_eq!(inflate(encoding, &payload, length).map(|body| body.len()), Ok(length), "{encoding} {length}");
            if let Some(cap) = length.checked_sub(1) {
                assert_eq!(inflate(encoding, &payload, cap), Err(InflateError::TooLarge { cap }), "{encoding}");
            }
        }
    }
    let unsized_frame = zstd(&[7; 5000], false);
    assert_eq!(inflate(Encoding::Zstd, &unsized_frame, 5000).map(|body| body.len()), Ok(5000));
    assert_eq!(inflate(Encoding::Zstd, &unsized_frame, 4999), Err(InflateError::TooLarge { cap: 4999 }));
}

/// Raw deflate that becomes so many times 16 MiB, without its end.
fn endless(times: usize) -> Vec<u8> {
    let mut compress = Compress::new(Compression::best(), false);
    let mut chunk = Vec::with_capacity(64 << 10);
    compress.compress_vec(&vec![0; 16 << 20], &mut chunk, FlushCompress::Full).expect("it compresses");
    assert_eq!(compress.total_in(), 16 << 20);
    chunk.repeat(times)
}

/// A zstd frame of `blocks` times 128 KiB, which may declare a size.
fn endless_zstd(blocks: usize, declared: Option<u64>) -> Vec<u8> {
    let mut frame = 0xfd2f_b528_u32.to_le_bytes().to_vec();
    frame.push(if declared.is_some() { 0xc0 } else { 0 });
    frame.push(7 << 3);
    frame.extend(declared.iter().flat_map(|size| size.to_le_bytes()));
    let block = |last: u32| (128 << 10 << 3 | 1 << 1 | last).to_le_bytes();
    for number in 1..=blocks {
        frame.extend_from_slice(&block(u32::from(number == blocks))[..3]);
        frame.push(0);
    }
    frame
}

#[test]
fn bombs_of_many_gigabytes_take_no_more_than_the_cap() {
    const CAP: usize = 1 << 20;
    let bombs = [
        (Encoding::Gzip, [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0], endless(300).as_slice(), &[0; 8]].concat()),
        (Encoding::Gzip, gzip(&vec![0; 8 << 20]).repeat(600)),
        (Encoding::Deflate, [&[0x78, 0xda], endless(300).as_slice()].concat()),
        (Encoding::Zstd, endless_zstd(100_000, None)),
        (Encoding::Zstd, endless_zstd(100_000, Some(100_000 << 17))),
        (Encoding::Zstd, endless_zstd(100_000, Some(10))),
    ];
    for (encoding, bomb) in bombs {
        let (result, most) = measured(encoding, &bomb, CAP);
        assert_eq!(result, Err(InflateError::TooLarge { cap: CAP }), "{encoding}");
        assert!(most <= CAP, "{encoding}: {most}");
        SCRATCH.with_borrow(|scratch| assert!(scratch.output.capacity() <= KEPT_SCRATCH));
    }
}

/// Beginning a member or a frame costs a microsecond and more, so that 64 MiB of empty ones would take long.
#[test]
fn members_and_frames_are_counted() {
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let one = compress(encoding, b"x");
        assert_eq!(inflate(encoding, &one.repeat(4096), 1 << 20), Ok(b"x".repeat(4096)));
        assert_eq!(inflate(encoding, &one.repeat(4097), 1 << 20), Err(InflateError::Members));
        assert_eq!(inflate(encoding, &one.repeat(100_000), 1 << 20), Err(InflateError::Members));
    }
}

/// What takes long to read and becomes nothing, and then more than it claimed: with one attempt for each power of two from 4 KiB
/// on it would take many times as long as an honest payload.
#[test]
fn a_large_payload_that_lies_is_not_inflated_many_times() {
    const CAP: usize = 16 << 20;
    let empty_blocks = 1_000_000;
    let frame = endless_zstd(1000, Some(10));
    let (header, blocks) = frame.split_at(14);
    let zstd = [header, &vec![0; 3 * empty_blocks], blocks].concat();
    // Empty stored blocks, then what inflates to 32 MiB, and a trailer that claims one byte.
    let stored = [0, 0, 0, 0xff, 0xff].repeat(empty_blocks);
    let gzip =
        [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0], stored.as_slice(), &endless(2), &[0, 0, 0, 0, 1, 0, 0, 0]].concat();
    for (encoding, payload) in [(Encoding::Zstd, zstd), (Encoding::Gzip, gzip)] {
        let mut attempts = Vec::new();
        let reserve = |bytes: usize| {
            attempts.push(bytes);
            Ok(())
        };
        let result = with_inflated(encoding, &payload, CAP, reserve, <[u8]>::len);
        assert_eq!(result, Err(InflateError::TooLarge { cap: CAP }), "{encoding}");
        assert!(attempts.len() <= 4 && attempts[0] == payload.len(), "{encoding}: {attempts:?}");
    }
}

/// A few bytes that claim to become many get no more than that many bytes could become.
#[test]
fn a_claimed_size_takes_no_memory() {
    let mut liar = gzip(b"little");
    let size = liar.len() - 4;
    liar[size..].copy_from_slice(&u32::MAX.to_le_bytes());
    let (result, most) = measured(Encoding::Gzip, &liar, 64 << 20);
    assert_eq!(result, Err(InflateError::Damaged));
    assert!(most <= liar.len() * 1032, "{most}");
    let (result, most) = measured(Encoding::Zstd, &endless_zstd(2, Some(64 << 20)), 64 << 20);
    assert_eq!((result, most), (Err(InflateError::Damaged), 256 << 10));
}

#[test]
fn large_buffers_do_not_stay_with_the_thread() {
    for encoding in ENCODINGS {
        let payload = compress(encoding, &vec![0; 3 << 20]);
        assert_eq!(inflate(encoding, &payload, 4 << 20).map(|body| body.len()), Ok(3 << 20));
        assert_eq!(inflate(encoding, &payload, 2 << 20), Err(InflateError::TooLarge { cap: 2 << 20 }));
        SCRATCH.with_borrow(|scratch| assert!(scratch.output.capacity() <= KEPT_SCRATCH));
    }
}

#[test]
fn memory_is_reserved_before_it_is_taken() {
    for encoding in ENCODINGS {
        let payload = compress(encoding, &vec![0; 100_000]);
        let (result, most) = measured(encoding, &payload, 1 << 20);
        assert_eq!(result, Ok(100_000));
        assert!((100_000..200_000).contains(&most), "{encoding}: {most}");
        let refused = with_inflated(encoding, &payload, 1 << 20, |_| Err(BudgetExceeded::Now), <[u8]>::len);
        assert_eq!(refused, Err(InflateError::Budget(BudgetExceeded::Now)));
    }
}

/// RFC 9659, section 3. The window of a frame in one segment is its size.
#[test]
fn windows_of_zstd_end_at_8_mib() {
    let frame = |header: &[u8]| [&0xfd2f_b528_u32.to_le_bytes(), header, &[1, 0, 0]].concat();
    let inflate = |header: &[u8]| inflate(Encoding::Zstd, &frame(header), 64 << 20);
    assert_eq!(inflate(&[0, 13 << 3]), Ok(Vec::new()));
    assert_eq!(inflate(&[0, 13 << 3 | 1]), Err(InflateError::Window));
    assert_eq!(inflate(&[0, 31 << 3 | 7]), Err(InflateError::Window));
    assert_eq!(inflate(&[0xa0, 1, 0, 0x80, 0]), Err(InflateError::Window));
    assert_eq!(inflate(&[0xa0, 0, 0, 0x80, 0]), Err(InflateError::Damaged), "it declares what it does not hold");
}

#[test]
fn dictionaries_of_zstd_are_refused() {
    let frame = |header: &[u8]| [&0xfd2f_b528_u32.to_le_bytes(), header, &[1, 0, 0]].concat();
    for header in [&[1, 0, 7][..], &[2, 0, 0, 7], &[3, 0, 0, 0, 0, 7]] {
        assert_eq!(inflate(Encoding::Zstd, &frame(header), 100), Err(InflateError::Dictionary));
    }
    assert_eq!(inflate(Encoding::Zstd, &frame(&[3, 0, 0, 0, 0, 0]), 100), Ok(Vec::new()), "0 is none");
}

#[test]
fn the_log_compresses_what_it_is_worth_and_gets_it_back() {
    let for_log = |payload: &[u8]| for_log(payload, |_| Ok(()));
    let worth = b"http.request.method GET ".repeat(1000);
    let compressed = for_log(&worth).expect("it repeats itself");
    assert!(compressed.len() < worth.len() / 4);
    assert_eq!(inflate(Encoding::Zstd, &compressed, worth.len()), Ok(worth.clone()));
    assert_eq!(super::for_log(&worth, |_| Err(BudgetExceeded::Now)), None);
    assert_eq!(for_log(&worth[..1000]), None);
    let mut noise: u32 = 1;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.to_be_bytes()[0]
    })
    .take(10_000)
    .collect();
    assert_eq!(for_log(&noise), None);
    // Larger than a window may be.
    let large = worth.repeat(800);
    let compressed = for_log(&large).expect("it repeats itself");
    assert_eq!(inflate(Encoding::Zstd, &compressed, large.len()), Ok(large));
}

proptest! {
    #[test]
    fn what_was_compressed_comes_back(
        parts in prop::collection::vec((prop::collection::vec(0..4_u8, 0..20_000), any::<bool>()), 1..4),
    ) {
        let whole: Vec<u8> = parts.iter().flat_map(|(part, _)| part).copied().collect();
        let members: Vec<u8> = parts.iter().flat_map(|(part, _)| gzip(part)).collect();
        prop_assert_eq!(inflate(Encoding::Gzip, &members, 1 << 20), Ok(whole.clone()));
        let frames: Vec<u8> = parts.iter().flat_map(|(part, with_size)| zstd(part, *with_size)).collect();
        prop_assert_eq!(inflate(Encoding::Zstd, &frames, 1 << 20), Ok(whole.clone()));
        prop_assert_eq!(inflate(Encoding::Deflate, &deflate(&whole), 1 << 20), Ok(whole.clone()));
    }
}
