//! Packets in a row, a full device, a device that fails.

use std::os::unix::net::UnixDatagram;

use smoltcp::phy::{Device, RxToken as _, TxToken as _};

use super::*;
use crate::device::script::{SUCCESS, Script};

const NOW: Instant = Instant::ZERO;

/// A device over one end of a pair of sockets, and the other end, from which nothing is waited for.
fn pair() -> (PacketDevice<UnixDatagram>, UnixDatagram) {
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_nonblocking(true).unwrap();
    (PacketDevice::new(ours, 1500), theirs)
}

/// Receives a packet and answers it with itself.
#[track_caller]
fn echo(device: &mut PacketDevice<impl PacketIo>) -> u8 {
    let (packet, room) = device.receive(NOW).expect("there should be a packet");
    let byte = packet.consume(|packet| packet[0]);
    room.consume(1, |packet| packet[0] = byte);
    byte
}

/// What has come out of the other end.
fn arrived(theirs: &UnixDatagram) -> Vec<u8> {
    let mut byte = [0];
    core::iter::from_fn(|| theirs.recv(&mut byte).ok().map(|_| byte[0])).collect()
}

#[test]
fn a_packet_that_comes_alone_is_answered_at_once() {
    let (mut device, theirs) = pair();
    for byte in 1..=3 {
        theirs.send(&[byte]).unwrap();
        assert_eq!(echo(&mut device), byte);
        assert_eq!(arrived(&theirs), [byte]);
        assert!(device.receive(NOW).is_none());
    }
}

#[test]
fn another_is_looked_for_only_when_the_first_is_answered() {
    let mut device = Script::device(&[]);
    echo(&mut device);
    assert_eq!(*device.io.calls.borrow(), "rs");
}

#[test]
fn packets_in_a_row_are_answered_in_a_row() {
    let (mut device, theirs) = pair();
    for byte in 1..=5 {
        theirs.send(&[byte]).unwrap();
    }
    assert_eq!((echo(&mut device), arrived(&theirs)), (1, vec![1]));
    for byte in 2..=5 {
        assert!(byte == 2 || device.has_packets());
        assert_eq!((echo(&mut device), arrived(&theirs)), (byte, vec![]));
    }
    assert!(!device.has_packets());
    assert!(device.receive(NOW).is_none());
    assert_eq!(arrived(&theirs), [2, 3, 4, 5]);
}

#[test]
fn answers_leave_though_there_is_always_another_packet() {
    let mut device = Script::device(&[]);
    for byte in (0..=255).cycle().take(1000) {
        let (_, room) = device.receive(NOW).unwrap();
        room.consume(1, |packet| packet[0] = byte);
    }
    device.flush();
    let sent: Vec<u8> = (0..=255).cycle().take(1000).collect();
    assert_eq!(device.io.sent.borrow().concat(), sent);
    let calls = device.io.calls.borrow();
    let longest = calls.split('s').map(str::len).max();
    assert_eq!(longest, Some(32), "{calls}");
}

#[test]
fn packets_that_were_read_wait_until_there_is_room_for_an_answer() {
    let full = Errno::EAGAIN;
    let mut device = Script::device(&[SUCCESS, SUCCESS, SUCCESS, SUCCESS, SUCCESS, full, full, full]);
    echo(&mut device);
    echo(&mut device);
    device.flush();
    assert_eq!(device.refusal(), Some(Refusal::NoRoom));
    assert!(device.has_packets());
    assert!(device.receive(NOW).is_none());
    echo(&mut device);
    echo(&mut device);
    assert_eq!(*device.io.calls.borrow(), "rsrrrrsss");
}

#[test]
fn nothing_is_read_that_could_not_be_answered() {
    let full = Errno::EAGAIN;
    let mut device = Script::device(&[SUCCESS, SUCCESS, SUCCESS, full, full]);
    echo(&mut device);
    echo(&mut device);
    assert!(!device.has_packets());
    assert!(device.receive(NOW).is_none());
    assert_eq!((&**device.io.calls.borrow(), device.refusal()), ("rsrrs", Some(Refusal::NoRoom)));
}

#[test]
fn what_waits_is_sent_before_a_sleep() {
    let (mut device, theirs) = pair();
    for byte in 1..=3 {
        theirs.send(&[byte]).unwrap();
    }
    echo(&mut device);
    echo(&mut device);
    device.flush();
    assert_eq!(arrived(&theirs), [1, 2]);
    assert!(device.has_packets(), "it is the loop that must not sleep");
    assert_eq!(echo(&mut device), 3);
}

#[test]
fn a_full_device_keeps_the_packet_and_takes_no_other() {
    let (mut device, theirs) = pair();
    let mut bytes = (0..=255).cycle();
    let mut sent = 0;
    while device.refusal().is_none() {
        let byte = bytes.next().unwrap();
        device.transmit(NOW).unwrap().consume(1, |packet| packet[0] = byte);
        sent += 1;
        assert!(sent < 1 << 20, "the device is never full");
    }
    assert_eq!(device.refusal(), Some(Refusal::NoRoom));
    theirs.send(b"not received while full").unwrap();
    assert!(device.transmit(NOW).is_none());
    assert!(device.receive(NOW).is_none());
    // Every packet comes out once and in order, the one that was held too.
    for byte in (0..=255).cycle().take(sent) {
        let mut buffer = [0; 10];
        assert_eq!((theirs.recv(&mut buffer).unwrap(), buffer[0]), (1, byte));
        assert!(device.transmit(NOW).is_some());
    }
    assert_eq!(arrived(&theirs), []);
    assert_eq!(device.refusal(), None);
    let (packet, _) = device.receive(NOW).unwrap();
    packet.consume(|packet| assert_eq!(packet, b"not received while full"));
}

#[test]
fn an_interrupted_call_is_made_again() {
    let mut device = Script::device(&[Errno::EINTR]);
    assert!(device.receive(Instant::from_millis(5)).is_some());
    assert_eq!(device.last_packet(), Some(Instant::from_millis(5)));
}

#[test]
fn a_link_that_is_down_is_no_failure() {
    let mut device = Script::device(&[Errno::EIO]);
    assert!(device.receive(NOW).is_none());
    assert!(device.failure().is_none());
}

#[test]
fn a_deleted_device_is_a_failure() {
    let mut device = Script::device(&[Errno::EBADFD]);
    assert!(device.receive(NOW).is_none());
    assert_eq!(device.failure().unwrap().raw_os_error(), Some(Errno::EBADFD as i32));

    let mut device = Script::device(&[Errno::EBADFD]);
    device.transmit(NOW).unwrap().consume(1, |_| ());
    assert!(device.failure().is_some());
}

#[test]
fn nothing_there_is_no_packet() {
    let mut device = Script::device(&[Errno::EAGAIN]);
    assert!(device.receive(NOW).is_none());
    assert_eq!(device.last_packet(), None);
    assert_eq!(*device.io.calls.borrow(), "r");
}
