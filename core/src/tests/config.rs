//! `Config` and `Storage`: which are accepted, and the error for each that is not.

use std::string::ToString;

use smoltcp::phy::Medium;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::TcpControl::{None as Plain, Psh, Syn};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr};

use super::fixture::{CLIENT, Net, SERVER, config, ethernet, net_from, storage};
use super::peer::{letters, peer, peer_from, upper};
use super::wire::Wire;
use crate::{Config, ConfigError, MAX_ADDRESSES, Server, Storage};

/// The result of `Server::new` with this configuration, on an IP device with an MTU of 1500.
fn made(change: impl FnOnce(&mut Config)) -> Result<(), ConfigError> {
    made_on(Medium::Ip, 1500, change)
}

fn made_on(medium: Medium, mtu: usize, change: impl FnOnce(&mut Config)) -> Result<(), ConfigError> {
    let mut config = config(medium);
    change(&mut config);
    Server::new(&config, storage(1, 64, 0), &mut Wire::new(medium, mtu), Instant::ZERO).map(drop)
}

/// The result of `Server::new` with this memory.
fn made_of(change: impl FnOnce(&mut Storage<'static>)) -> Result<(), ConfigError> {
    let mut storage = storage(3, 64, 0);
    change(&mut storage);
    Server::new(&config(Medium::Ip), storage, &mut Wire::new(Medium::Ip, 1500), Instant::ZERO).map(drop)
}

/// The result of `Server::new` with only this address.
fn with_address(address: IpAddress, prefix: u8) -> Result<(), ConfigError> {
    made(|config| {
        config.addresses.clear();
        config.addresses.push(IpCidr::new(address, prefix)).unwrap();
    })
}

fn shorten<T>(slice: &mut &'static mut [T]) {
    let whole = core::mem::take(slice);
    let less = whole.len() - 1;
    *slice = &mut whole[..less];
}

#[test]
fn port_0_is_refused() {
    assert_eq!(made(|config| config.port = 0), Err(ConfigError::NoPort));
    assert_eq!(made(|config| config.port = 65_535), Ok(()));
}

#[test]
fn one_address_at_least_is_needed() {
    assert_eq!(made(|config| config.addresses.clear()), Err(ConfigError::NoAddress));
}

#[test]
fn an_address_must_be_that_of_a_single_host() {
    for (bytes, prefix) in [
        ([0, 0, 0, 0], 24),
        ([0, 1, 2, 3], 8),
        ([127, 0, 0, 1], 8),
        ([224, 0, 0, 1], 24),
        ([240, 0, 0, 1], 24),
        ([255, 255, 255, 255], 32),
        ([192, 0, 2, 0], 24),   // the network
        ([192, 0, 2, 255], 24), // its broadcast address
        ([192, 0, 2, 4], 30),
        ([192, 0, 2, 7], 30),
    ] {
        let address = IpAddress::Ipv4(bytes.into());
        assert_eq!(with_address(address, prefix), Err(ConfigError::NotUnicast(address)), "{bytes:?}");
    }
    for (bytes, prefix) in [
        ([192, 0, 2, 5], 30),
        ([192, 0, 2, 4], 31),
        ([192, 0, 2, 5], 31),
        ([192, 0, 2, 0], 32),
        ([10, 0, 0, 9], 0),
    ] {
        assert_eq!(with_address(IpAddress::Ipv4(bytes.into()), prefix), Ok(()), "{bytes:?}");
    }
}

#[cfg(feature = "ipv6")]
#[test]
fn an_ipv6_address_must_be_that_of_a_single_host() {
    for address in ["::", "::1", "ff02::1", "::ffff:192.0.2.1"] {
        let address = IpAddress::Ipv6(address.parse().unwrap());
        assert_eq!(with_address(address, 64), Err(ConfigError::NotUnicast(address)));
    }
    for address in ["fe80::1", "fd69::1", "2001:db8::ffff"] {
        assert_eq!(with_address(IpAddress::Ipv6(address.parse().unwrap()), 64), Ok(()));
    }
}

#[test]
fn an_address_given_twice_is_refused() {
    for prefix in [24, 16] {
        let twice = made(|config| config.addresses.push(IpCidr::new(SERVER, prefix)).unwrap());
        assert_eq!(twice, Err(ConfigError::Duplicate(SERVER)));
    }
}

#[test]
fn eight_addresses_can_be_served() {
    let addresses: [IpAddress; MAX_ADDRESSES] =
        core::array::from_fn(|index| IpAddress::v4(10, 0, u8::try_from(index).unwrap(), 1));
    let mut net = net_from(storage(8, 1024, 0), 1500, |config| {
        config.addresses = addresses.iter().map(|&address| IpCidr::new(address, 24)).collect();
    });
    for address in addresses {
        let mut peer = peer_from(CLIENT, address, 40_000);
        peer.connect(&mut net);
        assert_eq!(peer.exchange(&mut net, b"you", 3), b"YOU");
    }
}

#[test]
fn the_hardware_address_must_fit_the_device() {
    let refused = Err(ConfigError::HardwareAddress);
    let with =
        |medium, address: HardwareAddress| made_on(medium, 1514, |config| config.hardware_addr = address);
    let mac = |first| HardwareAddress::Ethernet(EthernetAddress([first, 0, 0, 0, 0, 1]));
    assert_eq!(with(Medium::Ip, mac(2)), refused);
    assert_eq!(with(Medium::Ethernet, HardwareAddress::Ip), refused);
    assert_eq!(with(Medium::Ethernet, mac(1)), refused);
    assert_eq!(with(Medium::Ethernet, HardwareAddress::Ethernet(EthernetAddress::BROADCAST)), refused);
    assert_eq!(with(Medium::Ethernet, mac(2)), Ok(()));
    assert_eq!(with(Medium::Ip, HardwareAddress::Ip), Ok(()));
}

#[test]
fn the_mtu_must_be_576_or_1280_with_ipv6() {
    for (medium, header) in [(Medium::Ip, 0), (Medium::Ethernet, 14)] {
        let ipv4 = |mtu: usize| made_on(medium, mtu + header, |config| config.addresses.truncate(1));
        assert_eq!(ipv4(0), Err(ConfigError::Mtu(576)));
        assert_eq!(ipv4(575), Err(ConfigError::Mtu(576)));
        assert_eq!(ipv4(576), Ok(()));
        if cfg!(feature = "ipv6") {
            let both = |mtu: usize| made_on(medium, mtu + header, |_| {});
            assert_eq!(both(1279), Err(ConfigError::Mtu(1280)));
            assert_eq!(both(1280), Ok(()));
        }
    }
}

#[test]
fn a_gateway_must_be_a_single_host_too() {
    for bytes in [[255, 255, 255, 255], [224, 0, 0, 1], [0, 0, 0, 0], [192, 0, 2, 255]] {
        let gateway = IpAddress::Ipv4(bytes.into());
        let refused =
            made_on(Medium::Ethernet, 1514, |config| config.gateways.push(gateway).unwrap()).is_err();
        assert!(
            refused || survives_with(gateway),
            "{gateway} panics as soon as somebody far away says hello"
        );
    }
}

fn survives_with(gateway: IpAddress) -> bool {
    let hello = move || {
        let mut net: Net = ethernet(|config| config.gateways.push(gateway).unwrap());
        let far = IpAddress::v4(203, 0, 113, 7);
        net.arrive(peer_from(far, SERVER, 40_000).segment(Syn, 0, None, &[]));
    };
    std::thread::spawn(hello).join().is_ok()
}

#[test]
fn each_slice_must_be_long_enough() {
    let refused = |name, length| Err(ConfigError::Storage(name, length));
    assert_eq!(made_of(|_| {}), Ok(()));
    assert_eq!(made_of(|storage| storage.slots = &mut []), refused("slots", 1));
    assert_eq!(made_of(|storage| shorten(&mut storage.slots)), refused("sockets", 2));
    assert_eq!(made_of(|storage| shorten(&mut storage.sockets)), refused("sockets", 3));
    assert_eq!(made_of(|storage| shorten(&mut storage.demux)), refused("demux", 3));
    assert_eq!(made_of(|storage| shorten(&mut storage.deadlines)), refused("deadlines", 3));
    assert_eq!(made_of(|storage| storage.buckets = &mut []), refused("buckets", 3));
    assert_eq!(made_of(|storage| shorten(&mut storage.buckets)), Ok(()), "any number will do");
    assert_eq!(made_of(|storage| shorten(&mut storage.tcp_buffers)), refused("tcp_buffers", 3 * 2 * 1024));

    let long_enough = if cfg!(feature = "fragments") { 2048 } else { 1472 };
    let cut = |storage: &mut Storage<'static>, length| {
        storage.udp.rx = &mut core::mem::take(&mut storage.udp.rx)[..length];
    };
    assert_eq!(made_of(|storage| cut(storage, long_enough)), Ok(()));
    assert_eq!(made_of(|storage| cut(storage, long_enough - 1)), refused("udp.rx", long_enough));
    let one = |metadata: &mut &'static mut [_]| *metadata = &mut core::mem::take(metadata)[..1];
    assert_eq!(made_of(|storage| one(&mut storage.udp.rx_metadata)), refused("udp.rx_metadata", 2));
    assert_eq!(made_of(|storage| one(&mut storage.udp.tx_metadata)), refused("udp.tx_metadata", 2));
    let short = |storage: &mut Storage<'static>| {
        storage.udp.tx = &mut core::mem::take(&mut storage.udp.tx)[..1023];
    };
    assert_eq!(made_of(short), refused("udp.tx", 1024));
}

#[test]
fn the_longest_datagram_depends_on_the_mtu() {
    let mut storage = storage(1, 64, 0);
    storage.udp.rx = &mut storage.udp.rx[..8999 - 28];
    let mut wire = Wire::new(Medium::Ip, 9000);
    let made = Server::new(&config(Medium::Ip), storage, &mut wire, Instant::ZERO).map(drop);
    assert_eq!(made, Err(ConfigError::Storage("udp.rx", 8972)));
}

/// The length field of an IPv4 packet has 16 bits.
#[test]
fn a_device_may_take_longer_packets_than_there_are() {
    let mut net = net_from(storage(1, 140_000, 0), 65_536, |_| {});
    let mut peer = peer(40_000);
    peer.mss = Some(65_535);
    peer.connect(&mut net);
    let data = letters(66_000);
    peer.window = 0;
    for part in data.chunks(33_000) {
        net.arrive(peer.segment(Psh, peer.next, Some(1), part));
        peer.next += 33_000;
    }
    net.wire.sent.clear();
    peer.window = 65_535;
    net.arrive(peer.segment(Plain, peer.next, Some(1), b""));
    assert!(peer.take_data(&mut net) == upper(&data[..65_495]));
}

#[test]
fn there_can_be_65535_slots_and_no_more() {
    let made = |slots| {
        Server::new(
            &config(Medium::Ip),
            storage(slots, 64, 0),
            &mut Wire::new(Medium::Ip, 1500),
            Instant::ZERO,
        )
        .map(drop)
    };
    assert_eq!(made(65_536), Err(ConfigError::Storage("slots", 65_535)));
    assert_eq!(made(65_535), Ok(()));
}

#[test]
fn the_smallest_buffer_works() {
    let mut net = net_from(storage(1, 64, 0), 1500, |_| {});
    let mut peer = peer(40_000);
    assert_eq!(peer.syn(&mut net).window, 64);
    peer.ack(&mut net);
    let data = letters(1000);
    for most in [1, 31, 64] {
        assert!(peer.exchange(&mut net, &data, most) == upper(&data));
    }
    net.pass(Duration::from_secs(20));
}

/// RFC 7323, section 2.3: a window scale is 14 at most, and 1 GiB would need 15.
#[cfg(target_pointer_width = "64")]
#[test]
fn a_buffer_is_smaller_than_a_gibibyte() {
    let made = |size: usize| {
        let mut storage = storage(1, 64, 0);
        storage.tcp_buffers = std::vec![0; 2 * size].leak(); // zeroes that nobody reads take no memory
        Server::new(&config(Medium::Ip), storage, &mut Wire::new(Medium::Ip, 1500), Instant::ZERO).map(drop)
    };
    assert_eq!(made(1 << 30), Err(ConfigError::Storage("tcp_buffers", 2 * 1024)));
    assert_eq!(made((1 << 30) - 1), Ok(()));
}

#[test]
fn each_error_is_a_sentence_that_names_what_to_do() {
    for (error, words) in [
        (ConfigError::NoAddress, &["address", "give"][..]),
        (ConfigError::NotUnicast(SERVER), &["192.0.2.1", "choose"]),
        (ConfigError::Duplicate(SERVER), &["192.0.2.1", "once"]),
        (ConfigError::NoPort, &["port", "choose"]),
        (ConfigError::HardwareAddress, &["hardware address", "give"]),
        (ConfigError::Mtu(576), &["MTU", "576 or more"]),
        (ConfigError::Storage("udp.rx", 2048), &["udp.rx", "2048 is needed"]),
    ] {
        let sentence = error.to_string();
        for word in words {
            assert!(sentence.contains(word), "{sentence}");
        }
        assert!(!sentence.ends_with('.') && !sentence.contains('\n'));
    }
}
