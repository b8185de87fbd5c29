"""Tests of a board's image in QEMU, and with `--host` of the program on Linux by the same lists.

Started by the `run` of a board, and by `host` of this folder.
"""

import argparse
import contextlib
import importlib.util
import signal
import socket
import subprocess
import unittest
from ipaddress import IPv4Address
from pathlib import Path

import blackbox
import wire
from emulator import PATIENCE, READY, Image, Qemu
from links import Ethernet, Tap, Tun

# As in each board's src/main.rs: of QEMU's user-mode network.
ADDRESS, ROUTER, PEER, NEIGHBOUR, STRANGER = (IPv4Address(f"10.0.2.{host}") for host in (15, 2, 77, 78, 79))
# As the program is given it, over TAP.
HOST_HARDWARE_ADDRESS = bytes.fromhex("020000000015")
# As the program's defaults.
HOST_ADDRESS, HOST_PEER, HOST_NEIGHBOUR, HOST_STRANGER = (IPv4Address(f"192.168.69.{host}") for host in (1, 77, 78, 79))


def forward(port):
    """User-mode networking: no privileges, and the image is reached at a port of loopback."""
    to = f"127.0.0.1:{port}-{ADDRESS}:{wire.PORT}"
    return f"user,hostfwd=tcp:{to},hostfwd=udp:{to}"


def free_port():
    """A port that neither TCP nor UDP uses just now: QEMU cannot choose one."""
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(tcp.getsockname())
        return tcp.getsockname()[1]


def board_at(folder):
    """The board.py there: see README.md beside this folder."""
    spec = importlib.util.spec_from_file_location("board", folder / "board.py")
    board = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(board)
    return board


@contextlib.contextmanager
def running(board, image, network):
    """The image, up and running, which it must still be in the end."""
    with Qemu(board, image, network) as machine:
        machine.wait_for(READY)
        yield machine
        machine.assert_running()


class Parts(unittest.TestCase):
    """Small images, each for one thing. The text is looked for in those with log lines."""

    board = log = None
    folders = ()

    def test_each_image_of_a_part_ends_as_it_should(self):
        for name, (succeeds, text) in self.board.PARTS.items():
            for folder in self.folders:
                with self.subTest(name, folder=folder.name), Qemu(self.board, Image(folder / name), "none") as machine:
                    status = machine.process.wait(PATIENCE)
                    machine.read()
                    self.assertEqual(status == 0, succeeds, machine.output)
                    if folder == self.log:
                        self.assertIn(text, machine.output)


class Log(unittest.TestCase):
    board = image = None

    def test_connections_are_logged(self):
        port = free_port()
        blackbox.SERVER = ("127.0.0.1", port)
        with running(self.board, self.image, forward(port)) as machine:
            client = blackbox.connect()
            machine.wait_for(b" connected")
            blackbox.finish(client)
            machine.wait_for(b" closed")


class Sleep(wire.Wire):
    machine = None

    def test_20_s_of_sleep_then_a_silent_peer_is_probed(self):
        mine, theirs = self.connect()
        watch, used = wire.Stopwatch(self.process), self.machine.processor_seconds()
        probe = self.segment(25)
        late, used = watch.late(20), self.machine.processor_seconds() - used
        self.assertIsNotNone(probe, "no probe")
        self.assertAlmostEqual(late, 0, delta=wire.LATE)
        self.assertLess(used, 0.5, "seconds of the processor's time in 20")
        self.end(mine, theirs)


class Budget(unittest.TestCase):
    image = program = ram = None

    def test_program(self):
        self.assertLessEqual(self.image.program(), self.program)

    def test_ram(self):
        self.assertLessEqual(self.image.ram(), self.ram)


class Stack(unittest.TestCase):
    image = None
    used = 0

    def test_a_quarter_of_it_is_left(self):
        self.assertLessEqual(self.used, self.image.stack * 3 // 4)


def check_image(board, image, log_image, only):
    print(image)
    Budget.program, Budget.ram = board.BUDGETS[image.path.name]
    print(f"  left    {Budget.program - image.program():7} bytes for the program in the budget, {Budget.ram - image.ram()} of RAM")
    print(f"with log lines: {log_image}", flush=True)
    blackbox.SLOTS = board.SLOTS
    Parts.board = Log.board = board
    Budget.image = Stack.image = image
    good = blackbox.run(Budget)
    Parts.folders, Parts.log = (image.path.parent, log_image.path.parent), log_image.path.parent
    Log.image = log_image
    good &= blackbox.run(Parts, Log, only=only)

    port = free_port()
    blackbox.SERVER = ("127.0.0.1", port)
    with running(board, image, forward(port)) as machine:
        good &= blackbox.run(blackbox.Tcp, blackbox.Udp, only=only)
        Stack.used = machine.stack_used()

    link = Ethernet(board.HARDWARE_ADDRESS, ADDRESS)
    link.emulator = free_port()
    wire.Wire.link, wire.Wire.server, wire.Wire.peer = link, ADDRESS, PEER
    wire.Frames.neighbour, wire.Frames.router, wire.Duties.stranger = NEIGHBOUR, ROUTER, STRANGER
    network = f"socket,udp=127.0.0.1:{link.port},localaddr=127.0.0.1:{link.emulator}"
    with running(board, image, network) as Sleep.machine:
        wire.Wire.process = Sleep.machine.process.pid
        wire.Duties.announced = link.announced(wire.PATIENCE)
        # As every neighbour does that speaks first.
        link.ask_arp(PEER, ADDRESS)
        good &= blackbox.run(wire.Frames, wire.Duties, wire.Packets, Sleep, only=only)
        Stack.used = max(Stack.used, Sleep.machine.stack_used())

    print(f"  stack {Stack.used:6} bytes used at most, of {image.stack}", flush=True)
    return blackbox.run(Stack, only=only) and good


@contextlib.contextmanager
def host(program, *options):
    """The program, up and running, which must end well when it is asked to."""
    command = [program, "--connections", str(blackbox.SLOTS), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as server:
        while b"listening on" not in (line := server.stderr.readline()):
            if not line:
                raise ChildProcessError(f"{program} ended with {server.wait()}")
        wire.Wire.process = server.pid
        try:
            yield
        finally:
            server.send_signal(signal.SIGTERM)
            server.stderr.read()
        if server.wait():
            raise ChildProcessError(f"{program} ended with {server.returncode}")


def check_host(program, only):
    """In a network namespace of its own, which `run` has made."""
    blackbox.SERVER = (str(HOST_ADDRESS), wire.PORT)
    wire.Wire.server, wire.Wire.peer = HOST_ADDRESS, HOST_PEER
    with host(program):
        wire.Wire.link = Tun("shout0")
        good = blackbox.run(blackbox.Tcp, blackbox.Udp, wire.Packets, only=only)
    print("over TAP:", flush=True)
    with host(program, "--tap", "--mac", HOST_HARDWARE_ADDRESS.hex(":")):
        wire.Wire.link = link = Tap("shout0", HOST_HARDWARE_ADDRESS, HOST_ADDRESS)
        wire.Frames.neighbour, wire.Duties.stranger = HOST_NEIGHBOUR, HOST_STRANGER
        # The second time at the latest: the first may be over.
        wire.Duties.announced = link.announced(wire.PATIENCE)
        link.ask_arp(HOST_PEER, HOST_ADDRESS)
        lists = (blackbox.Tcp, blackbox.Udp, wire.Frames, wire.Duties, wire.Packets)
        return blackbox.run(*lists, only=only) and good


def serve(board, image, port):
    with Qemu(board, image, forward(port)) as machine:
        print(f"try `nc 127.0.0.1 {port}` and `nc -u 127.0.0.1 {port}`; ^C ends it", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            while text := machine.read():
                print(text.decode(errors="replace"), end="", flush=True)
            print(f"QEMU ended with {machine.process.wait()}")
            return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--board", type=Path, metavar="FOLDER", help="the board that the image is for")
    parser.add_argument("program", type=Path, help="the image, or the program for Linux")
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--log", type=Path, metavar="IMAGE", help="test the image, and this one with log lines")
    way.add_argument("--serve", type=int, metavar="PORT", help="only run the image, reached at this port of loopback")
    way.add_argument("--host", action="store_true", help="test the program for Linux")
    parser.add_argument("--only", metavar="TEXT", help="only tests with this in their name")
    arguments = parser.parse_args()
    program, only = arguments.program, arguments.only
    if arguments.host:
        good = check_host(program, only)
    elif arguments.serve:
        good = serve(board_at(arguments.board), Image(program), arguments.serve)
    else:
        good = check_image(board_at(arguments.board), Image(program), Image(arguments.log), only)
    raise SystemExit(not good)


def end(*_):
    raise SystemExit(1)


if __name__ == "__main__":
    # Not at once: QEMU would run on.
    signal.signal(signal.SIGTERM, end)
    main()
