"""Three ways to a server below the kernel's sockets, for `wire.py`: QEMU's, a TUN device's and a TAP device's."""

import errno
import socket
import struct
import time
from ipaddress import IPv4Address

from packets import Packet

ARP, IPV4 = 0x0806, 0x0800


class Link:
    """A socket on which a packet or frame is a datagram."""

    def packets(self, seconds):
        """The packets that come within this time."""
        for data in self.received(seconds):
            if packet := self.unwrap(data):
                yield packet

    def received(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 or seconds == 0:
            self.socket.settimeout(max(left, 0))
            try:
                data, sender = self.socket.recvfrom(65536)
            except (TimeoutError, BlockingIOError):
                return
            if self.is_from_server(sender):
                yield data

    def flush(self, seconds=0):
        """Forgets what has come, and what comes within this time."""
        for _ in self.packets(seconds):
            pass


class Tun(Link):
    """Beside the kernel on a TUN device: what goes out through it comes to the program behind it."""

    def __init__(self, device):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(IPV4))
        self.socket.bind((device, IPV4))
        self.device = device

    def send(self, packet):
        self.socket.sendto(packet, (self.device, IPV4))

    def is_from_server(self, sender):
        return sender[2] != socket.PACKET_OUTGOING

    def unwrap(self, data):
        return Packet.parse(data)


class Ethernet(Link):
    """The other end of QEMU's `-netdev socket,udp=`: each datagram is a frame."""

    def __init__(self, server, server_address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.emulator = None  # its port on loopback
        self.server, self.server_address = server, server_address
        self.own = bytes.fromhex("020000000077")

    def header(self, kind, source=None, destination=None):
        return (destination or self.server) + (source or self.own) + struct.pack(">H", kind)

    def send(self, packet):
        self.send_frame(packet)

    def send_frame(self, payload, kind=IPV4, **addresses):
        self.send_raw(self.header(kind, **addresses) + payload)

    def send_raw(self, data):
        self.socket.sendto(data, ("127.0.0.1", self.emulator))

    def is_from_server(self, sender):
        return sender == ("127.0.0.1", self.emulator)

    def unwrap(self, frame):
        if frame[:6] not in (self.own, b"\xff" * 6) or frame[6:12] != self.server:
            return None
        return Packet.parse(frame[14:]) if frame[12:14] == struct.pack(">H", IPV4) else None

    def arp(self, operation, source, source_address, target, target_address):
        kind = struct.pack(">HHBBH", 1, IPV4, 6, 4, operation)
        self.send_frame(
            kind + source + source_address.packed + target + target_address.packed,
            kind=ARP,
            destination=b"\xff" * 6 if operation == 1 else self.server,
        )

    def ask_arp(self, own_address, target):
        self.arp(1, self.own, own_address, b"\0" * 6, target)

    def answer_arp(self, address):
        self.arp(2, self.own, address, self.server, self.server_address)

    def requests(self, seconds):
        """Of each ARP request of the server's: its sender's address, and the one it asks for."""
        for frame in self.received(seconds):
            if frame[6:12] == self.server and frame[12:14] == struct.pack(">H", ARP) and frame[20:22] == b"\0\1":
                yield IPv4Address(frame[28:32]), IPv4Address(frame[38:42])

    def asked_for(self, seconds):
        """The address that the next ARP request asks for."""
        return next((target for sender, target in self.requests(seconds) if target != sender), None)

    def announced(self, seconds):
        """The address that the next ARP announcement is about: it asks for its own sender's."""
        return next((target for sender, target in self.requests(seconds) if target == sender), None)

    def arp_reply(self, asker, seconds):
        """The address that the next ARP reply to this one is about."""
        for frame in self.received(seconds):
            is_reply = frame[12:14] == struct.pack(">H", ARP) and frame[20:22] == b"\0\2"
            if is_reply and frame[38:42] == asker.packed:
                return IPv4Address(frame[28:32])
        return None


class Tap(Ethernet):
    """Beside the kernel on a TAP device."""

    ALL = 3  # protocols
    # Shorter than a header, longer than the device takes, and more than it has room for.
    LOST = (errno.EINVAL, errno.EMSGSIZE, errno.ENOBUFS)

    def __init__(self, device, server, server_address):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(self.ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((device, self.ALL))
        self.server, self.server_address = server, server_address
        self.own = bytes.fromhex("020000000077")

    def send_raw(self, data):
        try:
            self.socket.send(data)
        except OSError as error:
            if error.errno not in self.LOST:
                raise

    def is_from_server(self, sender):
        return sender[2] != socket.PACKET_OUTGOING
