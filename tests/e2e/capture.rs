//! Every TCP segment that passes between the client and the server, with the time at which the kernel saw it.

use core::iter;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg,
    setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeSpec, TimeVal};
use smoltcp::wire::{IpProtocol, Ipv4Packet, Ipv6Packet, TcpOption, TcpPacket};

use crate::gap_analysis::Segment;
use crate::program::LIMIT;

/// A running capture.
pub(crate) struct Capture {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    segments: Receiver<Segment>,
}

impl Capture {
    /// Captures from now on what passes in this network, in which nothing but the server should be spoken to.
    pub(crate) fn start() -> Self {
        Self::start_on(None)
    }

    /// Captures from now on what passes on this device.
    pub(crate) fn start_at(device: &str) -> Self {
        Self::start_on(Some(if_nametoindex(device).unwrap() as usize))
    }

    fn start_on(device: Option<usize>) -> Self {
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Packet, SockType::Datagram, flags, SockProtocol::EthAll).unwrap();
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).unwrap();
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(0, 5000)).unwrap();
        // Only real root may have more than the system's limit; a user's capture may miss packets on a busy machine.
        if setsockopt(&socket, sockopt::RcvBufForce, &(64 << 20)).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &(4 << 20)).unwrap();
        }
        let ended = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&ended);
        let (record, segments) = mpsc::channel();
        let thread = thread::spawn(move || capture(&socket, device, &stop, &record));
        Self { ended, thread, segments }
    }

    /// The first segment that is not taken yet, if it comes before the deadline.
    pub(crate) fn next(&self, deadline: Instant) -> Option<Segment> {
        self.segments.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
    }

    /// Waits until the server has acknowledged so many bytes of the one client that connected since the beginning.
    #[track_caller]
    pub(crate) fn wait_until_acknowledged(&self, length: u32) {
        let deadline = Instant::now() + LIMIT;
        let segments = || iter::from_fn(|| self.next(deadline));
        let syn = segments().find(|segment| segment.syn && !segment.from_server).expect("nobody connects");
        let end = syn.number.wrapping_add(1 + length);
        let acknowledges = |segment: &Segment| segment.from_server && segment.acknowledges == end;
        assert!(segments().any(|segment| acknowledges(&segment)), "{length} bytes are not acknowledged");
    }

    /// Ends the capture once nothing more has come for a few milliseconds: all segments that are not taken yet.
    pub(crate) fn finish(self) -> Vec<Segment> {
        self.ended.store(true, Ordering::Release);
        self.thread.join().unwrap();
        self.segments.try_iter().collect()
    }
}

fn capture(socket: &OwnedFd, device: Option<usize>, ended: &AtomicBool, record: &Sender<Segment>) {
    let mut packet = [0; 65536];
    let mut control = nix::cmsg_space!(TimeSpec);
    loop {
        let mut slices = [IoSliceMut::new(&mut packet)];
        let descriptor = socket.as_raw_fd();
        let (length, time) =
            match recvmsg::<LinkAddr>(descriptor, &mut slices, Some(&mut control), MsgFlags::empty()) {
                Ok(message) => {
                    let at = message.address.map(|address| address.ifindex());
                    if device.is_some() && device != at {
                        continue;
                    }
                    let mut messages = message.cmsgs().unwrap();
                    let time = messages.find_map(|message| match message {
                        ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
                        _ => None,
                    });
                    (message.bytes, time.unwrap())
                }
                Err(Errno::EAGAIN) if ended.load(Ordering::Acquire) => return,
                Err(Errno::EAGAIN | Errno::EINTR) => continue,
                Err(error) => panic!("the capture failed: {error}"),
            };
        if let Some(segment) = segment(&packet[..length], time) {
            // A test that failed has no more use for it.
            let _ = record.send(segment);
        }
    }
}

fn segment(packet: &[u8], time: Duration) -> Option<Segment> {
    let payload = match packet.first()? >> 4 {
        4 => Ipv4Packet::new_checked(packet).ok()?.payload(),
        // Neither Linux nor the server has extension headers before TCP's.
        _ => Ipv6Packet::new_checked(packet).ok().filter(|ip| ip.next_header() == IpProtocol::Tcp)?.payload(),
    };
    let tcp = TcpPacket::new_checked(payload).ok()?;
    let from_server = tcp.src_port() == 8080;
    Some(Segment {
        time,
        from_server,
        client_port: if from_server { tcp.dst_port() } else { tcp.src_port() },
        number: u32::from_be_bytes(payload[4..8].try_into().unwrap()),
        acknowledges: u32::from_be_bytes(payload[8..12].try_into().unwrap()),
        window: tcp.window_len(),
        scale: window_scale(tcp.options()),
        length: u32::try_from(tcp.payload().len()).unwrap(),
        syn: tcp.syn(),
        fin: tcp.fin(),
    })
}

fn window_scale(mut options: &[u8]) -> Option<u8> {
    while let Ok((rest, option)) = TcpOption::parse(options) {
        match option {
            TcpOption::WindowScale(scale) => return Some(scale),
            TcpOption::EndOfList => return None,
            _ => options = rest,
        }
    }
    None
}
