"""What the black-box list has to know of this board."""

# For each image of the server, the bytes that it may take: of program, which stands in RAM as there is no flash, and of
# the rest of RAM. They are for 256 slots, IPv6 and fragments; see memory.x.
BUDGETS = {"shout-riscv-virt": (128 * 1024, 932 * 1024)}
# What unused stack is full of: QEMU's RAM is zero at the start.
PAINT = bytes(4)

# As in src/main.rs.
SLOTS = 256
HARDWARE_ADDRESS = bytes.fromhex("020000000015")

# The images that test a part each: whether they end QEMU with success, and what is in their log's lines.
PARTS = {"panics": (False, b"on purpose"), "faults": (False, b"fault at"), "overflows": (False, b"fault at")}


def command(network):
    """QEMU's, but for the image and for what all boards share; `network` is what the virtio network is connected to."""
    machine = "qemu-system-riscv32 -M virt -bios none -serial stdio -nic none -global virtio-mmio.force-legacy=false"
    machine += " -object rng-random,id=entropy,filename=/dev/urandom -device virtio-rng-device,rng=entropy"
    if network != "none":
        machine += f" -netdev {network},id=net -device virtio-net-device,netdev=net,mac={HARDWARE_ADDRESS.hex(':')}"
    return machine.split()
