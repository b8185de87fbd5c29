//! The servers, each a process of its own.

pub(crate) mod floor;
pub(crate) mod kernel;

use core::net::{Ipv4Addr, SocketAddrV4};
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

/// A server to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The program, with these options.
    Shout(&'static str),
    /// Another build of it, to compare with.
    Other(&'static str),
    /// One thread on the kernel's sockets.
    Kernel,
    /// The same with Nagle's algorithm off.
    KernelNoDelay,
    /// The seed's script.
    Python,
    /// No stack at all.
    Floor,
}

/// Where the programs are.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) shout: PathBuf,
    pub(crate) other: Option<PathBuf>,
    /// For what the servers write.
    pub(crate) logs: PathBuf,
}

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(10);
const PORT: u16 = 8080;
/// The seed's scripts have the other one.
const KERNEL: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8081);
const KERNEL_NO_DELAY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8082);
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/note");

/// A running server, killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: SocketAddrV4,
}

impl Kind {
    pub(crate) fn label(self) -> String {
        match self {
            Kind::Shout(options) => format!("shout {options}").trim_end().to_owned(),
            Kind::Other(options) => format!("other {}", Kind::Shout(options).label()),
            Kind::Kernel => "kernel sockets".to_owned(),
            Kind::KernelNoDelay => "kernel sockets TCP_NODELAY".to_owned(),
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
    pub(crate) fn start(
        self,
        number: u8,
        transport: Transport,
        programs: &Programs,
    ) -> Result<Server, String> {
        let label = self.label();
        let (mut command, address) = self.command(number, transport, programs)?;
        let log = programs.logs.join(format!("{}.log", label.replace(' ', "_")));
        let errors = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let child = command
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("cannot start {label} ({:?}): {error}", command.get_program()))?;
        let mut server = Server { child, address };
        server.await_echo(transport).map_err(|error| {
            let said = fs::read_to_string(&log).unwrap_or_default();
            format!("{label} does not serve: {error}\n{said}")
        })?;
        Ok(server)
    }

    /// How it is started, and where it is then. Each TUN device has a subnet of its own.
    fn command(
        self,
        number: u8,
        transport: Transport,
        programs: &Programs,
    ) -> Result<(Command, SocketAddrV4), String> {
        let own = Ipv4Addr::new(192, 168, 69 + number, 1);
        let host = Ipv4Addr::new(192, 168, 69 + number, 100);
        let shout = |program: &Path, options: &str| {
            let mut command = Command::new(program);
            command.args(["--tun", &format!("shout{number}"), "--address", &format!("{own}/24")]);
            command.args(["--host-address", &format!("{host}/24")]).args(options.split_whitespace());
            (command, SocketAddrV4::new(own, PORT))
        };
        Ok(match self {
            Kind::Shout(options) => shout(&programs.shout, options),
            Kind::Other(options) => {
                shout(programs.other.as_deref().ok_or("there is no other program")?, options)
            }
            Kind::Kernel => (itself(&["--serve-kernel", &KERNEL.to_string(), "nagle"])?, KERNEL),
            Kind::KernelNoDelay => {
                (itself(&["--serve-kernel", &KERNEL_NO_DELAY.to_string(), "no-delay"])?, KERNEL_NO_DELAY)
            }
            Kind::Floor => {
                let command = itself(&["--serve-floor", &format!("floor{number}"), &format!("{host}/24")])?;
                (command, SocketAddrV4::new(own, PORT))
            }
            Kind::Python => {
                let script = match transport {
                    Transport::Tcp => "tcp_server.py",
                    Transport::Udp => "udp_server_threading.py",
                };
                let mut command = Command::new("python3");
                command.arg(Path::new(SCRIPTS).join(script));
                (command, SocketAddrV4::new(Ipv4Addr::LOCALHOST, PORT))
            }
        })
    }
}

/// This program in another role.
fn itself(arguments: &[&str]) -> Result<Command, String> {
    let mut command = Command::new(env::current_exe().map_err(|error| error.to_string())?);
    command.args(arguments);
    Ok(command)
}

impl Server {
    pub(crate) fn target(&self) -> Target {
        // A process id is a positive number of 22 bits at most.
        let process = Pid::from_raw(self.child.id().cast_signed());
        Target { address: self.address, process }
    }

    /// Not all of them say when they are ready, so each is asked until it answers.
    fn await_echo(&mut self, transport: Transport) -> Result<(), String> {
        let started = Instant::now();
        loop {
            let Err(error) = ask(self.address, transport) else { return Ok(()) };
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

fn ask(address: SocketAddrV4, transport: Transport) -> std::io::Result<()> {
    let limit = Duration::from_millis(500);
    let mut echo = [0];
    match transport {
        Transport::Tcp => {
            let mut stream = TcpStream::connect_timeout(&address.into(), limit)?;
            stream.set_read_timeout(Some(limit))?;
            stream.write_all(b"a")?;
            stream.read_exact(&mut echo)
        }
        Transport::Udp => {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            socket.connect(address)?;
            socket.set_read_timeout(Some(limit))?;
            socket.send(b"a")?;
            socket.recv(&mut echo).map(|_| ())
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails only if the server has ended by itself, which has been told.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
