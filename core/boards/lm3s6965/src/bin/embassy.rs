//! The same server as a task of embassy's executor, with an Ethernet driver that its interrupt wakes.

#![no_std]
#![no_main]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "without any of this there is no server: a board starts anew"
)]

use core::ptr::null_mut;

use cortex_m_rt::entry;
use cortex_m_semihosting::hio;
use embassy_executor::raw::Executor;
use shout_core::embassy::{Adapter, now, run};
use shout_core::smoltcp::wire::{EthernetAddress, IpAddress, IpCidr};
use shout_core::{BUFFER_SIZE, Config, Memory, Server};
use shout_lm3s6965::alarm::Alarm;
use shout_lm3s6965::clock::Clock;
use shout_lm3s6965::embassy::{execute, time};
use shout_lm3s6965::mac::{self, Frames, Mac};
use shout_lm3s6965::{entropy, power};
use static_cell::{ConstStaticCell, StaticCell};

/// Locally administered: a real board has one of its own.
const HARDWARE_ADDRESS: EthernetAddress = EthernetAddress([0x02, 0, 0, 0, 0, 0x15]);
const SLOTS: usize = 8;
const DATAGRAM: usize = 1500 - 28;

static MEMORY: ConstStaticCell<Memory<'static, SLOTS, BUFFER_SIZE, DATAGRAM>> =
    ConstStaticCell::new(Memory::new());
static FRAMES: ConstStaticCell<Frames> = ConstStaticCell::new(Frames::EMPTY);
static SERVER: StaticCell<Server<'static>> = StaticCell::new();
static EXECUTOR: StaticCell<Executor> = StaticCell::new();

#[entry]
fn main() -> ! {
    power::start();
    #[cfg(feature = "log")]
    shout_lm3s6965::logger::start();
    let clock = Clock::start(cortex_m::Peripherals::take().expect("nobody else takes them").SYST);
    time::start(clock, Alarm::new());
    let (server, device) = start();

    let executor = EXECUTOR.init(Executor::new(null_mut()));
    executor.spawner().spawn(serve(server, device).expect("the first task has room"));
    execute(executor)
}

#[embassy_executor::task]
async fn serve(server: &'static mut Server<'static>, mut device: Adapter<Mac<'static>>) {
    if let Ok(mut debugger) = hio::hstdout() {
        // Nobody has to listen.
        let _ = debugger.write_all(b"listening\n");
    }
    run(server, &mut device).await;
}

/// On its own, so that what only the start needs does not stay on the stack.
#[inline(never)]
fn start() -> (&'static mut Server<'static>, Adapter<Mac<'static>>) {
    let entropy = entropy::from_debugger().expect("no entropy: a server with known keys must not run");
    let driver = Mac::start(mac::registers(), HARDWARE_ADDRESS, FRAMES.take());
    let mut device = Adapter::new(driver).expect("it is Ethernet");

    let mut config = Config::new(device.hardware_addr(), entropy);
    config.addresses.extend([IpCidr::new(IpAddress::v4(10, 0, 2, 15), 24)]);
    config.gateways.extend([IpAddress::v4(10, 0, 2, 2)]);
    // Its place is taken first, and without `expect`: what may panic while the server is on the stack has it there twice.
    let place = SERVER.uninit();
    let server = match Server::new(&config, MEMORY.take().storage(), &mut device, now()) {
        Ok(server) => place.write(server),
        Err(error) => panic!("{error}"),
    };
    (server, device)
}
