//! `oxd_fuzz::resources`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxd_fuzz::resources(data));
