//! The chip's clock tree: which frequency it runs at, and which of its parts run at all.

use tock_registers::interfaces::{ReadWriteable, Readable};
use tock_registers::registers::{ReadOnly, ReadWrite};
use tock_registers::{register_bitfields, register_structs};

/// The processor's clock, and that of SysTick and the timers.
pub const CLOCKS_A_MICROSECOND: u32 = 50;

/// Looks at the PLL before it is given up. It takes half a millisecond to lock, a fraction of this.
const LOOKS: u32 = 100_000;

register_structs! {
    SystemControl {
        (0x000 => _reserved0),
        (0x050 => status: ReadOnly<u32, Status::Register>),
        (0x054 => _reserved1),
        (0x060 => clock: ReadWrite<u32, Clock::Register>),
        (0x064 => _reserved2),
        (0x104 => timers: ReadWrite<u32, Timers::Register>),
        (0x108 => ports: ReadWrite<u32, Ports::Register>),
        (0x10c => @END),
    }
}

register_bitfields! [u32,
    Status [PLL_LOCKED OFFSET(6) NUMBITS(1) []],
    Clock [
        SYSTEM_DIVISOR OFFSET(23) NUMBITS(4) [Four = 3],
        USE_SYSTEM_DIVISOR OFFSET(22) NUMBITS(1) [],
        PLL_POWERED_DOWN OFFSET(13) NUMBITS(1) [],
        PLL_BYPASSED OFFSET(11) NUMBITS(1) [],
        CRYSTAL OFFSET(6) NUMBITS(4) [EightMegahertz = 0xe],
        SOURCE OFFSET(4) NUMBITS(2) [MainOscillator = 0],
        MAIN_OSCILLATOR_DISABLED OFFSET(0) NUMBITS(1) []
    ],
    Timers [TIMER0 OFFSET(16) NUMBITS(1) []],
    Ports [
        ETHERNET_PHY OFFSET(30) NUMBITS(1) [],
        ETHERNET_MAC OFFSET(28) NUMBITS(1) []
    ]
];

/// Runs the processor at 50 MHz (data sheet, section 6.3) and starts what the drivers here need.
///
/// # Panics
///
/// If the PLL does not lock: without a known frequency, no time.
pub fn start() {
    // SAFETY: the chip has these registers at this address, and this function is their only user.
    let control = unsafe { &*(0x400f_e000 as *const SystemControl) };
    control.clock.modify(Clock::PLL_BYPASSED::SET + Clock::USE_SYSTEM_DIVISOR::CLEAR);
    control.clock.modify(
        Clock::CRYSTAL::EightMegahertz
            + Clock::SOURCE::MainOscillator
            + Clock::MAIN_OSCILLATOR_DISABLED::CLEAR
            + Clock::PLL_POWERED_DOWN::CLEAR,
    );
    control.clock.modify(Clock::SYSTEM_DIVISOR::Four + Clock::USE_SYSTEM_DIVISOR::SET);
    assert!(
        (0..LOOKS).any(|_| control.status.is_set(Status::PLL_LOCKED)),
        "the PLL does not lock: no crystal?"
    );
    control.clock.modify(Clock::PLL_BYPASSED::CLEAR);

    control.timers.modify(Timers::TIMER0::SET);
    control.ports.modify(Ports::ETHERNET_PHY::SET + Ports::ETHERNET_MAC::SET);
    // They must not be touched within the next three clocks.
    cortex_m::asm::delay(4);
}
