//! The servers. Each runs as a process of its own.

pub(crate) mod floor;
pub(crate) mod kernel;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use std::{env, fs, thread};

use nix::unistd::Pid;

use crate::load::{Target, Transport};
use crate::loss::link::{self, Link};
use crate::servers::kernel::Manner;

/// A server to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The program, with these options.
    Shout(&'static str),
    /// Another build of the program, with these options.
    Other(&'static str),
    /// One thread on the kernel's sockets, with TCP_NODELAY. All other servers are compared with this one.
    Kernel,
    /// The same without TCP_NODELAY.
    KernelNagle,
    /// The same with TCP_NODELAY and a window that is no larger than `shout`'s with its default buffers.
    KernelSmallWindow,
    /// The threading servers of `tests/e2e/note`.
    Python,
    /// No TCP/IP stack: see [`floor`].
    Floor,
}

/// Where the programs are.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) shout: PathBuf,
    pub(crate) other: Option<PathBuf>,
    /// The directory for the servers' logs.
    pub(crate) logs: PathBuf,
}

/// Where a server runs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'l> {
    /// In the load generator's network namespace.
    Here,
    /// In the namespace at the other end of a link.
    Behind(&'l Link),
}

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(10);
const PORT: u16 = 8080;
/// Port 8080 of the loopback address is that of the Python servers.
const KERNEL_PORT: u16 = 8081;
const KERNEL_NAGLE_PORT: u16 = 8082;
const KERNEL_SMALL_WINDOW_PORT: u16 = 8083;
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/note");

/// A running server, killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    /// Behind a link only. In the load generator's namespace there is no IPv6.
    v6: Option<SocketAddr>,
}

/// How a server is started, and its addresses.
struct Recipe {
    command: Command,
    address: SocketAddr,
    v6: Option<SocketAddr>,
}

impl Kind {
    pub(crate) fn label(self) -> String {
        match self {
            Kind::Shout(options) => format!("shout {options}").trim_end().to_owned(),
            Kind::Other(options) => format!("other {}", Kind::Shout(options).label()),
            Kind::Kernel => "kernel sockets".to_owned(),
            Kind::KernelNagle => "kernel sockets with Nagle".to_owned(),
            Kind::KernelSmallWindow => "kernel sockets, small window".to_owned(),
            Kind::Python => "Python".to_owned(),
            Kind::Floor => "floor".to_owned(),
        }
    }

    /// The same server of the other build, if it is the program.
    pub(crate) fn of_other_build(self) -> Option<Kind> {
        match self {
            Kind::Shout(options) => Some(Kind::Other(options)),
            _ => None,
        }
    }

    /// Starts the server, as the `number`th of those that run at the same time, and waits until it echoes.
    ///
    /// # Errors
    ///
    /// A sentence that says which server does not serve and why, followed by its log.
    pub(crate) fn start(
        self,
        number: u8,
        transport: Transport,
        programs: &Programs,
        place: Place<'_>,
    ) -> Result<Server, String> {
        let label = self.label();
        let Recipe { mut command, address, v6 } = match place {
            Place::Here => self.here(number, transport, programs)?,
            Place::Behind(_) => self.behind_a_link(number, programs)?,
        };
        let log = programs.logs.join(format!("{}.log", label.replace(' ', "_")));
        let errors = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let program = command.get_program().to_owned();
        let child = match place {
            Place::Here => command.spawn(),
            Place::Behind(link) => link.spawn(command),
        };
        let child =
            child.map_err(|error| format!("cannot start {label} ({}): {error}", program.display()))?;
        let mut server = Server { child, address, v6 };
        server.await_echo(transport).map_err(|error| {
            let said = fs::read_to_string(&log).unwrap_or_default();
            format!("{label} does not serve: {error}\n{said}")
        })?;
        Ok(server)
    }

    /// Each TUN device has a subnet of its own.
    fn here(self, number: u8, transport: Transport, programs: &Programs) -> Result<Recipe, String> {
        let (own, host) = subnet(number);
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let recipe = |command, address| Recipe { command, address, v6: None };
        Ok(match self {
            Kind::Shout(_) | Kind::Other(_) => recipe(self.shout(number, programs)?, (own, PORT).into()),
            Kind::Kernel | Kind::KernelNagle | Kind::KernelSmallWindow => {
                let (port, manner) = self.of_kernel();
                kernel_sockets(loopback(port), loopback(port), manner)?
            }
            Kind::Floor => {
                let command = itself(&["--serve-floor", &format!("floor{number}"), &format!("{host}/24")])?;
                recipe(command, (own, PORT).into())
            }
            Kind::Python => {
                let script = match transport {
                    Transport::Tcp => "tcp_server.py",
                    Transport::Udp => "udp_server_threading.py",
                };
                let mut command = Command::new("python3");
                command.arg(Path::new(SCRIPTS).join(script));
                recipe(command, loopback(PORT))
            }
        })
    }

    fn behind_a_link(self, number: u8, programs: &Programs) -> Result<Recipe, String> {
        match self {
            Kind::Shout(_) | Kind::Other(_) => {
                let [own, host] =
                    [1, 0x100].map(|end| Ipv6Addr::new(0xfd69, 0, 0, number.into(), 0, 0, 0, end));
                let mut command = self.shout(number, programs)?;
                command.args(["--address", &format!("{own}/64"), "--host-address", &format!("{host}/64")]);
                let address = (subnet(number).0, PORT).into();
                Ok(Recipe { command, address, v6: Some((own, PORT).into()) })
            }
            Kind::Kernel | Kind::KernelNagle | Kind::KernelSmallWindow => {
                let (port, manner) = self.of_kernel();
                let everywhere = (Ipv6Addr::UNSPECIFIED, port).into();
                let recipe = kernel_sockets(everywhere, (link::SERVER, port).into(), manner)?;
                Ok(Recipe { v6: Some((link::SERVER_V6, port).into()), ..recipe })
            }
            Kind::Python | Kind::Floor => Err(format!("{} does not run behind a link", self.label())),
        }
    }

    /// Port and manner of a server on kernel sockets.
    fn of_kernel(self) -> (u16, Manner) {
        match self {
            Kind::KernelNagle => (KERNEL_NAGLE_PORT, Manner::Nagle),
            Kind::KernelSmallWindow => (KERNEL_SMALL_WINDOW_PORT, Manner::SmallWindow),
            _ => (KERNEL_PORT, Manner::NoDelay),
        }
    }

    /// The program with its options, a device and the IPv4 addresses of its subnet.
    fn shout(self, number: u8, programs: &Programs) -> Result<Command, String> {
        let (program, options) = match self {
            Kind::Other(options) => (programs.other.as_ref().ok_or("there is no other program")?, options),
            Kind::Shout(options) => (&programs.shout, options),
            _ => (&programs.shout, ""),
        };
        let (own, host) = subnet(number);
        let mut command = Command::new(program);
        command.args(["--tun", &format!("shout{number}"), "--address", &format!("{own}/24")]);
        command.args(["--host-address", &format!("{host}/24")]).args(options.split_whitespace());
        Ok(command)
    }
}

/// The server's address in the subnet of this number, and the host's.
fn subnet(number: u8) -> (Ipv4Addr, Ipv4Addr) {
    (Ipv4Addr::new(192, 168, 69 + number, 1), Ipv4Addr::new(192, 168, 69 + number, 100))
}

fn kernel_sockets(bind: SocketAddr, address: SocketAddr, manner: Manner) -> Result<Recipe, String> {
    let command = itself(&["--serve-kernel", &bind.to_string(), manner.name()])?;
    Ok(Recipe { command, address, v6: None })
}

/// This program in another role.
fn itself(arguments: &[&str]) -> Result<Command, String> {
    let mut command = Command::new(env::current_exe().map_err(|error| error.to_string())?);
    command.args(arguments);
    Ok(command)
}

impl Server {
    pub(crate) fn target(&self) -> Target {
        Target { address: self.address, process: self.process() }
    }

    /// The same over IPv6, if the server can be reached so.
    pub(crate) fn target_v6(&self) -> Option<Target> {
        Some(Target { address: self.v6?, process: self.process() })
    }

    fn process(&self) -> Pid {
        // A process id is a positive number of 22 bits at most.
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Not every server says when it is ready, so each is sent messages until it echoes one.
    fn await_echo(&mut self, transport: Transport) -> Result<(), String> {
        let started = Instant::now();
        loop {
            let asked = ask(self.address, transport);
            let asked = asked.and_then(|()| self.v6.map_or(Ok(()), |address| ask(address, transport)));
            let Err(error) = asked else { return Ok(()) };
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("it has ended: {status}"));
            }
            if started.elapsed() > PATIENCE {
                return Err(error.to_string());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

fn ask(address: SocketAddr, transport: Transport) -> std::io::Result<()> {
    let limit = Duration::from_millis(500);
    let mut echo = [0];
    match transport {
        Transport::Tcp => {
            let mut stream = TcpStream::connect_timeout(&address, limit)?;
            stream.set_read_timeout(Some(limit))?;
            stream.write_all(b"a")?;
            stream.read_exact(&mut echo)
        }
        Transport::Udp => {
            let any: IpAddr =
                if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            let socket = UdpSocket::bind((any, 0))?;
            socket.connect(address)?;
            socket.set_read_timeout(Some(limit))?;
            socket.send(b"a")?;
            socket.recv(&mut echo).map(|_| ())
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails only if the server has ended by itself, and then its failure has been reported already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
