//! `oxd_fuzz::claims`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxd_fuzz::claims(data));
