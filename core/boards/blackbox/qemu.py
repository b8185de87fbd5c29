"""The image in QEMU: how large it is, how it is started, and what it looks like from outside while it runs."""

import json
import os
import select
import shutil
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

# The chip's, and the parts of it that the image may take; see memory.x.
FLASH_BUDGET, RAM_BUDGET = 48 * 1024, 40 * 1024
RAM = 0x2000_0000
# cortex-m-rt's `paint-stack`.
PAINT = b"\xcc\xcc\xcc\xcc"

PROGRAM = "qemu-system-arm"
# The image says so over semihosting.
READY = b"listening"
# Seconds for whatever the image has to do, on a busy machine too.
PATIENCE = 60


class Image:
    """An ELF file."""

    def __init__(self, path):
        self.path = path
        octets = Path(path).read_bytes()
        table, count, names = struct.unpack("<I", octets[32:36])[0], *struct.unpack("<HH", octets[48:52])
        headers = [struct.unpack("<10I", octets[at : at + 40]) for at in range(table, table + count * 40, 40)]
        strings = headers[names][4]
        self.sections = {}
        for name, _, flags, address, offset, size, *_ in headers:
            if flags & 2 and size:  # SHF_ALLOC
                name = octets[strings + name : octets.index(b"\0", strings + name)].decode()
                self.sections[name] = size
                if name == ".vector_table":
                    self.stack = struct.unpack("<I", octets[offset : offset + 4])[0] - RAM

    def flash(self):
        return sum(size for name, size in self.sections.items() if name not in (".bss", ".uninit"))

    def ram(self):
        return self.stack + sum(self.sections.get(name, 0) for name in (".data", ".bss", ".uninit"))

    def __str__(self):
        sizes = ", ".join(f"{name} {size}" for name, size in self.sections.items())
        return f"{self.path}\n  flash {self.flash():6} octets\n  RAM   {self.ram():6} octets ({sizes}, stack {self.stack})"


class Qemu:
    """A running machine; `network` is what its controller is connected to."""

    def __init__(self, image, network):
        if shutil.which(PROGRAM) is None:
            raise FileNotFoundError(f"there is no {PROGRAM}: install qemu-system-arm")
        self.image = image
        self.output = b""
        self.folder = tempfile.TemporaryDirectory()
        self.monitor_path = f"{self.folder.name}/monitor"
        command = f"{PROGRAM} -M lm3s6965evb -display none -serial none -monitor none"
        command += " -semihosting-config enable=on,target=native"
        command += f" -qmp unix:{self.monitor_path},server=on,wait=off -nic {network},model=stellaris -kernel"
        self.process = subprocess.Popen(
            [*command.split(), image.path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
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
        """The most octets of stack that were ever in use, by the paint that is left."""
        self.assert_running()
        dump = Path(self.folder.name, "stack")
        arguments = {"val": RAM, "size": self.image.stack, "filename": str(dump)}
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
        while stack[left : left + 4] == PAINT:
            left += 4
        return len(stack) - left
