#![no_main]

#[path = "../../tests/all/checks.rs"]
#[allow(dead_code)]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for command in checks::QUESTIONS {
        let receive = checks::receive(command, data);
        let peak = allocation_counter::measure(receive).bytes_max;
        assert!(peak <= checks::room(data.len()), "{peak} bytes of memory for a body of {}", data.len());
    }
    checks::decide(data);
});
