//! Several machines, each a network namespace, connected by virtual Ethernet pairs.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process;
use std::thread;

use nix::sched::{CloneFlags, setns};

use crate::namespace::{ip, isolate_thread, sysctl};

/// A machine; gone with its wires when neither this nor a program on it is left.
pub(crate) struct Machine(File);

impl Machine {
    pub(crate) fn new() -> Self {
        let isolated = || {
            isolate_thread();
            File::open("/proc/thread-self/ns/net").unwrap()
        };
        Self(thread::spawn(isolated).join().unwrap())
    }

    /// What the calling thread does from now on, and the programs that it starts, is on this machine.
    pub(crate) fn enter(&self) {
        setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
    }

    /// As `ip` finds it.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.0.as_raw_fd())
    }
}

/// One end of a wire: a machine, its interface there, and that interface's address.
pub(crate) type End<'a> = (&'a Machine, &'a str, &'a str);

/// Puts a wire of this MTU between two machines, and leaves the calling thread on the second.
pub(crate) fn wire(mtu: u16, (one, one_name, one_address): End<'_>, (other, name, address): End<'_>) {
    one.enter();
    ip(&format!("link add {one_name} mtu {mtu} type veth peer name {name} mtu {mtu} netns {}", other.path()));
    for (machine, name, address) in [(one, one_name, one_address), (other, name, address)] {
        machine.enter();
        ip(&format!("link set {name} up"));
        if !address.is_empty() {
            ip(&format!("address add {address} dev {name}"));
        }
    }
}

/// The machine's way to all that is on no wire of its own.
pub(crate) fn gateway(machine: &Machine, gateway: &str) {
    machine.enter();
    ip(&format!("route add default via {gateway}"));
}

/// A client's machine and one on the internet with the address 203.0.113.80, and a provider between them, on whose
/// network packets are smaller.
pub(crate) struct Internet {
    pub(crate) client: Machine,
    pub(crate) cloud: Machine,
    _routers: [Machine; 2],
}

impl Internet {
    pub(crate) fn new() -> Self {
        let [client, near, far, cloud] = [(); 4].map(|()| Machine::new());
        wire(1500, (&client, "eth0", "198.51.100.10/24"), (&near, "eth0", "198.51.100.1/24"));
        wire(1400, (&near, "eth1", "192.0.2.1/30"), (&far, "eth1", "192.0.2.2/30"));
        wire(1500, (&cloud, "eth0", "203.0.113.80/24"), (&far, "eth0", "203.0.113.1/24"));
        gateway(&client, "198.51.100.1");
        gateway(&near, "192.0.2.2");
        gateway(&far, "192.0.2.1");
        gateway(&cloud, "203.0.113.1");
        for router in [&near, &far] {
            router.enter();
            sysctl("ipv4/ip_forward", "1");
        }
        Self { client, cloud, _routers: [near, far] }
    }
}
