//! `oxd_fuzz::request_headers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxd_fuzz::request_headers(data));
