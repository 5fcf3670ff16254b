//! `oxd_fuzz::logout_token`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxd_fuzz::logout_token(data));
