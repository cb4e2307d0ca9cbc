#![no_main]

#[path = "../../tests/all/checks.rs"]
#[allow(dead_code)]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let peak = allocation_counter::measure(|| checks::handle(data)).bytes_max;
    assert!(peak <= checks::room(data.len()), "{peak} bytes of memory for {}", data.len());
});
