//! A link to a network namespace in which servers run, and the packets that it drops.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::io::{self, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread;

use nix::sched::{CloneFlags, unshare};

use crate::isolation::{ip, sysctl};

/// This end of the link, where the clients are.
const CLIENT_DEVICE: &str = "client0";
const SERVER_DEVICE: &str = "server0";
/// The other end's addresses.
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 69, 0, 1);
pub(crate) const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd68, 0, 0, 0, 0, 0, 0, 1);

type Job = Box<dyn FnOnce() + Send>;

/// The link. The namespace at its other end lasts as long as this, or as a program that runs there.
#[derive(Debug)]
pub(crate) struct Link {
    /// To the thread that is in the other namespace. A namespace belongs to a thread, and programs inherit it.
    jobs: Sender<Job>,
}

impl Link {
    /// Makes the link and the namespace behind it. Nothing is lost on it at first.
    ///
    /// # Errors
    ///
    /// A sentence that says what cannot be set up.
    pub(crate) fn new() -> Result<Link, String> {
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::spawn(move || {
            for job in queue {
                job();
            }
        });
        let link = Link { jobs };
        link.run(|| {
            unshare(CloneFlags::CLONE_NEWNET)
                .map_err(|error| format!("cannot make a network namespace: {error}"))?;
            make_devices()
        })??;
        sysctl(&format!("ipv6/conf/{CLIENT_DEVICE}/disable_ipv6"), "0")?;
        set_up(CLIENT_DEVICE, "10.69.0.2/24", "fd68::2/64")?;
        ip(&format!("route add 192.168.0.0/16 via {SERVER}"))?;
        ip(&format!("-6 route add fd69::/16 via {SERVER_V6}"))?;
        Ok(link)
    }

    /// Runs something in the namespace at the other end.
    fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
        let (done, result) = mpsc::channel();
        let job = Box::new(move || {
            // Fails only if nobody waits for the result any more.
            let _ = done.send(job());
        });
        let gone = "the thread in the servers' namespace has ended";
        self.jobs.send(job).map_err(|_| gone)?;
        Ok(result.recv().map_err(|_| gone)?)
    }

    /// Starts a program at the other end.
    pub(crate) fn spawn(&self, mut command: Command) -> io::Result<Child> {
        self.run(move || command.spawn()).map_err(io::Error::other)?
    }

    /// Loses this share of the TCP segments in each direction from now on.
    ///
    /// Each end drops what arrives, not what it sends: a kernel that drops a packet of its own while sending tells its TCP
    /// about it.
    pub(crate) fn lose(&self, percent: u8) -> Result<(), String> {
        let rule =
            |device| format!("iifname {device:?} meta l4proto tcp numgen random mod 100 < {percent} drop");
        let rules = match percent {
            0 => [String::new(), String::new()],
            _ => [rule(CLIENT_DEVICE), rule(SERVER_DEVICE)],
        };
        self.set_rules(rules)
    }

    /// Loses the acknowledgements that a client sends without data, and nothing else. A reply is then acknowledged by the
    /// client's next request only, as if the client delayed its acknowledgement for so long.
    pub(crate) fn lose_bare_acknowledgements(&self) -> Result<(), String> {
        // A request from Linux has PSH.
        let rule = format!("iifname {SERVER_DEVICE:?} tcp flags & (fin | syn | rst | psh) == 0 drop");
        self.set_rules([String::new(), rule])
    }

    fn set_rules(&self, [here, there]: [String; 2]) -> Result<(), String> {
        set_rule(&here)?;
        self.run(move || set_rule(&there))?
    }
}

fn make_devices() -> Result<(), String> {
    // Without gso_max_segs, up to 64 KiB of the kernel-socket server's stream would pass the link as one packet, and be
    // lost as one, where shout's packets pass one by one.
    ip(&format!(
        "link add {SERVER_DEVICE} gso_max_segs 1 type veth peer name {CLIENT_DEVICE} gso_max_segs 1 netns {}",
        std::process::id()
    ))?;
    ip("link set lo up")?;
    set_up(SERVER_DEVICE, "10.69.0.1/24", "fd68::1/64")?;
    sysctl("ipv4/ip_forward", "1")?;
    sysctl("ipv6/conf/all/forwarding", "1")
}

fn set_up(device: &str, v4: &str, v6: &str) -> Result<(), String> {
    ip(&format!("address add {v4} dev {device}"))?;
    ip(&format!("address add {v6} dev {device} nodad"))?;
    ip(&format!("link set {device} up"))?;
    // Otherwise a connection would begin with what the kernel has learnt on the last one to the same address.
    sysctl("ipv4/tcp_no_metrics_save", "1")
}

/// Replaces the rule for arriving packets in the namespace of the calling thread.
fn set_rule(rule: &str) -> Result<(), String> {
    let ruleset = format!(
        "table inet loss {{}}\ndelete table inet loss\n\
         table inet loss {{\nchain arriving {{\ntype filter hook prerouting priority raw;\n{rule}\n}}\n}}\n"
    );
    let run = || {
        let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn()?;
        if let Some(mut input) = nft.stdin.take() {
            input.write_all(ruleset.as_bytes())?;
        }
        nft.wait()
    };
    let status = run().map_err(|error| format!("cannot run nft: {error}; install nftables"))?;
    if status.success() { Ok(()) } else { Err(format!("nft refused this, {status}:\n{ruleset}")) }
}
