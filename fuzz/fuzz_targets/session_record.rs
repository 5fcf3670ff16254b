//! `oxd_fuzz::session_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxd_fuzz::session_record(data));
