//! The server behind a driver of embassy's kind, in real time: a task that sleeps until it is woken.

use core::convert::Infallible;
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::boxed::Box;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::vec::Vec;

use embassy_net_driver::{
    Capabilities, Checksum, ChecksumCapabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken,
};
use log::Level;
use smoltcp::phy::{self, Device};
use smoltcp::wire::{self, EthernetAddress, IpCidr, TcpControl, TcpRepr, TcpSeqNumber};

use super::events;
use super::fixture::{CLIENT, PORT, SERVER};
use super::packets::{ip, tcp_packet, udp, udp_packet};
use crate::embassy::{Adapter, now, run};
use crate::{Config, ConfigError, Memory, Server};

/// Longer than any wait here, of which the longest is a retransmission after a second.
const PATIENCE: core::time::Duration = core::time::Duration::from_secs(30);

/// What a test and its driver share.
#[derive(Default)]
struct Wire {
    arriving: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
    /// It has no room for packets, and its link is down.
    is_full: bool,
    is_down: bool,
    /// Whom to wake for packets and room, and whom for the link.
    wakers: Vec<Waker>,
    watchers: Vec<Waker>,
}

struct Fake {
    wire: Arc<Mutex<Wire>>,
    hardware_address: HardwareAddress,
    capabilities: Capabilities,
}

struct Arrived(Vec<u8>);
struct Room(Arc<Mutex<Wire>>);

impl Driver for Fake {
    type RxToken<'a> = Arrived;
    type TxToken<'a> = Room;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Arrived, Room)> {
        let tx = self.transmit(context)?;
        let mut wire = self.wire.lock().unwrap();
        let arrived = wire.arriving.pop_front();
        if arrived.is_none() {
            wire.wakers.push(context.waker().clone());
        }
        Some((Arrived(arrived?), tx))
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Room> {
        let mut wire = self.wire.lock().unwrap();
        if wire.is_full {
            wire.wakers.push(context.waker().clone());
            return None;
        }
        drop(wire);
        Some(Room(self.wire.clone()))
    }

    fn link_state(&mut self, context: &mut Context<'_>) -> LinkState {
        let mut wire = self.wire.lock().unwrap();
        wire.watchers.push(context.waker().clone());
        if wire.is_down { LinkState::Down } else { LinkState::Up }
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.hardware_address
    }
}

impl RxToken for Arrived {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, f: F) -> R {
        f(&mut self.0)
    }
}

impl TxToken for Room {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut packet = std::vec![0; length];
        let result = f(&mut packet);
        self.0.lock().unwrap().sent.push(packet);
        result
    }
}

fn capabilities(mtu: usize) -> Capabilities {
    let mut capabilities = Capabilities::default();
    capabilities.max_transmission_unit = mtu;
    capabilities
}

fn fake(hardware_address: HardwareAddress, capabilities: Capabilities) -> Fake {
    Fake { wire: Arc::default(), hardware_address, capabilities }
}

/// Says when it wakes the task.
struct Alarm {
    woken: AtomicUsize,
    bell: Sender<()>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Alarm>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        let _ = self.bell.send(());
    }
}

/// The server as a task that runs only when the test says so.
struct Task {
    future: Pin<Box<dyn Future<Output = Infallible>>>,
    wire: Arc<Mutex<Wire>>,
    alarm: Arc<Alarm>,
    bell: Receiver<()>,
}

impl Task {
    fn new() -> Task {
        let driver = fake(HardwareAddress::Ip, capabilities(1500));
        let wire = driver.wire.clone();
        let (sender, bell) = channel();
        let alarm = Arc::new(Alarm { woken: AtomicUsize::new(0), bell: sender });
        let future = Box::pin(async move {
            let mut device = Adapter::new(driver).unwrap();
            let mut memory: Memory<'_, 4> = Memory::new();
            let mut config = Config::new(device.hardware_addr(), [7; 16]);
            config.addresses.push(IpCidr::new(SERVER, 24)).unwrap();
            let mut server = Server::new(&config, memory.storage(), &mut device, now()).unwrap();
            run(&mut server, &mut device).await
        });
        let mut task = Task { future, wire, alarm, bell };
        task.run();
        task
    }

    /// Runs the task once; true if it woke itself meanwhile.
    fn run(&mut self) -> bool {
        let before = self.alarm.woken.load(Ordering::SeqCst);
        let waker = Waker::from(self.alarm.clone());
        assert_eq!(self.future.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
        self.alarm.woken.load(Ordering::SeqCst) > before
    }

    /// Runs the task when it is woken.
    fn run_when_woken(&mut self) {
        self.bell.recv_timeout(PATIENCE).expect("nobody wakes the task");
        while self.bell.try_recv().is_ok() {}
        self.run();
    }

    /// Something happens at the driver, which wakes whoever wanted to know.
    fn happens(&self, change: impl FnOnce(&mut Wire)) {
        let mut wire = self.wire.lock().unwrap();
        change(&mut wire);
        wire.wakers.drain(..).for_each(Waker::wake);
    }

    fn link_goes(&self, is_down: bool) {
        let mut wire = self.wire.lock().unwrap();
        wire.is_down = is_down;
        wire.watchers.drain(..).for_each(Waker::wake);
    }

    fn sent(&self) -> Vec<Vec<u8>> {
        core::mem::take(&mut self.wire.lock().unwrap().sent)
    }
}

fn question(text: &[u8]) -> Vec<u8> {
    udp_packet((CLIENT, 4000).into(), (SERVER, PORT).into(), text)
}

#[track_caller]
fn assert_reply(sent: &[Vec<u8>], text: &[u8]) {
    assert_eq!(sent.len(), 1);
    assert_eq!(udp(&sent[0]).2, text);
}

#[test]
fn a_packet_wakes_the_task_and_is_answered() {
    let mut task = Task::new();
    assert!(!task.run(), "an idle task wakes itself");
    for text in [b"first", b"other"] {
        task.happens(|wire| wire.arriving.push_back(question(text)));
        task.run_when_woken();
        assert_reply(&task.sent(), &text.to_ascii_uppercase());
    }
}

#[test]
fn without_room_nothing_is_taken_and_room_wakes_the_task() {
    let mut task = Task::new();
    task.happens(|wire| {
        wire.is_full = true;
        wire.arriving.push_back(question(b"hello"));
    });
    task.run_when_woken();
    assert_eq!(task.sent().len(), 0);
    task.happens(|wire| wire.is_full = false);
    task.run_when_woken();
    assert_reply(&task.sent(), b"HELLO");
}

#[test]
fn a_link_that_is_down_carries_nothing_until_it_is_up() {
    let mut task = Task::new();
    events::record();
    task.link_goes(true);
    task.run_when_woken();
    task.happens(|wire| wire.arriving.push_back(question(b"hello")));
    task.run();
    assert_eq!(task.sent().len(), 0);
    task.link_goes(false);
    task.run_when_woken();
    assert_reply(&task.sent(), b"HELLO");
    assert_eq!(events::lines_at(Level::Info), ["the link is down", "the link is up"]);
}

#[test]
fn a_deadline_wakes_the_task() {
    let mut task = Task::new();
    let syn = TcpRepr {
        src_port: 4000,
        dst_port: PORT,
        control: TcpControl::Syn,
        seq_number: TcpSeqNumber(1000),
        ack_number: None,
        window_len: 4096,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    task.happens(|wire| wire.arriving.push_back(tcp_packet(CLIENT, SERVER, &syn)));
    task.run_when_woken();
    let first = task.sent();
    assert_eq!(first.len(), 1);
    // Nothing comes from the client: the SYN|ACK is sent again by the clock.
    let again = loop {
        task.run_when_woken();
        if let Some(segment) = task.sent().pop() {
            break segment;
        }
    };
    assert_eq!(ip(&again).3, ip(&first[0]).3);
}

#[test]
fn a_flood_leaves_other_tasks_their_turn() {
    const FLOOD: usize = 10_000;
    let mut task = Task::new();
    task.happens(|wire| wire.arriving.extend((0..FLOOD).map(|_| question(b"flood"))));
    let mut turns = 0;
    while task.run() {
        turns += 1;
        assert!(task.sent().len() < FLOOD / 10, "too long a turn");
        assert!(turns < FLOOD, "the task never sleeps again");
    }
    assert!(turns > 10);
    assert_eq!(task.wire.lock().unwrap().arriving.len(), 0);
}

#[test]
fn mtu_checksums_and_hardware_address_are_the_drivers_own() {
    let mut of_driver = capabilities(1014);
    of_driver.max_burst_size = Some(3);
    let mut checksums = ChecksumCapabilities::default();
    (checksums.ipv4, checksums.tcp) = (Checksum::None, Checksum::Rx);
    (checksums.udp, checksums.icmpv4) = (Checksum::Tx, Checksum::Both);
    of_driver.checksum = checksums;
    let device = Adapter::new(fake(HardwareAddress::Ethernet([2, 0, 0, 0, 0, 9]), of_driver)).unwrap();
    let address = EthernetAddress([2, 0, 0, 0, 0, 9]);
    assert_eq!(device.hardware_addr(), wire::HardwareAddress::Ethernet(address));
    let capabilities = device.capabilities();
    assert_eq!(capabilities.medium, phy::Medium::Ethernet);
    assert_eq!(capabilities.max_transmission_unit, 1014);
    assert_eq!(capabilities.max_burst_size, Some(3));
    let checksum = capabilities.checksum;
    assert!(!checksum.ipv4.rx() && !checksum.ipv4.tx());
    assert!(checksum.tcp.rx() && !checksum.tcp.tx());
    assert!(!checksum.udp.rx() && checksum.udp.tx());
    assert!(checksum.icmpv4.rx() && checksum.icmpv4.tx());
}

#[test]
fn another_medium_is_refused() {
    let refused = Adapter::new(fake(HardwareAddress::Ieee802154([0; 8]), capabilities(127)));
    assert_eq!(refused.err(), Some(ConfigError::HardwareAddress));
}
