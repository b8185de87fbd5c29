//! The server as a task of embassy's executor, behind the TAP device of the calling thread's network.

use core::task::{Context, Waker};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use embassy_executor::Executor;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};
use embassy_net_tuntap::TunTapDevice;
use shout_core::embassy::{Adapter, now, run};
use shout_core::smoltcp::wire::{IpAddress, IpCidr};
use shout_core::{Config, Memory};

use crate::network::ip;
use crate::{ADDRESS, PATIENCE};

pub(crate) const SLOTS: usize = 64;
/// Large enough for the kernel to fill segments: it sends no more than half a window in one.
const BUFFER: usize = 4096;

/// A running server, for as long as the process lives.
pub(crate) struct Server {
    link: Arc<Mutex<Link>>,
    reports: Receiver<bool>,
}

impl Server {
    /// Serves behind a new device of this MTU.
    pub(crate) fn start(mtu: u32) -> Server {
        ip("tuntap add tap0 mode tap");
        ip(&format!("link set tap0 up mtu {mtu}"));
        ip("address add 192.168.69.100/24 dev tap0");
        let (sender, reports) = channel();
        let link = Arc::new(Mutex::new(Link { is_up: true, waker: Waker::noop().clone() }));
        let driver =
            Switched { tap: TunTapDevice::new("tap0").unwrap(), link: link.clone(), reports: sender };
        thread::spawn(move || {
            let executor = Box::leak(Box::new(Executor::new()));
            executor.run(|spawner| spawner.spawn(serve(driver).unwrap()));
        });
        let server = Server { link, reports };
        server.wait_for(true);
        server
    }

    /// Lets the driver say that its link is down, or up, and waits until the server has been told.
    pub(crate) fn set_link(&self, is_up: bool) {
        let mut link = self.link.lock().unwrap();
        link.is_up = is_up;
        link.waker.wake_by_ref();
        drop(link);
        self.wait_for(is_up);
    }

    fn wait_for(&self, is_up: bool) {
        while self.reports.recv_timeout(PATIENCE).expect("the server does not look at its link") != is_up {}
    }
}

#[embassy_executor::task(pool_size = 8)]
async fn serve(driver: Switched) {
    let mut device = Adapter::new(driver).unwrap();
    let memory: &'static mut Memory<'static, SLOTS, BUFFER> = Box::leak(Box::new(Memory::new()));
    let mut config = Config::new(device.hardware_addr(), *b"only for a test!");
    config.addresses.extend([IpCidr::new(IpAddress::from(ADDRESS), 24)]);
    let mut server = shout_core::Server::new(&config, memory.storage(), &mut device, now()).unwrap();
    run(&mut server, &mut device).await;
}

struct Link {
    is_up: bool,
    waker: Waker,
}

/// A TAP device whose link the test sets: embassy-net-tuntap takes it to be always up, and panics over what is sent on a link
/// that is down.
struct Switched {
    tap: TunTapDevice,
    link: Arc<Mutex<Link>>,
    reports: Sender<bool>,
}

impl Driver for Switched {
    type RxToken<'a> = <TunTapDevice as Driver>::RxToken<'a>;
    type TxToken<'a> = <TunTapDevice as Driver>::TxToken<'a>;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        self.tap.receive(context)
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Self::TxToken<'_>> {
        self.tap.transmit(context)
    }

    fn link_state(&mut self, context: &mut Context<'_>) -> LinkState {
        let mut link = self.link.lock().unwrap();
        link.waker.clone_from(context.waker());
        // Nobody listens any more when the test is over.
        let _ = self.reports.send(link.is_up);
        if link.is_up { LinkState::Up } else { LinkState::Down }
    }

    fn capabilities(&self) -> Capabilities {
        self.tap.capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.tap.hardware_address()
    }
}
