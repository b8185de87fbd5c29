//! The same server on a Cortex-M3: what the board supplies, and the loop.

#![no_std]
#![no_main]

use core::mem::MaybeUninit;

use cortex_m::asm::wfi;
use cortex_m_rt::entry;
use cortex_m_semihosting::hio;
use shout_core::smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr};
use shout_core::{BUFFER_SIZE, Config, Memory, Server};
use shout_lm3s6965::alarm::Alarm;
use shout_lm3s6965::clock::Clock;
use shout_lm3s6965::mac::{self, Frames, Mac};
use shout_lm3s6965::{entropy, power};
use static_cell::ConstStaticCell;

/// Locally administered: a real board has one of its own.
const HARDWARE_ADDRESS: EthernetAddress = EthernetAddress([0x02, 0, 0, 0, 0, 0x15]);
const SLOTS: usize = 8;
const DATAGRAM: usize = 1500 - 28;

/// All memory that is ever used, but for the stack.
static STORAGE: ConstStaticCell<Storage> = ConstStaticCell::new(Storage {
    memory: Memory::new(),
    frames: Frames::EMPTY,
    server: MaybeUninit::uninit(),
});

struct Storage {
    memory: Memory<'static, SLOTS, BUFFER_SIZE, DATAGRAM>,
    frames: Frames,
    server: MaybeUninit<Server<'static>>,
}

struct Board {
    clock: Clock,
    alarm: Alarm,
    mac: Mac<'static>,
    server: &'static mut Server<'static>,
}

#[entry]
fn main() -> ! {
    let board = start();
    run(board)
}

/// On its own, so that what it needs is not on the stack yet during the start.
#[inline(never)]
fn run(board: Board) -> ! {
    let Board { mut clock, mut alarm, mut mac, server } = board;
    loop {
        // First of all: what happens from here on ends the sleep below.
        mac.acknowledge();
        alarm.clear();
        clock.acknowledge();

        let next = server.poll(clock.now(), &mut mac);
        if let Some(deadline) = next.deadline {
            let now = clock.now();
            if deadline <= now {
                continue;
            }
            alarm.set(deadline - now);
        }
        // After `blocked` too: that a frame has been sent ends the sleep.
        if !mac.is_ready() {
            wfi();
        }
    }
}

/// On its own, so that what only the start needs does not stay on the stack.
#[inline(never)]
#[expect(
    clippy::expect_used,
    clippy::panic,
    reason = "without any of this there is no server: a board starts anew"
)]
fn start() -> Board {
    // For good: see `shout_lm3s6965::Interrupt`.
    cortex_m::interrupt::disable();
    power::start();
    #[cfg(feature = "log")]
    shout_lm3s6965::logger::start();

    let storage = STORAGE.take();
    let mut clock = Clock::start(cortex_m::Peripherals::take().expect("nobody else takes them").SYST);
    let entropy = entropy::from_debugger().expect("no entropy: a server with known keys must not run");
    let mut mac = Mac::start(mac::registers(), HARDWARE_ADDRESS, &mut storage.frames);

    let mut config = Config::new(HardwareAddress::Ethernet(HARDWARE_ADDRESS), entropy);
    config.addresses.extend([IpCidr::new(IpAddress::v4(10, 0, 2, 15), 24)]);
    config.gateways.extend([IpAddress::v4(10, 0, 2, 2)]);
    let server = match Server::new(&config, storage.memory.storage(), &mut mac, clock.now()) {
        Ok(server) => storage.server.write(server),
        Err(error) => panic!("{error}"),
    };
    if let Ok(mut debugger) = hio::hstdout() {
        // Nobody has to listen.
        let _ = debugger.write_all(b"listening\n");
    }
    Board { clock, alarm: Alarm::new(), mac, server }
}
