//! `oxd_fuzz::page`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxd_fuzz::page(data));
