//! Packets of any bytes; what is done with them is in `shout_tests`, where an ordinary test does it with the seeds.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shout_tests::fuzz::packets::hand_in(bytes, false));
