"""A board's image in QEMU: how large it is, how it is started, and what it looks like from outside while it runs."""

import json
import os
import select
import shutil
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

# Every board's image says so once it serves.
READY = b"listening"
# Seconds for whatever the image has to do, on a busy machine too.
PATIENCE = 60


class Image:
    """An ELF file."""

    def __init__(self, path):
        self.path = path
        self.bytes = Path(path).read_bytes()
        table, count, names = self.unpack("<I", 32)[0], *self.unpack("<HH", 48)
        headers = [self.unpack("<10I", at) for at in range(table, table + count * 40, 40)]
        self.sections, self.symbols = {}, {}
        for name, kind, flags, _, offset, size, link, *_ in headers:
            if flags & 2 and size:  # SHF_ALLOC
                self.sections[self.text(headers[names][4] + name)] = size
            if kind == 2:  # SHT_SYMTAB
                for at in range(offset, offset + size, 16):
                    symbol, value = self.unpack("<II", at)
                    self.symbols[self.text(headers[link][4] + symbol)] = value
        # Each board's memory.x has both; it is the linker that keeps them apart from all else.
        self.stack_end, start = self.symbols["_stack_end"], self.symbols["_stack_start"]
        self.stack = start - self.stack_end

    def unpack(self, fields, at):
        return struct.unpack_from(fields, self.bytes, at)

    def text(self, at):
        return self.bytes[at : self.bytes.index(b"\0", at)].decode()

    def program(self):
        """What stands in the image: in flash, where the board has any."""
        return sum(size for name, size in self.sections.items() if name not in (".bss", ".uninit", ".heap", ".stack"))

    def ram(self):
        """What is not in the image, and what is copied out of it."""
        return self.stack + sum(self.sections.get(name, 0) for name in (".data", ".bss", ".uninit"))

    def __str__(self):
        sizes = ", ".join(f"{name} {size}" for name, size in self.sections.items())
        return f"{self.path}\n  program {self.program():7} bytes\n  RAM     {self.ram():7} bytes ({sizes}, stack {self.stack})"


class Qemu:
    """A running machine; `network` is what its controller is connected to."""

    def __init__(self, board, image, network):
        self.image, self.paint = image, board.PAINT
        self.output = b""
        self.folder = tempfile.TemporaryDirectory()
        self.monitor_path = f"{self.folder.name}/monitor"
        command = board.command(network)
        command += "-display none -monitor none -qmp".split()
        command += [f"unix:{self.monitor_path},server=on,wait=off", "-kernel", image.path]
        if shutil.which(command[0]) is None:
            raise FileNotFoundError(f"there is no {command[0]}: the board's `run` says which package has it")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()

    def read(self, seconds=None):
        """What the image and QEMU write next; empty if QEMU has ended, or if nothing comes in time."""
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return b""
        more = os.read(self.process.stdout.fileno(), 65536)
        self.output += more
        return more

    def wait_for(self, text):
        """Waits until the image has written this."""
        while text not in self.output:
            if not self.read(PATIENCE):
                raise ChildProcessError(f"{self.image.path} does not write {text.decode()!r}, but:\n{self.output.decode()}")

    def assert_running(self):
        """An error if QEMU has ended, which it does when the image fails."""
        status = self.process.poll()
        if status is not None:
            self.read(0)
            raise ChildProcessError(f"QEMU ended with {status}; {self.image.path} wrote\n{self.output.decode()}")

    def processor_seconds(self):
        """What QEMU has used of the real machine's processor, which sleeps when the emulated one does."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stack_used(self):
        """The most bytes of stack that were ever in use, by the paint that is left."""
        self.assert_running()
        dump = Path(self.folder.name, "stack")
        arguments = {"val": self.image.stack_end, "size": self.image.stack, "filename": str(dump)}
        with socket.socket(socket.AF_UNIX) as monitor, monitor.makefile("rw") as lines:
            monitor.connect(self.monitor_path)
            lines.readline()  # the greeting
            for request in ({"execute": "qmp_capabilities"}, {"execute": "pmemsave", "arguments": arguments}):
                lines.write(json.dumps(request) + "\n")
                lines.flush()
                while "return" not in (answer := json.loads(lines.readline())):
                    if "error" in answer:
                        raise ChildProcessError(answer["error"]["desc"])
        stack = dump.read_bytes()
        left = 0
        while stack[left : left + 4] == self.paint:
            left += 4
        return len(stack) - left
