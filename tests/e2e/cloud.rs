//! The server on a machine in a cloud, with one public address, behind NAT: program S7 of the teaching note
//! (`note/README.md`), and what else such a deployment meets.

use core::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::thread;
use std::time::Instant;

use nix::libc;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn, bind, socket};

use crate::cloud_network::{Internet, Machine, gateway, wire};
use crate::deploy::{file, public};
use crate::forged::{self, Forger};
use crate::namespace::{ip, sysctl};
use crate::note_programs;
use crate::program::{LIMIT, run};
use crate::server::Server;
use crate::sockets::{
    ask, assert_echo, assert_shouted, bulk, comes_within, connect, exchange, local, pattern, read_to_end, udp,
};

tests![
    s7_cloud_deployment,
    a_smaller_mtu_on_the_way_does_not_stall_large_buffers,
    nothing_is_public_until_the_interface_is_named,
    one_source_cannot_take_everything,
    nor_can_it_after_a_flood_from_forged_sources,
    three_machines_behind_one_address,
];

/// The public address of the cloud machine.
const PUBLIC: &str = "203.0.113.80:8080";

/// A server on the cloud machine, reached through the public interface; the calling thread is the client's then.
#[track_caller]
fn serve(internet: &Internet, options: &[&str]) -> Server {
    internet.cloud.enter();
    let server = Server::start(options);
    public("ExecStart");
    internet.client.enter();
    server
}

/// Switches a ruleset on, on the calling thread's machine.
#[track_caller]
fn load(ruleset: &str) {
    let output = run(
        Command::new("/usr/sbin/nft").args(["--define", "public=eth0", "--file", "-"]),
        ruleset.as_bytes(),
    );
    assert!(output.status.success(), "{output}");
}

/// A TCP client with one of this machine's addresses, which waits for a connection for `limit` at most.
fn connect_from(source: Ipv4Addr, limit: Duration) -> io::Result<TcpStream> {
    let stream =
        TcpStream::from(socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?);
    stream.set_read_timeout(Some(LIMIT))?;
    // On Linux it holds for connect(2) too: socket(7).
    stream.set_write_timeout(Some(limit))?;
    bind(stream.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(source, 0)))?;
    let server: SocketAddrV4 = PUBLIC.parse().unwrap();
    socket::connect(stream.as_raw_fd(), &SockaddrIn::from(server))?;
    Ok(stream)
}

/// A UDP client with one of this machine's addresses.
fn udp_from(source: Ipv4Addr) -> UdpSocket {
    let socket = UdpSocket::bind((source, 0)).unwrap();
    socket.connect(PUBLIC).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}

fn s7_cloud_deployment() {
    let internet = Internet::new();
    let server = serve(&internet, &[]);
    let address = "203.0.113.80";
    for (program, lines, expected) in [
        (note_programs::TCP_CLIENT, "hello\n\n world \n", ">>: HELLO\n>>: >>: WORLD\n>>: "),
        (note_programs::UDP_CLIENT, "hello\n world \n", ">>: HELLO\n>>: WORLD\n>>: "),
    ] {
        let output = run(&mut note_programs::client_of(program, address), lines.as_bytes());
        assert_eq!(output.stdout(), expected, "{output}");
    }
    // The client's own address, neither the cloud machine's nor a router's.
    server.log().wait_for_line(&["198.51.100.10:", " connected"]);
    let mut stream = connect(PUBLIC);
    assert_echo(&mut stream);
    server.logs_arrival(local(&stream));

    let data = pattern(1 << 20);
    assert_shouted(&data, &bulk(stream, &data));
    // Fragmented twice on its way, and answered with what recvfrom(1024) would have given.
    assert_shouted(&data[..1024], &ask(&udp(PUBLIC), &data[..2020]));
    assert_eq!(server.terminate().code(), Some(0));
}

fn a_smaller_mtu_on_the_way_does_not_stall_large_buffers() {
    let internet = Internet::new();
    let _server = serve(&internet, &["--buffer", "65535"]);
    let data = pattern(4 << 20);
    let start = Instant::now();
    assert_shouted(&data, &bulk(connect(PUBLIC), &data));
    // A message and a reply that both take many segments.
    assert_shouted(&data[..50_000], &exchange(&mut connect(PUBLIC), &data[..50_000]));
    // Were each buffer's last segments to wait for a retransmission, it would take longer.
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
}

fn nothing_is_public_until_the_interface_is_named() {
    let internet = Internet::new();
    let neighbour = Machine::new();
    wire(1500, (&internet.cloud, "eth1", "10.0.0.1/24"), (&neighbour, "eth0", "10.0.0.2/24"));
    internet.cloud.enter();
    let _server = Server::start(&[]);
    let refused = |client: &Machine, address: &str| {
        client.enter();
        let result = TcpStream::connect_timeout(&address.parse().unwrap(), LIMIT);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        internet.cloud.enter();
    };
    refused(&internet.client, PUBLIC);
    public("ExecStart");
    // After a change of the file.
    public("ExecReload");
    refused(&neighbour, "10.0.0.1:8080");
    internet.client.enter();
    assert_echo(&mut connect(PUBLIC));
    internet.cloud.enter();
    public("ExecStop");
    refused(&internet.client, PUBLIC);
}

fn one_source_cannot_take_everything() {
    let internet = Internet::new();
    let _server = serve(&internet, &["--per-source", "64"]);
    for host in [11, 12] {
        ip(&format!("address add 198.51.100.{host}/24 dev eth0"));
    }
    let [greedy, modest, hasty] = [10, 11, 12].map(|host| Ipv4Addr::new(198, 51, 100, host));
    let mut streams: Vec<_> = (0..64).map(|_| connect_from(greedy, LIMIT).unwrap()).collect();
    streams.iter_mut().for_each(assert_echo);
    let error = connect_from(greedy, Duration::from_millis(500)).unwrap_err();
    // Nobody says no: the SYN is dropped, as the server itself does it.
    assert_eq!(error.raw_os_error(), Some(libc::EINPROGRESS), "{error}");
    assert_echo(&mut connect_from(modest, LIMIT).unwrap());
    // One that goes makes room for another.
    drop(streams.pop());
    assert_echo(&mut connect_from(greedy, LIMIT).unwrap());

    assert_rates_are_limited(hasty, greedy);
    assert_eq!(ask(&udp_from(modest), b"and i?"), b"AND I?");
}

/// The rules count in sets of 65,536 elements: what is done when they are full?
fn nor_can_it_after_a_flood_from_forged_sources() {
    let internet = Internet::new();
    let _server = serve(&internet, &[]);
    ip("address add 198.51.100.12/24 dev eth0");
    let [greedy, hasty] = [10, 12].map(|host| Ipv4Addr::new(198, 51, 100, host));
    let forger = Forger::new();
    let public: SocketAddrV4 = PUBLIC.parse().unwrap();
    for number in 0..100_000 {
        let source = SocketAddrV4::new(Ipv4Addr::from_bits(0x0a00_0000 + number), 50_000);
        forger.send(&forged::syn(source, public, number), *public.ip());
        forger.send(&forged::datagram(source, public), *public.ip());
    }
    // Whoever comes now is served. By then the packets before it are through.
    assert_echo(&mut connect_from(greedy, LIMIT).unwrap());
    assert_rates_are_limited(hasty, greedy);
}

/// Checks how many connections and datagrams a second the first and the second source may have.
#[track_caller]
fn assert_rates_are_limited(hasty: Ipv4Addr, talkative: Ipv4Addr) {
    // Connections one after the other: a hundred, and then 20 a second.
    let start = Instant::now();
    let connects = |_: &u32| {
        connect_from(hasty, Duration::from_millis(200)).is_ok_and(|mut stream| {
            stream.shutdown(Shutdown::Write).unwrap();
            read_to_end(&mut stream).is_empty()
        })
    };
    let connected = (0..1000).take_while(connects).count() as f64;
    let most = 101.0 + 20.0 * start.elapsed().as_secs_f64();
    // A few forged sources, as it were, have used up some of it.
    assert!((90.0..=most).contains(&connected), "{connected} connections, not {most} at most");

    // Datagrams: 400, and then 200 a second. Read in between, so that none is lost here.
    let socket = udp_from(talkative);
    let start = Instant::now();
    let (mut replies, mut last) = (0, Duration::ZERO);
    let mut read = |wait| {
        while comes_within(&socket, wait) {
            replies += 1;
            // What has been answered by now was let through before.
            last = start.elapsed();
        }
    };
    for _ in 0..10 {
        for _ in 0..100 {
            socket.send(b"flood").unwrap();
        }
        read(Duration::from_millis(20));
    }
    // The server answers in order, so that the replies are on their way by the time that this client is served.
    assert_echo(&mut connect_from(talkative, LIMIT).unwrap());
    read(Duration::from_millis(300));
    let most = 401.0 + 200.0 * last.as_secs_f64();
    assert!((390.0..=most).contains(&f64::from(replies)), "{replies} replies, not {most} at most");
}

fn three_machines_behind_one_address() {
    let internet = Internet::new();
    // The cloud machine is the balancer now: no server is there.
    internet.cloud.enter();
    ip("link add eth1 type bridge");
    ip("link set eth1 up");
    ip("address add 10.0.0.1/24 dev eth1");
    sysctl("ipv4/ip_forward", "1");
    let spread = file("spread.nft");
    load(&spread);
    let mut servers = Vec::from([11, 12, 13].map(|host| {
        let machine = Machine::new();
        let (wire_name, address) = (format!("wire{host}"), format!("10.0.0.{host}/24"));
        wire(1500, (&internet.cloud, &wire_name, ""), (&machine, "eth0", &address));
        gateway(&machine, "10.0.0.1");
        internet.cloud.enter();
        ip(&format!("link set {wire_name} master eth1"));
        machine.enter();
        let server = Server::start(&[]);
        public("ExecStart");
        server
    }));

    internet.client.enter();
    let sources: Vec<_> = (20..44).map(|host| Ipv4Addr::new(198, 51, 100, host)).collect();
    for source in &sources {
        ip(&format!("address add {source}/24 dev eth0"));
    }
    let mut streams: Vec<_> = sources.iter().map(|&source| connect_from(source, LIMIT).unwrap()).collect();
    streams.iter_mut().for_each(assert_echo);
    let sockets: Vec<_> = sources.iter().map(|&source| udp_from(source)).collect();
    for socket in &sockets {
        assert_eq!(ask(socket, b"anyone"), b"ANYONE");
    }
    // The machine of each client is the one whose log has the client's own address.
    let mut at_machine = [const { Vec::new() }; 3];
    for stream in streams {
        at_machine[machine_of(&servers, &stream)].push(stream);
    }
    let [first, lost, third] = at_machine;
    assert!([&first, &lost, &third].iter().all(|clients| !clients.is_empty()), "nobody came to one of them");

    // The second machine stops. Its clients notice, and find another machine; the others' do not notice.
    assert_eq!(servers.remove(1).terminate().code(), Some(0));
    internet.cloud.enter();
    load(&spread.replace("1 : 10.0.0.12", "1 : 10.0.0.13"));
    internet.client.enter();
    // A UDP client that keeps its port is still sent to where nobody is, until that is forgotten.
    let keeps_port = |socket: &&UdpSocket| socket.local_addr().unwrap().ip() == local(&lost[0]).ip();
    let socket = sockets.iter().find(keeps_port).unwrap();
    socket.send(b"anyone").unwrap();
    assert!(!comes_within(socket, Duration::from_millis(200)));
    internet.cloud.enter();
    let output = run(Command::new("conntrack").args(["--delete", "--dst-nat", "10.0.0.12"]), b"");
    assert!(output.status.success(), "{output}");
    internet.client.enter();
    assert_eq!(ask(socket, b"anyone"), b"ANYONE");
    for mut stream in lost {
        assert_eq!(read_to_end(&mut stream), b"");
        let IpAddr::V4(source) = local(&stream).ip() else {
            unreachable!("it has come from one of the sources")
        };
        assert_echo(&mut connect_from(source, LIMIT).unwrap());
        assert_eq!(ask(&udp_from(source), b"anyone"), b"ANYONE");
    }
    first.into_iter().chain(third).for_each(|mut stream| assert_echo(&mut stream));
}

/// The server, of these, that this client has reached.
#[track_caller]
fn machine_of(servers: &[Server], client: &TcpStream) -> usize {
    let line = format!("{} connected", local(client));
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(machine) = servers.iter().position(|server| server.log().text().contains(&line)) {
            return machine;
        }
        assert!(Instant::now() < deadline, "no server says: {line}");
        // It may come in any of several logs, which cannot be waited for at once.
        thread::sleep(Duration::from_millis(5));
    }
}
