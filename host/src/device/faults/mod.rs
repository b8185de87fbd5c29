//! Faults on purpose, for testing clients: a device around the device, which loses and corrupts packets.
//!
//! The options are those of smoltcp's own `FaultInjector`. It is not used itself: as of smoltcp 0.14.0 it corrupts
//! a packet to be sent before the packet is written into the buffer, which undoes it; it cuts the MTU down to 1536;
//! and a seed of 0 makes it drop everything.
//!
//! No bit of an Ethernet header is flipped. A link drops such a frame by its check sequence, which a TAP device does not have; let
//! through, it would tell another hardware address of its sender, which nothing verifies.

mod direction;

use core::fmt::{self, Display};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use smoltcp::phy::{self, Device, DeviceCapabilities};
use smoltcp::time::Instant;

use crate::cli::faults::FaultOptions;
use crate::device::{HostDevice, LONGEST_PACKET, Refusal};
use direction::{Direction, Fate};

/// A device whose packets may get lost or corrupted, both those that come and those that leave. `Device`'s contract is the
/// inner one's: a packet is only lost once there is room for it, and one that the inner device holds is held as it is.
#[derive(Debug)]
pub(crate) struct Faulty<D> {
    inner: D,
    ingress: Direction,
    egress: Direction,
    /// The packet that came in, which may not be corrupted where it is.
    inbox: Box<[u8]>,
    /// Where a packet is written that shall not leave.
    nowhere: Box<[u8]>,
}

impl<D: Device> Faulty<D> {
    /// `inner` with the faults that `options` ask for.
    pub(crate) fn new(inner: D, options: &FaultOptions, seed: u64) -> Self {
        // One stream of random numbers each: what comes changes nothing in the fate of what leaves.
        let mut dice = fastrand::Rng::with_seed(seed);
        let buffer = || vec![0; LONGEST_PACKET].into_boxed_slice();
        let capabilities = inner.capabilities();
        let link_header_len = capabilities.max_transmission_unit - capabilities.ip_mtu();
        Self {
            inner,
            egress: Direction::new(options, link_header_len, dice.fork()),
            ingress: Direction::new(options, link_header_len, dice),
            inbox: buffer(),
            nowhere: buffer(),
        }
    }
}

impl<D: HostDevice> HostDevice for Faulty<D> {
    fn last_packet(&self) -> Option<Instant> {
        self.inner.last_packet()
    }

    fn has_packets(&self) -> bool {
        self.inner.has_packets()
    }

    fn flush(&mut self) {
        self.inner.flush();
    }

    fn refusal(&self) -> Option<Refusal> {
        self.inner.refusal()
    }

    fn failure(&mut self) -> Option<io::Error> {
        self.inner.failure()
    }

    fn faults(&self) -> Option<&dyn Display> {
        Some(self)
    }
}

/// What has been done so far, as a line of the counters.
impl<D> Display for Faulty<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "on purpose   {} in, {} out", self.ingress, self.egress)
    }
}

impl<D: AsFd> AsFd for Faulty<D> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl<D: Device> Device for Faulty<D> {
    type RxToken<'a>
        = RxToken<'a>
    where
        D: 'a;
    type TxToken<'a>
        = TxToken<'a, D::TxToken<'a>>
    where
        D: 'a;

    /// A lost packet looks like none at all: the loop asks whether there are more.
    fn receive(&mut self, now: Instant) -> Option<(RxToken<'_>, Self::TxToken<'_>)> {
        let Self { inner, ingress, egress, inbox, nowhere } = self;
        let (packet, token) = inner.receive(now)?;
        let length = phy::RxToken::consume(packet, |packet| {
            inbox[..packet.len()].copy_from_slice(packet);
            packet.len()
        });
        let packet = &mut inbox[..length];
        match ingress.fate(now, length) {
            Fate::Lost => return None,
            Fate::Corrupt(flip) => flip.apply(packet),
            Fate::Intact => {}
        }
        Some((RxToken { packet }, TxToken { token, now, egress, nowhere }))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        let Self { inner, egress, nowhere, .. } = self;
        inner.transmit(now).map(|token| TxToken { token, now, egress, nowhere })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.inner.capabilities()
    }
}

/// A packet that came in, intact or not.
pub(crate) struct RxToken<'a> {
    packet: &'a [u8],
}

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.packet)
    }
}

/// Room for a packet that may leave, intact or not.
pub(crate) struct TxToken<'a, T> {
    token: T,
    now: Instant,
    egress: &'a mut Direction,
    nowhere: &'a mut [u8],
}

impl<T: phy::TxToken> phy::TxToken for TxToken<'_, T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let Self { token, now, egress, nowhere } = self;
        match egress.fate(now, length) {
            Fate::Lost => f(&mut nowhere[..length]),
            Fate::Intact => token.consume(length, f),
            Fate::Corrupt(flip) => token.consume(length, |packet| {
                let result = f(packet);
                flip.apply(packet);
                result
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use smoltcp::phy::{RxToken as _, TxToken as _};

    use super::*;
    use crate::cli::values::Chance;
    use crate::device::PacketDevice;

    const NOW: Instant = Instant::ZERO;
    const PACKET: [u8; 100] = [7; 100];

    const NONE: FaultOptions = FaultOptions::NONE;

    /// A faulty device, and the end that its packets come out of.
    fn pair(options: &FaultOptions, seed: u64) -> (Faulty<PacketDevice<UnixDatagram>>, UnixDatagram) {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        for socket in [&ours, &theirs] {
            socket.set_nonblocking(true).unwrap();
        }
        (Faulty::new(PacketDevice::new(ours, 1500), options, seed), theirs)
    }

    /// Sends one packet out and gives what arrives.
    fn sent(device: &mut Faulty<PacketDevice<UnixDatagram>>, theirs: &UnixDatagram) -> Option<Vec<u8>> {
        let token = device.transmit(NOW).expect("the device should have room");
        token.consume(PACKET.len(), |packet| packet.copy_from_slice(&PACKET));
        device.flush();
        let mut buffer = [0; 1500];
        theirs.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec())
    }

    /// Sends one packet in and gives what arrives.
    fn received(device: &mut Faulty<PacketDevice<UnixDatagram>>, theirs: &UnixDatagram) -> Option<Vec<u8>> {
        theirs.send(&PACKET).unwrap();
        device.receive(NOW).map(|(packet, _)| packet.consume(<[u8]>::to_vec))
    }

    fn flipped_bits(packet: &[u8]) -> u32 {
        assert_eq!(packet.len(), PACKET.len());
        packet.iter().zip(PACKET).map(|(is, was)| (is ^ was).count_ones()).sum()
    }

    #[test]
    fn without_faults_every_packet_passes() {
        let (mut device, theirs) = pair(&NONE, 0);
        assert_eq!(sent(&mut device, &theirs).unwrap(), PACKET);
        assert_eq!(received(&mut device, &theirs).unwrap(), PACKET);
    }

    #[test]
    fn a_certain_loss_spares_nothing_in_either_direction() {
        let (mut device, theirs) = pair(&FaultOptions { drop: Chance::percent(100), ..NONE }, 0);
        for _ in 0..100 {
            assert_eq!(sent(&mut device, &theirs), None);
            assert_eq!(received(&mut device, &theirs), None);
        }
        assert_eq!(
            device.to_string(),
            "on purpose   100 lost and 0 corrupted in, 100 lost and 0 corrupted out"
        );
    }

    #[test]
    fn a_certain_corruption_flips_one_bit_of_each_packet_in_either_direction() {
        let (mut device, theirs) = pair(&FaultOptions { corrupt: Chance::percent(100), ..NONE }, 0);
        for _ in 0..100 {
            assert_eq!(flipped_bits(&sent(&mut device, &theirs).unwrap()), 1);
            assert_eq!(flipped_bits(&received(&mut device, &theirs).unwrap()), 1);
        }
    }

    #[test]
    fn a_corruption_spares_the_header_of_a_frame() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        for socket in [&ours, &theirs] {
            socket.set_nonblocking(true).unwrap();
        }
        let options = FaultOptions { corrupt: Chance::percent(100), ..NONE };
        let mut device = Faulty::new(PacketDevice::ethernet(ours, 1500), &options, 0);
        for _ in 0..100 {
            for frame in [sent(&mut device, &theirs).unwrap(), received(&mut device, &theirs).unwrap()] {
                assert_eq!((&frame[..14], flipped_bits(&frame)), (&PACKET[..14], 1));
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_faults_however_the_directions_mix() {
        let options = FaultOptions { drop: Chance::percent(30), corrupt: Chance::percent(30), ..NONE };
        let fates = |seed: u64, received_before_each: usize| -> Vec<Option<Vec<u8>>> {
            let (mut device, theirs) = pair(&options, seed);
            let send = |_| {
                for _ in 0..received_before_each {
                    received(&mut device, &theirs);
                }
                sent(&mut device, &theirs)
            };
            (0..200).map(send).collect()
        };
        assert_eq!(fates(1, 0), fates(1, 3));
        assert_ne!(fates(1, 0), fates(2, 0));
        let lost = fates(0, 0).iter().filter(|fate| fate.is_none()).count();
        assert!((30..90).contains(&lost), "{lost} of 200 at 30%");
    }

    #[test]
    fn a_full_device_refuses_and_its_held_packet_meets_no_second_fault() {
        let (mut device, theirs) = pair(&FaultOptions { corrupt: Chance::percent(100), ..NONE }, 0);
        let mut count = 0;
        while device.refusal().is_none() {
            device.transmit(NOW).unwrap().consume(PACKET.len(), |packet| packet.copy_from_slice(&PACKET));
            count += 1;
        }
        assert!(device.transmit(NOW).is_none());
        assert!(device.receive(NOW).is_none());
        let mut buffer = [0; 1500];
        for _ in 0..count {
            let length = theirs.recv(&mut buffer).unwrap();
            assert_eq!(flipped_bits(&buffer[..length]), 1);
            assert!(device.transmit(NOW).is_some());
        }
    }
}
