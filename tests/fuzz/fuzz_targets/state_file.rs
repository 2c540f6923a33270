#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stillframe_fuzz::state_file(bytes));
