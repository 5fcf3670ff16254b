//! `oxd_fuzz::return_address`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxd_fuzz::return_address(data));
