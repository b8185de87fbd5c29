//! `embassy TAP`: `ip tuntap add tap0 mode tap user $USER; ip address add 192.168.69.100/24 dev tap0; ip link set tap0 up`
#![allow(clippy::expect_used, reason = "without any of it there is no server")]

use embassy_executor::Spawner;
use embassy_net_tuntap::TunTapDevice;
use shout_core::embassy::{Adapter, now, run};
use shout_core::smoltcp::wire::{IpAddress, IpCidr};
use shout_core::{Config, Memory, Server};
use static_cell::ConstStaticCell;

/// 64 connections, all there will ever be.
static MEMORY: ConstStaticCell<Memory<'static, 64>> = ConstStaticCell::new(Memory::new());

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    let name = std::env::args().nth(1).expect("which TAP device?");
    let driver = TunTapDevice::new(&name).expect("cannot open the TAP device");
    let mut device = Adapter::new(driver).expect("a TAP device is Ethernet");

    let mut config = Config::new(device.hardware_addr(), entropy());
    config.addresses.extend([IpCidr::new(IpAddress::v4(192, 168, 69, 1), 24)]);
    let mut server = Server::new(&config, MEMORY.take().storage(), &mut device, now()).expect("cannot serve");
    run(&mut server, &mut device).await;
}

/// On a board: its random number generator.
fn entropy() -> [u8; 16] {
    let mut bytes = [0; 16];
    let source = std::fs::File::open("/dev/urandom");
    std::io::Read::read_exact(&mut source.expect("no entropy"), &mut bytes).expect("no entropy");
    bytes
}
