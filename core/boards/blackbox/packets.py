"""IPv4, TCP and UDP as bytes."""

import struct
from ipaddress import IPv4Address
from typing import NamedTuple

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ICMP, TCP, UDP = 1, 6, 17
MSS = bytes([2, 4, 5, 180])
SCALE = bytes([1, 3, 3, 7])
SACK = bytes([1, 1, 4, 2])


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def with_checksum(data, at, pseudo=b""):
    return data[:at] + struct.pack(">H", checksum(pseudo + data)) + data[at + 2 :]


def ip(source, destination, protocol, payload):
    header = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, source.packed, destination.packed
    )
    return with_checksum(header, 10) + payload


def pseudo(source, destination, protocol, payload):
    return source.packed + destination.packed + struct.pack(">HH", protocol, len(payload))


def udp(source, destination, source_port, port, payload):
    datagram = struct.pack(">HHHH", source_port, port, 8 + len(payload), 0) + payload
    datagram = with_checksum(datagram, 6, pseudo(source, destination, UDP, datagram))
    return ip(source, destination, UDP, datagram)


def tcp(source, destination, source_port, port, flags, sequence, acknowledgement, window=4096, options=b"", payload=b""):
    offset = (20 + len(options)) << 2
    header = struct.pack(
        ">HHIIBBHHH", source_port, port, sequence % 2**32, acknowledgement % 2**32, offset, flags, window, 0, 0
    )
    segment = header + options + payload
    return ip(source, destination, TCP, with_checksum(segment, 16, pseudo(source, destination, TCP, segment)))


class Packet(NamedTuple):
    source: IPv4Address
    destination: IPv4Address
    protocol: int
    hops: int
    payload: bytes

    @staticmethod
    def parse(data):
        """None if it is not IPv4. What the server sends must be right: a wrong checksum is an error."""
        if len(data) < 20 or data[0] != 0x45:
            return None
        total, hops, protocol = struct.unpack(">H", data[2:4])[0], data[8], data[9]
        source, destination = IPv4Address(data[12:16]), IPv4Address(data[16:20])
        payload = data[20:total]
        assert checksum(data[:20]) == 0, "the IP header's checksum is wrong"
        if protocol in (TCP, UDP):
            whole = pseudo(source, destination, protocol, payload) + payload
            assert checksum(whole) == 0, "a checksum of TCP or UDP is wrong"
        return Packet(source, destination, protocol, hops, payload)


class Segment(NamedTuple):
    source_port: int
    port: int
    sequence: int
    acknowledgement: int
    flags: int
    window: int
    options: bytes
    payload: bytes

    @staticmethod
    def parse(data):
        source_port, port, sequence, acknowledgement, offset, flags, window = struct.unpack(">HHIIBBH", data[:16])
        end = offset >> 2
        return Segment(
            source_port, port, sequence, acknowledgement, flags, window, data[20:end], data[end:]
        )
