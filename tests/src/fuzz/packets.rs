//! Arbitrary packets, and valid ones with changed bytes, to a server in any state. Lengths and checksums of most are
//! corrected, since the server would drop them at once otherwise.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use arbitrary::{Arbitrary, Unstructured};
use smoltcp::phy::Medium;

use super::{Setting, pass, room, router};
use crate::content::Content;
use crate::ethernet::{HEADER, Neighbour};
use crate::memory::ServerMemory;
use crate::scenario::{PORT, Scenario};
use crate::single_server::SingleServer;
use crate::wire::{ACK, Datagram, Fragment, ICMP, ICMPV6, Ip, PSH, SYN, Segment, TCP, UDP, icmp_packet};
use crate::wire::{checksum, ip_packet, transport_checksum};

/// The largest number of steps in a run, so that each is short.
const MOST: usize = 200;

const PORT_OF_PEER: u16 = 40_000;

#[derive(Debug, Arbitrary)]
enum Step {
    /// These bytes as a packet.
    Raw(Bytes),
    /// These bytes as the payload of an IP packet with this protocol.
    Payload {
        peer: u8,
        protocol: u8,
        fragment: Option<u16>,
        bytes: Bytes,
    },
    /// A valid segment or datagram, with changed bytes.
    Changed {
        peer: u8,
        base: Base,
        changes: Changes,
        mend: bool,
    },
    Connect {
        peer: u8,
        iss: u32,
    },
    Pass {
        magnitude: u8,
        more: u8,
    },
    Room {
        packets: u8,
    },
    AtHome {
        who: u8,
    },
    Shutdown,
}

#[derive(Debug, Arbitrary)]
enum Base {
    Syn,
    Data {
        length: u16,
    },
    Datagram {
        length: u16,
    },
    Fragment {
        offset: u8,
        more: bool,
        identification: u8,
        length: u16,
    },
    Ping {
        length: u16,
    },
    /// A request for the server's hardware address.
    Question,
}

/// Bytes, as many as the first two bytes of the input say.
#[derive(Debug)]
struct Bytes(Vec<u8>);

/// Up to seven positions, and the byte that is written to each.
#[derive(Debug)]
struct Changes(Vec<(u8, u8)>);

impl<'a> Arbitrary<'a> for Bytes {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Bytes> {
        let length = usize::from(u16::arbitrary(bytes)? % 1515).min(bytes.len());
        Ok(Bytes(bytes.bytes(length)?.to_vec()))
    }
}

impl<'a> Arbitrary<'a> for Changes {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Changes> {
        let count = u8::arbitrary(bytes)? % 8;
        Ok(Changes((0..count).map(|_| Arbitrary::arbitrary(bytes)).collect::<Result<_, _>>()?))
    }
}

/// Runs the steps that the bytes encode. Nothing may panic, and the counters must add up. Some time later all slots are
/// free, or the server is shut down if it was told to. `trace` prints every packet.
pub fn hand_in(bytes: &[u8], trace: bool) {
    let mut bytes = Unstructured::new(bytes);
    let Ok(setting) = Setting::arbitrary(&mut bytes) else { return };
    // The invariants cannot be checked: they do not know what such packets mean to the server.
    let setup = setting.setup();
    let mut memory = ServerMemory::new(setup.slots, setup.buffer, 0);
    let mut single = SingleServer::new(setup, &mut memory, |config| {
        config.gateways.push(router().address.into()).unwrap();
    });
    (single.device.deaf_when_full, single.trace) = (setting.deaf, trace);
    single.watch = false;
    single.neighbours = (0..3).map(neighbour).collect();
    let mut shut_down = false;
    for _ in 0..MOST {
        let Ok(step) = Step::arbitrary(&mut bytes) else { break };
        shut_down |= matches!(step, Step::Shutdown);
        act(&mut single, setup.medium, step);
        single.poll();
        if bytes.is_empty() {
            break;
        }
    }
    if shut_down {
        single.pass(smoltcp::time::Duration::from_secs(1));
        assert!(single.server.is_shut_down(), "a second after the shutdown:\n{}", single.stats());
    } else {
        single.assert_slots_are_free();
    }
}

fn act(single: &mut SingleServer<'_>, medium: Medium, step: Step) {
    match step {
        Step::Raw(Bytes(bytes)) => single.arrive(bytes),
        Step::Payload { peer, protocol, fragment, bytes: Bytes(bytes) } => {
            let peer = stranger(peer);
            let fragment = fragment.map_or(Fragment::default(), |place| Fragment {
                identification: place >> 14,
                offset: usize::from(place & 0x1fff) * 8,
                more: place & 0x2000 != 0,
            });
            let protocol = [TCP, UDP, ICMP, ICMPV6, protocol][usize::from(protocol % 5)];
            let mut packet = ip_packet(peer.address, server(&peer), protocol, fragment, &bytes);
            mend(&mut packet);
            single.arrive_from(&peer, &packet);
        }
        Step::Changed { peer, base, changes: Changes(changes), mend: is_mended } => {
            let peer = stranger(peer);
            let mut frame = base.frame(single, medium, &peer);
            for (at, byte) in changes {
                if let Some(changed) = frame.get_mut(usize::from(at)) {
                    *changed = byte;
                }
            }
            if is_mended {
                mend(frame.get_mut(header(medium)..).unwrap_or_default());
            }
            single.arrive(frame);
        }
        Step::Connect { peer, iss } => {
            single.connect(&neighbour(peer), PORT_OF_PEER, iss);
        }
        Step::Pass { magnitude, more } => pass(single, magnitude, more),
        Step::Room { packets } => room(single, packets),
        Step::AtHome { who } => {
            single.neighbours = (0..3).filter(|index| who >> index & 1 != 0).map(neighbour).collect();
        }
        Step::Shutdown => single.server.shutdown(single.now),
    }
}

impl Base {
    fn frame(&self, single: &SingleServer<'_>, medium: Medium, peer: &Neighbour) -> Vec<u8> {
        let (from, to) = (SocketAddr::new(peer.address, PORT_OF_PEER), SocketAddr::new(server(peer), PORT));
        let view = single.views.get(&from).copied().unwrap_or_default();
        let content = |length: u16| Content(1).part(0, usize::from(length % 1400));
        let packet = match *self {
            Base::Syn => single.segment(from, 7, SYN).to_packet(),
            Base::Data { length } => {
                let segment = single.segment(from, view.expected, ACK | PSH);
                Segment { payload: content(length), ..segment }.to_packet()
            }
            Base::Datagram { length } => {
                Datagram { from, to, payload: content(length) }.to_packets(1500, 1).remove(0)
            }
            Base::Fragment { offset, more, identification, length } => {
                let fragment = Fragment {
                    identification: u16::from(identification % 6),
                    offset: usize::from(offset) * 8,
                    more,
                };
                let datagram = Datagram { from, to, payload: content(length) }.to_packets(1500, 1).remove(0);
                let protocol = if identification % 4 == 3 { ICMP } else { UDP };
                let payload = Ip::read(&datagram).map_or(&[][..], |ip| ip.payload);
                ip_packet(from.ip(), to.ip(), protocol, fragment, payload)
            }
            Base::Ping { length } => {
                let kind = if peer.address.is_ipv6() { 128 } else { 8 };
                let message = [&[kind, 0, 0, 0, 0, 1, 0, 1], &content(length)[..]].concat();
                icmp_packet(from.ip(), to.ip(), message)
            }
            Base::Question => return peer.question(server(peer)),
        };
        if medium == Medium::Ethernet { peer.frame(&packet) } else { packet }
    }
}

/// One of three peers: on the link, on the link with IPv6, beyond the router.
fn neighbour(index: u8) -> Neighbour {
    match index % 3 {
        0 => Neighbour { mac: crate::network::mac(0), address: Scenario::address(0, false) },
        1 => Neighbour { mac: crate::network::mac(1), address: Scenario::address(1, true) },
        _ => Neighbour { address: [203, 0, 113, 5].into(), ..router() },
    }
}

/// A peer, or a host with an address that no peer can have.
fn stranger(index: u8) -> Neighbour {
    let address = match index % 16 {
        0 => Ipv4Addr::UNSPECIFIED.into(),
        1 => Ipv4Addr::LOCALHOST.into(),
        2 => Ipv4Addr::BROADCAST.into(),
        3 => [224, 0, 0, 1].into(),
        4 => [10, 69, 255, 255].into(),
        5 => Scenario::server(false),
        6 => Ipv6Addr::UNSPECIFIED.into(),
        7 => Ipv6Addr::LOCALHOST.into(),
        8 => [0xff02, 0, 0, 0, 0, 0, 0, 1].into(),
        9 => Scenario::server(true),
        _ => return neighbour(index),
    };
    Neighbour { address, ..neighbour(index) }
}

fn server(peer: &Neighbour) -> IpAddr {
    Scenario::server(peer.address.is_ipv6())
}

fn header(medium: Medium) -> usize {
    if medium == Medium::Ethernet { HEADER } else { 0 }
}

/// Corrects the lengths and checksums of what may be an IP packet.
fn mend(packet: &mut [u8]) {
    let Ok(length) = u16::try_from(packet.len()) else { return };
    let (start, protocol) = match packet.first().map(|first| first >> 4) {
        Some(4) if length >= 20 => {
            let header = usize::from(packet[0] & 0xf) * 4;
            packet[2..4].copy_from_slice(&length.to_be_bytes());
            packet[10..12].fill(0);
            let sum = checksum(0, packet.get(..header).unwrap_or_default());
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            (header, packet[9])
        }
        Some(6) if length >= 40 => {
            packet[4..6].copy_from_slice(&(length - 40).to_be_bytes());
            (40, packet[6])
        }
        _ => return,
    };
    let Some(Ip { from, to, fragment, .. }) = Ip::read(packet) else { return };
    if fragment != Fragment::default() || start > packet.len() {
        return;
    }
    let transport = &mut packet[start..];
    let (at, with_addresses) = match protocol {
        TCP => (16, true),
        UDP => {
            if let Some(field) = transport.get_mut(4..6) {
                field.copy_from_slice(&(length - u16::try_from(start).unwrap()).to_be_bytes());
            }
            (6, true)
        }
        ICMP => (2, false),
        ICMPV6 => (2, true),
        _ => return,
    };
    if transport.len() >= at + 2 {
        transport[at..at + 2].fill(0);
        let sum = match with_addresses {
            true => transport_checksum(from, to, protocol, transport),
            false => checksum(0, transport),
        };
        transport[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
}
