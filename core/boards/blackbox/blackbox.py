#!/usr/bin/env python3
"""What any client sees of a shout server, over the kernel's sockets: `blackbox.py HOST:PORT [--slots N] [unittest's options]`.

The same list for every server: on Linux, on a microcontroller, or behind NAT. It needs netcat (OpenBSD's), and a server
with `N` slots (8 unless told) that nobody else uses.
"""

import argparse
import contextlib
import random
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

SERVER = ("127.0.0.1", 8080)
SLOTS = 8

# A client's patience. A lost datagram or segment is sent again within a few seconds; more is a failure.
PATIENCE = 10
# How long a client is watched that must not be answered.
SILENCE = 1
# A client that found no slot tries again, less and less often: a NAT or a kernel may wait this long between two SYNs.
NEXT_SYN = 30


def connect():
    client = socket.create_connection(SERVER, PATIENCE)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def receive(client, length):
    """Exactly so many bytes, or what came before the server closed."""
    data = b""
    while len(data) < length:
        more = client.recv(length - len(data))
        if not more:
            break
        data += more
    return data


def receive_all(client):
    data = b""
    while more := client.recv(65536):
        data += more
    return data


def exchange(client, message):
    client.sendall(message)
    return receive(client, len(message))


def pattern(length, seed=1):
    """Bytes in which every one out of place is noticed."""
    return random.Random(seed).randbytes(length)


def through(client, message, read=receive_all):
    """Sends a long message and reads at the same time: buffers are small, and back-pressure is real."""
    sender = threading.Thread(target=lambda: (client.sendall(message), client.shutdown(socket.SHUT_WR)))
    sender.start()
    try:
        return read(client)
    finally:
        sender.join(PATIENCE)


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def netcat(*options, message):
    program = shutil.which("nc")
    if program is None:
        raise unittest.TestCase.failureException("there is no netcat: install netcat-openbsd")
    host, port = SERVER
    done = subprocess.run([program, *options, host, str(port)], input=message, capture_output=True, timeout=PATIENCE)
    return done.stdout


def finish(client):
    """Closes in good order: once this returns, the server's slot is free."""
    with client, contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_WR)
        receive_all(client)


class Tcp(unittest.TestCase):
    def connect(self):
        client = connect()
        self.addCleanup(finish, client)
        return client

    def connect_to_every_slot(self):
        clients = []
        for _ in range(SLOTS):
            clients.append(self.connect())
            # Before the next one connects: QEMU's NAT has a backlog of one, and whoever finds it full waits for a second.
            self.assertEqual(exchange(clients[-1], b"here"), b"HERE")
        return clients

    def test_letters_come_back_as_capitals_and_all_else_unchanged(self):
        client = self.connect()
        data = bytes(range(256))
        self.assertEqual(exchange(client, data), data.upper())
        self.assertEqual(exchange(client, "grüße, 世界\n".encode()), "GRüßE, 世界\n".encode())

    def test_netcat(self):
        self.assertEqual(netcat("-N", message=b"Hello, World!\n"), b"HELLO, WORLD!\n")

    def test_a_conversation(self):
        client = self.connect()
        for turn in range(200):
            message = b"message %d" % turn
            self.assertEqual(exchange(client, message), message.upper())

    def test_as_many_clients_at_once_as_there_are_slots(self):
        clients = self.connect_to_every_slot()
        for turn in range(20):
            for index, client in enumerate(clients):
                client.sendall(b"client %d, turn %d" % (index, turn))
            for index, client in enumerate(clients):
                expected = b"CLIENT %d, TURN %d" % (index, turn)
                self.assertEqual(receive(client, len(expected)), expected)

    def test_one_client_more_is_served_once_another_leaves(self):
        clients = self.connect_to_every_slot()
        # Its SYN is dropped. Whether `connect` notices depends on what is in between: QEMU's NAT accepts on its own.
        late = socket.socket()
        self.addCleanup(finish, late)
        late.setblocking(False)
        late.connect_ex(SERVER)
        sent = self.wait_for(late, select.POLLOUT, SILENCE) and late.send(b"late")
        self.assertFalse(self.wait_for(late, select.POLLIN, SILENCE), "answered without a slot")
        for client in clients:
            self.assertEqual(exchange(client, b"still here"), b"STILL HERE")
        finish(clients.pop())
        late.settimeout(NEXT_SYN)
        if not sent:
            self.assertTrue(self.wait_for(late, select.POLLOUT, NEXT_SYN), "not connected though a slot is free")
            late.sendall(b"late")
        self.assertEqual(receive(late, 4), b"LATE")
        for client in clients:
            self.assertEqual(exchange(client, b"still here"), b"STILL HERE")

    def wait_for(self, client, event, seconds):
        poll = select.poll()
        poll.register(client, event)
        return bool(poll.poll(seconds * 1000))

    def test_what_was_sent_before_a_half_close_comes_back_whole(self):
        message = pattern(20_000)
        self.assertEqual(through(self.connect(), message), message.upper())

    def test_a_half_close_without_data_is_answered_by_a_close(self):
        client = self.connect()
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(client.recv(1), b"")

    def test_256_kib_through_one_connection(self):
        message = pattern(256 * 1024)
        self.assertEqual(through(self.connect(), message), message.upper())

    def test_64_kib_through_every_slot_at_once(self):
        messages = [pattern(64 * 1024, seed) for seed in range(SLOTS)]
        replies = [None] * SLOTS
        def client(index):
            replies[index] = through(connections[index], messages[index])
        connections = self.connect_to_every_slot()
        threads = [threading.Thread(target=client, args=[index]) for index in range(SLOTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for message, reply in zip(messages, replies):
            self.assertEqual(reply, message.upper())

    def test_a_thousand_connections_one_after_the_other(self):
        for number in range(1000):
            client = connect()
            message = b"connection %d" % number
            self.assertEqual(exchange(client, message), message.upper())
            finish(client)

    def test_resets_free_their_slots(self):
        for _ in range(3 * SLOTS):
            client = connect()
            self.assertEqual(exchange(client, b"reset"), b"RESET")
            reset(client)

    def test_a_client_that_does_not_read_holds_up_nobody_and_loses_nothing(self):
        message = pattern(100_000)
        slow, other = self.connect(), self.connect()
        sender = threading.Thread(target=lambda: (slow.sendall(message), slow.shutdown(socket.SHUT_WR)))
        sender.start()
        for turn in range(100):
            self.assertEqual(exchange(other, b"turn %d" % turn), b"TURN %d" % turn)
        self.assertEqual(receive_all(slow), message.upper())
        sender.join(PATIENCE)


class Udp(unittest.TestCase):
    def setUp(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.connect(SERVER)
        self.socket.settimeout(PATIENCE)

    def ask(self, message):
        self.socket.send(message)
        return self.socket.recv(65536)

    def test_netcat(self):
        self.assertEqual(netcat("-u", "-W", "1", message=b"Hello, World!\n"), b"HELLO, WORLD!\n")

    def test_one_datagram_for_one(self):
        for size in [0, 1, 1023, 1024]:
            message = pattern(size)
            self.assertEqual(self.ask(message), message.upper())

    def test_the_first_1024_bytes_of_a_longer_one(self):
        for size in [1025, 1472]:
            message = pattern(size)
            self.assertEqual(self.ask(message), message[:1024].upper())

    def test_many_clients(self):
        clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]
        for client in clients:
            self.addCleanup(client.close)
            client.connect(SERVER)
            client.settimeout(PATIENCE)
        for turn in range(20):
            for index, client in enumerate(clients):
                message = b"client %d, turn %d" % (index, turn)
                client.send(message)
                self.assertEqual(client.recv(65536), message.upper())

    def test_beside_tcp_in_every_slot(self):
        for _ in range(SLOTS):
            client = connect()
            self.addCleanup(finish, client)
            self.assertEqual(exchange(client, b"tcp"), b"TCP")
        self.assertEqual(self.ask(b"udp"), b"UDP")


class Result(unittest.TextTestResult):
    """Says how long each test took."""

    def startTest(self, test):
        self.begun = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        unittest.TestResult.addSuccess(self, test)
        self.stream.writeln(f"ok  ({time.monotonic() - self.begun:.2f} s)")

    def getDescription(self, test):
        return f"{type(test).__name__.lower()}: {test._testMethodName.removeprefix('test_').replace('_', ' ')}"


def run(*cases, only=None):
    """Runs all tests of these classes; true if they hold."""
    loader = unittest.TestLoader()
    if only:
        loader.testNamePatterns = [f"*{only}*"]
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in cases)
    return unittest.TextTestRunner(sys.stdout, verbosity=2, resultclass=Result).run(suite).wasSuccessful()


def main():
    global SERVER, SLOTS
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("server", metavar="HOST:PORT")
    parser.add_argument("--slots", type=int, default=SLOTS, help="how many clients the server serves at once [%(default)s]")
    parser.add_argument("--only", metavar="TEXT", help="only tests with this in their name")
    arguments = parser.parse_args()
    host, _, port = arguments.server.rpartition(":")
    SERVER, SLOTS = (host, int(port)), arguments.slots
    raise SystemExit(not run(Tcp, Udp, only=arguments.only))


if __name__ == "__main__":
    main()
