//! `oxd_fuzz::oxd_answer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxd_fuzz::oxd_answer(data));
