//! `Memory`: storage of constant size in a `static`, as on a microcontroller. The counters' display.

use std::boxed::Box;
use std::string::ToString;
use std::sync::{Mutex, MutexGuard};

use smoltcp::wire::TcpControl::{Psh, Rst};

use super::fixture::{CLIENT, SERVER, net, net_from, net_with};
use super::peer::{letters, peer, upper};
use super::states::open;
use super::udp::{question, take_reply};
use crate::{DropReason, Memory};

// It can be made at compile time.
const _: Memory<'static, 2> = Memory::new();

static MEMORY: Mutex<Memory<'static, 2, 256>> = Mutex::new(Memory::new());

#[test]
fn memory_may_be_a_static() {
    // Claimed once, never given back, as a program would.
    let claimed: &'static mut MutexGuard<'static, Memory<'static, 2, 256>> =
        Box::leak(Box::new(MEMORY.try_lock().unwrap()));
    let mut net = net_from(claimed.storage(), 1500, |_| {});
    let mut peer = peer(40_000);
    assert_eq!(peer.syn(&mut net).window, 256);
    peer.ack(&mut net);
    let data = letters(1000);
    assert!(peer.exchange(&mut net, &data, 100) == upper(&data));
    net.arrive(question(CLIENT, 50_000, SERVER, &letters(1472)));
    assert!(take_reply(&mut net, CLIENT, 50_000, SERVER) == upper(&letters(1024)));
}

#[test]
fn slots_of_other_sizes_work_alike() {
    let (mut net, mut peer) = (net_with::<1>(|_| {}), peer(40_000));
    peer.connect(&mut net);
    assert_eq!(peer.exchange(&mut net, b"one", 3), b"ONE");
}

#[test]
fn the_counters_read_well() {
    let (mut net, mut peer) = open();
    assert!(net.stats().to_string().ends_with("dropped      none"));
    peer.exchange(&mut net, b"hello", 5);
    net.arrive(peer.segment(Rst, 99, None, &[]));
    net.arrive(question(CLIENT, 0, SERVER, b""));
    net.arrive(question(CLIENT, 50_000, SERVER, b""));
    assert_eq!(
        net.stats().to_string(),
        "packets      7 in, 4 out\n\
         connections  1 live (peak 1), 1 opened, 0 closed, 0 reset, 0 timed out, 0 aborted\n\
         half-open    0 refused, 0 evicted, 0 revived, 0 abandoned\n\
         bytes        5 in, 5 out (TCP); 0 in, 0 out (UDP)\n\
         datagrams    1 in, 1 out\n\
         dropped      1 unacceptable segment, 1 echo loop"
    );
}

#[test]
fn packets_without_an_answer_are_counted_too() {
    let mut net = net();
    for _ in 0..3 {
        net.arrive(peer(1).segment(Psh, 0, Some(1), &[])); // draws a RST
        net.arrive(std::vec![0]);
    }
    assert_eq!((net.stats().packets_in, net.stats().packets_out), (6, 3));
    net.dropped_only(DropReason::Malformed, 3);
}

#[test]
fn a_server_shows_its_counters_to_a_debugger() {
    let shown = std::format!("{:?}", net().server);
    assert!(shown.starts_with("Server {") && shown.contains("packets_in: 0"), "{shown}");
}
