#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    gridgate_fuzz::decompression(input);
});
