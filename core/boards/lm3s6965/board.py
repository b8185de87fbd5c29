"""What the black-box list has to know of this board."""

# For each image of the server, the bytes that it may take: of flash, and of RAM, see memory.x.
BUDGETS = {"shout-lm3s6965": (48 * 1024, 40 * 1024), "embassy": (52 * 1024, 40 * 1024)}
# What unused stack is full of: cortex-m-rt's `paint-stack`.
PAINT = b"\xcc\xcc\xcc\xcc"

# As in src/main.rs.
SLOTS = 8
HARDWARE_ADDRESS = bytes.fromhex("020000000015")

# The images that test a part each: whether they end QEMU with success, and what is in their log's lines.
PARTS = {"copies": (True, b""), "driver": (True, b""), "panics": (False, b"on purpose"), "faults": (False, b"fault at"), "overflows": (False, b"")}


def command(network):
    """QEMU's, but for the image and for what all boards share; `network` is what the Ethernet controller is connected to."""
    machine = "qemu-system-arm -M lm3s6965evb -serial none -semihosting-config enable=on,target=native"
    return [*machine.split(), "-nic", f"{network},model=stellaris"]
