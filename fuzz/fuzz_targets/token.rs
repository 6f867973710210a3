//! Reading a token never panics.

#![no_main]

use gridgate::domain::token::PresentedToken;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = PresentedToken::parse(text);
});
