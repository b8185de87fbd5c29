//! The server's own hardware address where none was asked for.

use std::fs;

use siphasher::sip::SipHasher13;
use smoltcp::wire::EthernetAddress;

/// What systemd and D-Bus know a machine by (machine-id(5)).
const MACHINE_ID: &str = "/etc/machine-id";

/// A hardware address as `--mac` takes it; smoltcp's own has dashes.
pub(crate) fn printable(address: EthernetAddress) -> String {
    address.0.map(|byte| format!("{byte:02x}")).join(":")
}

/// An address that the server has again whenever it is started on a device of this name: then its neighbours need not
/// learn another. The machine's number goes into it, as the name is the same on all machines by default.
pub(crate) fn from_name(name: &str) -> EthernetAddress {
    derive(&fs::read(MACHINE_ID).unwrap_or_default(), name)
}

fn derive(machine: &[u8], name: &str) -> EthernetAddress {
    // Hashed apart, so that the end of the number and the start of the name cannot be taken for each other.
    let key = SipHasher13::new().hash(machine);
    let [_, _, _, b, c, d, e, f] = SipHasher13::new_with_keys(key, 0).hash(name.as_bytes()).to_be_bytes();
    // Locally administered, and of a single station (IEEE 802, section 8.4).
    EthernetAddress([0x02, b, c, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_a_local_one_that_depends_on_machine_and_name_alone() {
        let address = derive(b"one", "shout0");
        assert!(address.is_unicast() && address.is_local());
        assert_eq!(address, derive(b"one", "shout0"));
        assert_ne!(address, derive(b"one", "shout1"));
        assert_ne!(address, derive(b"two", "shout0"));
        assert_eq!(from_name("shout0"), from_name("shout0"));
    }

    #[test]
    fn an_address_is_written_as_it_is_read() {
        let address = EthernetAddress([2, 0, 0x5e, 0xab, 0, 0xff]);
        assert_eq!(printable(address), "02:00:5e:ab:00:ff");
        assert_eq!(printable(address).parse(), Ok(address));
    }
}
