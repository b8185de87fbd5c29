//! The same server on 32-bit RISC-V: what the board supplies, and the loop.

#![no_std]
#![no_main]

use core::mem::MaybeUninit;

use riscv::asm::wfi;
use riscv_rt::entry;
use shout_core::smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};
use shout_core::{BUFFER_SIZE, Config, Memory, Server};
use shout_riscv_virt::clock::Clock;
use shout_riscv_virt::entropy;
use shout_riscv_virt::network::{Buffers, Network};
use static_cell::ConstStaticCell;

const SLOTS: usize = 256;
/// The longest datagram, which may come in fragments.
const DATAGRAM: usize = 2048;

/// All memory that is ever used, but for the stack and the rings of the virtio devices.
static STORAGE: ConstStaticCell<Storage> = ConstStaticCell::new(Storage {
    memory: Memory::new(),
    buffers: Buffers::EMPTY,
    server: MaybeUninit::uninit(),
});

struct Storage {
    memory: Memory<'static, SLOTS, BUFFER_SIZE, DATAGRAM>,
    buffers: Buffers,
    server: MaybeUninit<Server<'static>>,
}

struct Board {
    clock: Clock,
    network: Network,
    server: &'static mut Server<'static>,
}

#[entry]
fn main() -> ! {
    let Board { mut clock, mut network, server } = start();
    loop {
        // First of all: what happens from here on ends the sleep below.
        network.acknowledge();
        clock.clear_alarm();

        let next = server.poll(clock.now(), &mut network);
        if let Some(deadline) = next.deadline {
            let now = clock.now();
            if deadline <= now {
                continue;
            }
            clock.set_alarm(deadline - now);
        }
        // After `blocked` too: that a frame has been sent ends the sleep.
        if !network.is_ready() {
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
    shout_riscv_virt::forbid_overflow();
    #[cfg(feature = "log")]
    shout_riscv_virt::start_log();

    let storage = STORAGE.take();
    let clock = Clock::start();
    let entropy = entropy::from_virtio().expect("no entropy: a server with known keys must not run");
    let mut network = Network::start(&mut storage.buffers).expect("no virtio network");

    let mut config = Config::new(HardwareAddress::Ethernet(network.hardware_address()), entropy);
    config.addresses.extend([IpCidr::new(IpAddress::v4(10, 0, 2, 15), 24)]);
    config.gateways.extend([IpAddress::v4(10, 0, 2, 2)]);
    let server = match Server::new(&config, storage.memory.storage(), &mut network, clock.now()) {
        Ok(server) => storage.server.write(server),
        Err(error) => panic!("{error}"),
    };
    shout_riscv_virt::print(format_args!("listening\n"));
    Board { clock, network, server }
}
