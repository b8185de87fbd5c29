//! Peers that play; what they do is in `shout_tests`, where an ordinary test does it with the seeds.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shout_tests::fuzz::peers::play(bytes, false));
