#![no_main]

#[path = "../../tests/all/checks.rs"]
#[allow(dead_code)]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::handle(data));
