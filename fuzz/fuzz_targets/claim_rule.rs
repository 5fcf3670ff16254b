//! `oxd_fuzz::claim_rule`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxd_fuzz::claim_rule(data));
