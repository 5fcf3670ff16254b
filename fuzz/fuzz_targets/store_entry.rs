//! `oxd_fuzz::store_entry`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxd_fuzz::store_entry(data));
