"""What a shout server does packet by packet: made by hand, sent and looked at below the kernel's sockets.

`Packets` is the same list for every server, on IP; `Frames` is for one on Ethernet, and `Duties` for one on Ethernet with the core's
feature `ethernet-duties`. All want a link, see `links.py`.
"""

import random
import struct
import time
import unittest
from ipaddress import IPv4Address
from pathlib import Path

from packets import ACK, FIN, ICMP, MSS, PSH, RST, SACK, SCALE, SYN, TCP, UDP, Segment, ip, tcp, udp, with_checksum

PORT = 8080
# How long an answer is waited for: it comes at once, but on a busy machine, or behind a flood.
PATIENCE = 10
# How long a link is watched on which there must be none.
SILENCE = 0.3
# After how long a question that may be lost is asked again.
AGAIN = 0.5
# How late a server may be with what it does by its own clock, when it has a processor to run on.
LATE = 0.1


class Stopwatch:
    """Tells a server that is late from one that had to wait for a processor, as on a busy machine."""

    def __init__(self, server):
        self.processes = (server, "self")
        self.begin, self.waited_before = time.monotonic(), self.waited()

    def waited(self):
        """The seconds that the server and this process were ready to run and did not (proc(5), schedstat)."""
        tasks = (task for process in self.processes for task in Path(f"/proc/{process}/task").glob("*/schedstat"))
        return sum(int(task.read_text().split()[1]) for task in tasks) / 1e9

    def seconds(self):
        return time.monotonic() - self.begin

    def late(self, after):
        """By how much what was due after this time was late for no reason; negative if it was early."""
        late = self.seconds() - after
        return max(late - (self.waited() - self.waited_before), min(late, 0))


class Wire(unittest.TestCase):
    """A peer at the other end of a link, without a stack of its own."""

    process = None  # the server's or its emulator's, by number
    link = None  # what the packets go through
    server = peer = None  # the two addresses
    next_port = random.randrange(10_000, 40_000)

    def setUp(self):
        Wire.next_port += 1
        self.port = Wire.next_port
        self.link.flush()

    def send(self, flags, sequence, acknowledgement=0, port=PORT, **rest):
        self.link.send(tcp(self.peer, self.server, self.port, port, flags, sequence, acknowledgement, **rest))

    def segment(self, seconds=PATIENCE):
        """The next segment for this test's port; None if there is none in time."""
        for packet in self.link.packets(seconds):
            if packet.protocol == TCP and packet.destination == self.peer:
                segment = Segment.parse(packet.payload)
                if segment.port == self.port:
                    return segment
        return None

    def connect(self, window=4096):
        """Gives the numbers of the next byte in both directions."""
        begin = random.randrange(2**32)
        self.send(SYN, begin, window=window, options=MSS)
        answer = self.segment()
        self.assertEqual((answer.flags, answer.acknowledgement), (SYN | ACK, (begin + 1) % 2**32))
        mine, theirs = begin + 1, answer.sequence + 1
        self.send(ACK, mine, theirs, window=window)
        return mine, theirs

    def echo(self, mine, theirs, message=b"hello"):
        self.send(ACK | PSH, mine, theirs, payload=message)
        answer = self.segment()
        self.assertIsNotNone(answer, "no echo")
        self.assertEqual(answer.payload, message.upper())
        self.assertEqual(answer.sequence, theirs % 2**32)
        self.assertEqual(answer.acknowledgement, (mine + len(message)) % 2**32)

    def end(self, mine, theirs):
        """Frees the slot at once."""
        self.send(RST, mine, theirs)

    def ask(self, message=b"hello", source_port=None, seconds=PATIENCE):
        """The payload of the answer to a datagram; None if there is none in time."""
        source_port = source_port if source_port is not None else self.port
        self.link.send(udp(self.peer, self.server, source_port, PORT, message))
        return self.datagram(source_port, seconds)

    def datagram(self, port, seconds=PATIENCE):
        for packet in self.link.packets(seconds):
            if packet.protocol == UDP and struct.unpack(">H", packet.payload[2:4])[0] == port:
                return packet.payload[8:]
        return None

    def assert_silence(self):
        packets = [packet for packet in self.link.packets(SILENCE) if packet.source == self.server]
        self.assertEqual(packets, [])

    def settle(self):
        """Waits until the server has dealt with a flood, part of which may be lost: so may be a question."""
        marker = b"settled %d" % self.port
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.ask(marker, seconds=AGAIN) == marker.upper():
                self.link.flush(SILENCE)
                return
        self.fail("no answer any more")

    def assert_serves(self):
        self.assertEqual(self.ask(b"still there?"), b"STILL THERE?")
        mine, theirs = self.connect()
        self.echo(mine, theirs)
        self.end(mine + 5, theirs + 5)


class Packets(Wire):
    def test_a_syn_is_answered_with_the_window_and_the_mss(self):
        self.send(SYN, 1000, options=MSS + SCALE + SACK)
        answer = self.segment()
        # The window of an echo is both buffers.
        self.assertEqual((answer.flags, answer.acknowledgement, answer.window), (SYN | ACK, 1001, 2 * 1024))
        self.assertIn(MSS, answer.options)
        # Whether the peer may be told what is missing; and no window scale, which such a window has no use for.
        self.assertIn(SACK[2:], answer.options)
        self.assertNotIn(SCALE[1:3], answer.options)
        self.end(1001, 0)

    def test_an_option_is_answered_only_where_it_is_offered(self):
        self.send(SYN, 1000, options=MSS)
        self.assertEqual(self.segment().options, MSS)
        self.end(1001, 0)

    def test_initial_sequence_numbers_are_far_apart(self):
        numbers = []
        for _ in range(20):
            self.setUp()
            self.send(SYN, 1000)
            numbers.append(self.segment().sequence)
            self.end(1001, 0)
        gaps = [(b - a) % 2**32 for a, b in zip(numbers, numbers[1:])]
        self.assertEqual(len({gap >> 16 for gap in gaps}), len(gaps), gaps)

    def test_one_segment_for_one_with_echo_acknowledgement_and_window(self):
        mine, theirs = self.connect()
        for _ in range(10):
            self.echo(mine, theirs)
            mine, theirs = mine + 5, theirs + 5
            self.assertIsNone(self.segment(0.02), "a second segment")
        self.end(mine, theirs)

    def test_a_closed_window_holds_back_everything_and_loses_nothing(self):
        mine, theirs = self.connect(window=0)
        message = random.Random(1).randbytes(2048)
        for at in range(0, 2048, 512):
            self.send(ACK, mine + at, theirs, window=0, payload=message[at : at + 512])
            while (answer := self.segment()).acknowledgement != (mine + at + 512) % 2**32:
                self.assertLessEqual(len(answer.payload), 1, "more than a probe")
        self.assertEqual(answer.window, 0)
        mine, echo = mine + 2048, b""
        while len(echo) < len(message):
            acknowledged = (theirs + len(echo)) % 2**32
            self.send(ACK, mine, acknowledged)
            answer = self.segment()
            if len(answer.payload) == 1 and answer.sequence != acknowledged:
                # A byte that came before asks for an acknowledgement, as both sides would wait: it is no data.
                answer = self.segment()
            self.assertEqual(answer.sequence, acknowledged)
            echo += answer.payload
        self.assertEqual(echo, message.upper())
        self.end(mine, theirs + len(echo))

    def test_what_came_before_a_fin_is_echoed_before_ours(self):
        mine, theirs = self.connect()
        self.send(ACK | FIN, mine, theirs, payload=b"last words")
        answers = [self.segment()]
        while not answers[-1].flags & FIN:
            answers.append(self.segment())
        self.assertEqual(b"".join(answer.payload for answer in answers), b"LAST WORDS")
        self.assertEqual(answers[-1].acknowledgement, (mine + 11) % 2**32)
        self.send(ACK, mine + 11, theirs + 11)
        self.send(ACK, mine + 11, theirs + 11)
        self.assertEqual(self.segment().flags, RST, "the connection is not over")

    def test_a_rst_closes_only_with_the_exact_number(self):
        mine, theirs = self.connect()
        self.send(RST, mine + 1, theirs)
        challenge = self.segment()
        self.assertEqual((challenge.flags, challenge.acknowledgement), (ACK, mine % 2**32))
        self.echo(mine, theirs)
        self.send(RST, mine + 5, theirs)
        self.send(ACK, mine + 5, theirs + 5, payload=b"anyone?")
        self.assertEqual(self.segment().flags, RST)

    def test_a_syn_on_a_live_connection_is_challenged(self):
        mine, theirs = self.connect()
        self.send(SYN, mine + 100)
        challenge = self.segment()
        self.assertEqual((challenge.flags, challenge.acknowledgement), (ACK, mine % 2**32))
        self.echo(mine, theirs)
        self.end(mine + 5, theirs + 5)

    def test_a_syn_ack_is_sent_again_and_after_seven_seconds_its_slot_is_still_kept(self):
        watch = Stopwatch(self.process)
        self.send(SYN, 1000)
        first = self.segment()
        # Nothing comes from here meanwhile: the server is woken by its own clock.
        for after in (1, 3, 7):
            self.assertEqual(self.segment(), first)
            self.assertAlmostEqual(watch.late(after), 0, delta=LATE)
        mine, theirs = 1001, first.sequence + 1
        self.send(ACK, mine, theirs)
        self.echo(mine, theirs)
        self.end(mine + 5, theirs + 5)

    def test_a_closed_tcp_port_refuses(self):
        self.send(SYN, 1000, port=PORT + 1)
        answer = self.segment()
        self.assertEqual((answer.flags, answer.acknowledgement), (RST | ACK, 1001))

    def test_a_closed_udp_port_is_unreachable(self):
        question = udp(self.peer, self.server, self.port, PORT + 1, b"hello")
        self.link.send(question)
        answer = next(self.link.packets(PATIENCE))
        self.assertEqual((answer.protocol, answer.payload[:2]), (ICMP, bytes([3, 3])))
        quoted = answer.payload[8:]
        self.assertEqual((quoted[12:20], quoted[20:28]), (question[12:20], question[20:28]))

    def test_ping(self):
        request = with_checksum(bytes([8, 0, 0, 0, 1, 2, 3, 4]) + bytes(range(200)), 2)
        self.link.send(ip(self.peer, self.server, ICMP, request))
        answer = next(self.link.packets(PATIENCE))
        self.assertEqual((answer.protocol, answer.hops), (ICMP, 64))
        self.assertEqual(answer.payload[4:], request[4:])

    def test_wrong_checksums_are_not_answered(self):
        right = [
            ip(self.peer, self.server, ICMP, with_checksum(bytes([8, 0, 0, 0, 1, 2, 3, 4]), 2)),
            udp(self.peer, self.server, self.port, PORT, b"hello"),
            tcp(self.peer, self.server, self.port, PORT, SYN, 1000, 0),
        ]
        for packet in right:
            for at in (10, len(packet) - 1):
                wrong = packet[:at] + bytes([packet[at] ^ 0x10]) + packet[at + 1 :]
                self.link.send(wrong)
        self.assert_silence()
        self.assert_serves()

    def test_no_reply_to_what_might_echo_for_ever(self):
        for source_port in (0, PORT):
            self.assertIsNone(self.ask(source_port=source_port, seconds=SILENCE))

    def test_no_reply_to_broadcasts_and_impossible_sources(self):
        broadcast = IPv4Address(int(self.server) | 0xFF)
        for source, destination in [
            (self.peer, broadcast),
            (self.peer, IPv4Address("255.255.255.255")),
            (self.peer, IPv4Address("224.0.0.1")),
            (self.server, self.server),
            (broadcast, self.server),
            (IPv4Address("127.0.0.1"), self.server),
            (IPv4Address("0.0.0.0"), self.server),
        ]:
            self.link.send(udp(source, destination, self.port, PORT, b"hello"))
            self.link.send(tcp(source, destination, self.port, PORT, SYN, 1000, 0))
        self.assert_silence()
        self.assert_serves()

    def test_garbage_packets(self):
        garbage = random.Random(3)
        for protocol in (ICMP, TCP, UDP, 2, 41, 255):
            for _ in range(100):
                self.link.send(ip(self.peer, self.server, protocol, garbage.randbytes(garbage.randrange(64))))
        valid = tcp(self.peer, self.server, self.port, PORT, SYN, 1000, 0, options=MSS + SCALE + SACK)
        for _ in range(300):
            mutated = bytearray(valid[: garbage.randrange(1, len(valid) + 1)])
            for _ in range(3):
                mutated[garbage.randrange(len(mutated))] = garbage.randrange(256)
            self.link.send(bytes(mutated))
        for _ in range(200):
            self.link.send(garbage.randbytes(garbage.randrange(1, 1400)))
        self.settle()
        self.setUp()
        self.assert_serves()


class Frames(Wire):
    """What is Ethernet's. The server must be new: it knows the hardware addresses of nobody but the peer."""

    neighbour = None  # an address in the server's subnet, not used otherwise
    router = None  # the address of the server's gateway, if it has one
    outside = IPv4Address("192.0.2.77")

    def syn_from(self, source):
        self.link.send(tcp(source, self.server, self.port, PORT, SYN, 1000, 0, options=MSS))

    def assert_syn_ack_to(self, source):
        for packet in self.link.packets(PATIENCE):
            if (packet.protocol, packet.destination) == (TCP, source):
                self.assertEqual(Segment.parse(packet.payload).flags, SYN | ACK)
                self.link.send(tcp(source, self.server, self.port, PORT, RST, 1001, 0))
                return
        self.fail("no SYN|ACK")

    def test_a_first_syn_waits_for_arp_and_not_for_a_second(self):
        if self.router is None:
            self.skipTest("it has no gateway")
        watch = Stopwatch(self.process)
        self.syn_from(self.outside)
        self.assertEqual(self.link.asked_for(PATIENCE), self.router)
        self.assertEqual(list(self.link.packets(0.05)), [])
        self.link.answer_arp(self.router)
        self.assert_syn_ack_to(self.outside)
        self.assertLess(watch.late(0.05), LATE)

    def test_a_neighbour_is_known_from_its_syn(self):
        self.syn_from(self.neighbour)
        self.assert_syn_ack_to(self.neighbour)

    def test_arp_is_answered_for_the_own_address_only(self):
        self.link.ask_arp(self.peer, self.server)
        self.assertEqual(self.link.arp_reply(self.peer, PATIENCE), self.server)
        self.link.ask_arp(self.peer, self.neighbour)
        self.assertIsNone(self.link.arp_reply(self.peer, SILENCE))

    def test_frames_for_others_are_not_answered(self):
        packet = udp(self.peer, self.server, self.port, PORT, b"hello")
        for destination in ("020000000099", "ffffffffffff", "01005e000001"):
            self.link.send_frame(packet, destination=bytes.fromhex(destination))
        for source in ("ffffffffffff", "01005e000001", "000000000000"):
            self.link.send_frame(packet, source=bytes.fromhex(source))
        self.assert_silence()
        self.assert_serves()

    def test_frames_of_every_length(self):
        mine, theirs = self.connect()
        for length in [*range(1, 80), 1500, *range(1510, 1530), 2000, 2041, 2042, 2047, 2048, 4000, 9000]:
            for head in (b"", self.link.header(0x0800), self.link.header(0x0806), self.link.header(0x86DD)):
                self.link.send_raw((head + b"\x45" * length)[:length])
        self.settle()
        self.echo(mine, theirs)
        self.end(mine + 5, theirs + 5)
        self.assert_serves()

    def test_a_frame_within_one_that_is_too_long_is_not_seen(self):
        # As they stand in the controller's FIFO: with a length before and a checksum behind, at multiples of four. A
        # driver that reads no more than fits in its room would go on with the ninth of them.
        question = self.link.header(0x0800) + udp(self.peer, self.server, self.port, PORT, b"?" * 140)
        within = struct.pack("<H", len(question) + 6) + question + bytes(4)
        self.link.send_raw(self.link.header(0x0800) + within * 10)
        self.assertIsNone(self.datagram(self.port, SILENCE))
        self.assert_serves()

    def test_garbage_frames(self):
        mine, theirs = self.connect()
        garbage = random.Random(5)
        for kind in (0x0800, 0x0806, 0x86DD, 0x8100, 0x0000, 0xFFFF):
            for _ in range(300):
                self.link.send_raw(self.link.header(kind) + garbage.randbytes(garbage.randrange(1, 200)))
        for _ in range(300):
            self.link.send_raw(garbage.randbytes(garbage.randrange(1, 1514)))
        self.settle()
        self.echo(mine, theirs)
        self.end(mine + 5, theirs + 5)
        self.assert_serves()

    def test_more_frames_than_the_controller_holds(self):
        for _ in range(20):
            for number in range(200):
                self.link.send(udp(self.peer, self.server, 1 + number, PORT, b"flood" * 200))
        self.settle()
        self.assert_serves()


class Duties(Wire):
    """What hosts on Ethernet expect beyond ARP. The server must be new, as for `Frames`."""

    announced = None  # the address that it announced first at its start
    stranger = None  # an address in the server's subnet, from which nothing has come yet
    nobody = IPv4Address("0.0.0.0")

    def test_its_address_is_announced_at_the_start(self):
        self.assertEqual(self.announced, self.server)

    def test_a_probe_for_its_address_is_answered(self):
        # RFC 5227, section 2.1.1: of a host that has no address yet.
        self.link.ask_arp(self.nobody, self.server)
        self.assertEqual(self.link.arp_reply(self.nobody, PATIENCE), self.server)
        self.link.ask_arp(self.nobody, self.stranger)
        self.assertIsNone(self.link.arp_reply(self.nobody, SILENCE))

    def test_the_first_ping_of_a_stranger_waits_for_arp(self):
        request = with_checksum(bytes([8, 0, 0, 0, 5, 6, 7, 8]) + bytes(range(100)), 2)
        self.link.send(ip(self.stranger, self.server, ICMP, request))
        self.assertEqual(self.link.asked_for(PATIENCE), self.stranger)
        self.link.answer_arp(self.stranger)
        answer = next(self.link.packets(PATIENCE), None)
        self.assertIsNotNone(answer, "the ping is lost")
        self.assertEqual((answer.protocol, answer.destination), (ICMP, self.stranger))
        self.assertEqual(answer.payload[4:], request[4:])
