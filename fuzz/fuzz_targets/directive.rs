//! `oxd_fuzz::directive`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxd_fuzz::directive(data));
