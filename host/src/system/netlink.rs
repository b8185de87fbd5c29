//! The few requests to rtnetlink that setting up a device takes: one at a time, each awaited.

use core::net::IpAddr;
use std::io;

use ipnet::IpNet;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkFlags, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;

/// A socket to rtnetlink, in the network namespace that it was opened in.
pub(crate) struct Netlink {
    socket: Socket,
}

/// What the kernel says of a network device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its index, unique while it exists.
    pub(crate) index: u32,
    /// Its name.
    pub(crate) name: String,
    /// Its MTU.
    pub(crate) mtu: u32,
    /// How many packets wait in it until they are read; what comes on top is lost.
    pub(crate) queue: u32,
    /// Whether it is set up (administratively).
    pub(crate) up: bool,
    /// This machine's own hardware address on it; empty if it has none.
    pub(crate) hardware_addr: Vec<u8>,
}

/// An address of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Assigned {
    /// The device's index.
    pub(crate) index: u32,
    /// The address and its prefix.
    pub(crate) net: IpNet,
}

/// Where packets to an address go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    /// To this machine itself.
    pub(crate) local: bool,
    /// The index of the device that they leave by.
    pub(crate) device: Option<u32>,
}

impl Netlink {
    /// Opens a socket. This takes no privilege, and neither do the questions.
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket })
    }

    /// The device of that name, if there is one.
    pub(crate) fn link(&self, name: &str) -> io::Result<Option<Link>> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        self.find_link(message)
    }

    /// The device of that index, if there is one.
    pub(crate) fn link_at(&self, index: u32) -> io::Result<Option<Link>> {
        self.find_link(link_message(index))
    }

    fn find_link(&self, mut message: LinkMessage) -> io::Result<Option<Link>> {
        message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        match self.request(RouteNetlinkMessage::GetLink(message), NLM_F_ACK) {
            Ok(answers) => Ok(answers.into_iter().find_map(link)),
            Err(error) if error.raw_os_error() == Some(Errno::ENODEV as i32) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All addresses of this machine.
    pub(crate) fn addresses(&self) -> io::Result<Vec<Assigned>> {
        let question = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        Ok(self.request(question, NLM_F_DUMP)?.into_iter().filter_map(assigned).collect())
    }

    /// The way that packets to `address` take from here, if there is one.
    pub(crate) fn route(&self, address: IpAddr) -> io::Result<Option<Route>> {
        let mut message = RouteMessage::default();
        (message.header.address_family, message.header.destination_prefix_length) = match address {
            IpAddr::V4(_) => (AddressFamily::Inet, 32),
            IpAddr::V6(_) => (AddressFamily::Inet6, 128),
        };
        message.attributes.push(RouteAttribute::Destination(RouteAddress::from(address)));
        match self.request(RouteNetlinkMessage::GetRoute(message), NLM_F_ACK) {
            Ok(answers) => Ok(answers.into_iter().find_map(route)),
            Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                // No route, one that says that there is none, or a kernel without IPv6.
                Some(Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::EAFNOSUPPORT | Errno::EOPNOTSUPP) => {
                    Ok(None)
                }
                _ => Err(error),
            },
        }
    }

    /// Sets the MTU of a device.
    pub(crate) fn set_mtu(&self, index: u32, mtu: u32) -> io::Result<()> {
        let mut message = link_message(index);
        message.attributes.push(LinkAttribute::Mtu(mtu));
        self.request(RouteNetlinkMessage::SetLink(message), NLM_F_ACK).map(drop)
    }

    /// Sets how many packets wait in a device until they are read.
    pub(crate) fn set_queue(&self, index: u32, packets: u32) -> io::Result<()> {
        let mut message = link_message(index);
        message.attributes.push(LinkAttribute::TxQueueLen(packets));
        self.request(RouteNetlinkMessage::SetLink(message), NLM_F_ACK).map(drop)
    }

    /// Sets a device up or down.
    pub(crate) fn set_up(&self, index: u32, up: bool) -> io::Result<()> {
        let mut message = link_message(index);
        message.header.change_mask = LinkFlags::Up;
        message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        self.request(RouteNetlinkMessage::SetLink(message), NLM_F_ACK).map(drop)
    }

    /// Gives a device an address. An IPv6 one is usable at once: no duplicate is looked for.
    pub(crate) fn add_address(&self, assigned: Assigned) -> io::Result<()> {
        let message = RouteNetlinkMessage::NewAddress(address_message(assigned));
        self.request(message, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL).map(drop)
    }

    /// Takes an address from a device.
    pub(crate) fn remove_address(&self, assigned: Assigned) -> io::Result<()> {
        let message = RouteNetlinkMessage::DelAddress(address_message(assigned));
        self.request(message, NLM_F_ACK).map(drop)
    }

    /// Sends one request and collects what comes back, up to the acknowledgement or the end of the dump.
    fn request(&self, message: RouteNetlinkMessage, flags: u16) -> io::Result<Vec<RouteNetlinkMessage>> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;

        let mut answers = Vec::new();
        loop {
            let (bytes, _) = self.socket.recv_from_full()?;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let answer =
                    NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(io::Error::other)?;
                // Messages start at multiples of four bytes (netlink(7), NLMSG_ALIGN).
                let length = usize::try_from(answer.header.length).map_err(io::Error::other)?;
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
                match answer.payload {
                    NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                    NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                    NetlinkPayload::Done(done) if done.code < 0 => {
                        return Err(io::Error::from_raw_os_error(-done.code));
                    }
                    NetlinkPayload::Error(_) | NetlinkPayload::Done(_) => return Ok(answers),
                    _ => {}
                }
            }
        }
    }
}

fn link_message(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

fn address_message(assigned: Assigned) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = assigned.index;
    message.header.prefix_len = assigned.net.prefix_len();
    message.header.family = match assigned.net {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    };
    message.header.flags = AddressHeaderFlags::Nodad | AddressHeaderFlags::Permanent;
    message.attributes.push(AddressAttribute::Local(assigned.net.addr()));
    message.attributes.push(AddressAttribute::Address(assigned.net.addr()));
    message
}

fn link(message: RouteNetlinkMessage) -> Option<Link> {
    let RouteNetlinkMessage::NewLink(message) = message else { return None };
    let name = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    })?;
    let mtu = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Mtu(mtu) => Some(*mtu),
        _ => None,
    })?;
    let queue = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::TxQueueLen(packets) => Some(*packets),
        _ => None,
    })?;
    let hardware_addr = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Address(address) => Some(address.clone()),
        _ => None,
    });
    Some(Link {
        hardware_addr: hardware_addr.unwrap_or_default(),
        index: message.header.index,
        name,
        mtu,
        queue,
        up: message.header.flags.contains(LinkFlags::Up),
    })
}

fn route(message: RouteNetlinkMessage) -> Option<Route> {
    let RouteNetlinkMessage::NewRoute(message) = message else { return None };
    let device = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    });
    Some(Route { local: message.header.kind == RouteType::Local, device })
}

fn assigned(message: RouteNetlinkMessage) -> Option<Assigned> {
    let RouteNetlinkMessage::NewAddress(message) = message else { return None };
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    // On a point-to-point link `Address` is the other end; where there is no `Local`, it is this one (rtnetlink(7)).
    let address = local.or_else(|| {
        message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        })
    })?;
    let net = IpNet::new(address, message.header.prefix_len).ok()?;
    Some(Assigned { index: message.header.index, net })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_device_is_found_by_name_and_by_index() {
        let netlink = Netlink::open().unwrap();
        let loopback = netlink.link("lo").unwrap().expect("every network namespace has a device lo");
        assert_eq!(loopback.name, "lo");
        assert_eq!(netlink.link_at(loopback.index).unwrap(), Some(loopback));
    }

    #[test]
    fn a_device_that_is_not_there_is_none() {
        let netlink = Netlink::open().unwrap();
        assert_eq!(netlink.link("no-such-device").unwrap(), None);
    }

    #[test]
    fn an_error_of_the_kernel_is_handed_on() {
        let netlink = Netlink::open().unwrap();
        let error = netlink.set_mtu(u32::from(u16::MAX), 1500).unwrap_err();
        // ENODEV with the privilege, EPERM without it.
        assert!(matches!(error.raw_os_error(), Some(19 | 1)), "{error}");
        // The answer to one request is not taken for that to the next.
        assert!(netlink.addresses().is_ok());
    }
}
