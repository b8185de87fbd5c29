//! Scenarios: what happens in one run of a [`Network`](crate::network::Network).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::phy::Medium;
use smoltcp::time::{Duration, Instant};

use crate::app::{Behaviour, Ending, Pace};
use crate::content::Content;
use crate::link::Faults;
use crate::udp_client::Request;

/// The server's port.
pub const PORT: u16 = 8080;

/// The time at which a network begins.
pub const BEGIN: Instant = Instant::from_micros_const(1_000_000_000);

/// What happens in one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Everything that the scenario leaves open is drawn from it.
    pub seed: u64,
    /// When it begins.
    pub begin: Instant,
    /// Ethernet, or IP without frames.
    pub medium: Medium,
    /// The MTU of IP.
    pub mtu: usize,
    /// The server's number of slots.
    pub slots: usize,
    /// The size of each of a slot's two buffers, in bytes.
    pub buffer: usize,
    /// The server's idle timeout.
    pub idle_timeout: Option<Duration>,
    /// The delay of UDP replies.
    pub delay: Option<Duration>,
    /// The link's faults.
    pub faults: Faults,
    /// When the server's device is full; none: never.
    pub refusal: Option<Refusal>,
    /// When the server is shut down.
    pub shutdown: Option<Instant>,
    /// The TCP clients.
    pub tcp_clients: Vec<TcpClientSpec>,
    /// The UDP clients.
    pub udp_clients: Vec<UdpClientSpec>,
}

/// A device that is full now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The most packets that it sends before it is full.
    pub room: usize,
    /// The longest that it is full.
    pub lasts: Duration,
    /// It delivers no packets while it is full.
    pub deaf: bool,
}

/// One TCP client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TcpClientSpec {
    /// Whether it has an IPv6 address.
    pub ipv6: bool,
    /// Its port.
    pub port: u16,
    /// It takes the place of the client with this index: the same address and port.
    pub replaces: Option<usize>,
    /// What its app does.
    pub behaviour: Behaviour,
    /// Its TCP.
    pub tcp: Tcp,
}

/// A client's TCP.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tcp {
    /// The one written for these tests, [`TcpClient`](crate::tcp_client::TcpClient).
    Plain(TcpConfig),
    /// smoltcp's, with buffers of these sizes, Nagle's algorithm, and delayed acknowledgements.
    Smoltcp {
        /// Receive and send buffer.
        buffers: (usize, usize),
        /// RFC 896.
        nagle: bool,
        /// None: none are delayed.
        ack_delay: Option<Duration>,
    },
}

/// The settings of a TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpConfig {
    /// The maximum segment size option, if it sends one.
    pub mss: Option<u16>,
    /// The window scale option, if it sends one.
    pub scale: Option<u8>,
    /// The size of its receive buffer, in bytes.
    pub buffer: usize,
    /// The size of its send buffer, in bytes.
    pub queue: usize,
    /// The delay of its acknowledgements (RFC 9293, section 3.8.6.3).
    pub ack_delay: Duration,
    /// Its first retransmission timeout.
    pub rto: Duration,
    /// Its initial sequence number.
    pub iss: u32,
    /// What it sends when an acknowledgement does not come in time.
    pub resends: Resends,
    /// Its data carries the acknowledgement before the newest one, which it sends on its own: SEG.ACK < SND.UNA at the
    /// server, where RFC 9293, section 3.10.7.4 has the data accepted.
    pub old_acks: bool,
    /// It offers SACK, and tells blocks if the server does so too.
    pub sack: bool,
    /// It offers timestamps.
    pub timestamps: bool,
    /// The longest segment that it sends, in bytes, if that is less than the server's MSS.
    pub segment: usize,
    /// It sends no small segment while data is in flight (RFC 9293, section 3.7.4), and none that is small because of the
    /// window (section 3.8.6.2.1).
    pub nagle: bool,
    /// How it finds out whether a closed window has opened.
    pub probes: Probes,
    /// It sends the first segment again after three duplicate acknowledgements (RFC 5681, section 3.2).
    pub fast_retransmit: bool,
    /// By how much its window opens at once, in bytes. None: when it is worthwhile, as far as there is room.
    pub drip: Option<usize>,
    /// How late its window opens: this long after there was room.
    pub window_delay: Duration,
}

impl TcpConfig {
    /// Without options and habits, and with large buffers.
    pub const PLAIN: TcpConfig = TcpConfig {
        mss: Some(1460),
        scale: None,
        buffer: 65535,
        queue: 65536,
        ack_delay: Duration::from_millis(10),
        rto: Duration::from_millis(300),
        iss: 0xffff_ff00,
        resends: Resends::FromUna,
        old_acks: false,
        sack: false,
        timestamps: false,
        segment: usize::MAX,
        nagle: false,
        probes: Probes::Byte,
        fast_retransmit: false,
        drip: None,
        window_delay: Duration::ZERO,
    };
}

/// How a TCP finds out whether a closed window has opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probes {
    /// It sends the next byte (RFC 9293, section 3.8.6.1).
    Byte,
    /// It sends a segment without data from before the window, as Linux does.
    Empty,
}

/// What a TCP sends when an acknowledgement does not come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resends {
    /// Everything from SND.UNA on, cut into segments anew.
    FromUna,
    /// The segments as they were, with what was acknowledged of the first one, as lwIP does. A FIN comes again together
    /// with data that the server has.
    WholeSegments,
}

/// One UDP client.
#[derive(Debug, Clone, PartialEq)]
pub struct UdpClientSpec {
    /// Whether it has an IPv6 address.
    pub ipv6: bool,
    /// What it sends, in the order of time.
    pub requests: Vec<Request>,
}

impl Scenario {
    /// A server with default settings, a link without faults, and no clients.
    pub fn new(seed: u64) -> Scenario {
        Scenario {
            seed,
            begin: BEGIN,
            medium: Medium::Ip,
            mtu: 1500,
            slots: 16,
            buffer: shout_core::BUFFER_SIZE,
            idle_timeout: None,
            delay: None,
            faults: Faults::none(),
            refusal: None,
            shutdown: None,
            tcp_clients: Vec::new(),
            udp_clients: Vec::new(),
        }
    }

    /// The address of the host with this index.
    pub fn address(index: usize, ipv6: bool) -> IpAddr {
        let host = u16::try_from(index).expect("fewer clients than addresses") + 0x100;
        let [high, low] = host.to_be_bytes();
        if ipv6 {
            Ipv6Addr::new(0xfd69, 0, 0, 0, 0, 0, 0, host).into()
        } else {
            Ipv4Addr::new(10, 69, high, low).into()
        }
    }

    /// The server's address for these clients.
    pub fn server(ipv6: bool) -> IpAddr {
        if ipv6 {
            Ipv6Addr::new(0xfd69, 0, 0, 0, 0, 0, 0, 1).into()
        } else {
            Ipv4Addr::new(10, 69, 0, 1).into()
        }
    }
}

impl TcpClientSpec {
    /// A client that connects at this time, sends this many bytes as fast as it can, half-closes, and reads to the end.
    pub fn new(begin: Instant, bytes: u32) -> TcpClientSpec {
        TcpClientSpec {
            ipv6: false,
            port: 40_000,
            replaces: None,
            behaviour: Behaviour {
                begin,
                content: Content(bytes),
                bytes,
                writes: Pace::FAST,
                reads: Pace::FAST,
                ending: Ending::HalfClose,
            },
            tcp: Tcp::Plain(TcpConfig::PLAIN),
        }
    }
}
