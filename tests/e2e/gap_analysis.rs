//! Decides which side caused a silence on a connection.
//!
//! From the segments before a silence, it is known what each side has received and what it may send. A silence is the
//! server's when the server had something to send, or when the client had to wait because of what the server did. A peer may
//! delay the acknowledgement of a single segment (RFC 9293, section 3.8.6.3; Linux does by 40 ms and more). So a server that
//! sends all that it may in one segment, and then waits, has caused the silence.

use core::time::Duration;

tests![
    an_echo_that_is_owed_is_the_servers_silence,
    a_full_buffer_in_one_segment_is_the_servers_silence,
    a_full_buffer_in_two_segments_is_the_clients_silence,
    a_window_that_a_waiting_reply_leaves_too_small_is_the_servers_silence,
    a_closed_window_is_the_clients_silence,
    a_close_that_is_owed_is_the_servers_silence,
    a_client_that_may_send_is_silent_itself,
    a_silence_in_which_the_capture_missed_something_is_nobodys,
];

/// One segment as it was captured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) time: Duration,
    pub(crate) from_server: bool,
    pub(crate) client_port: u16,
    pub(crate) number: u32,
    pub(crate) acknowledges: u32,
    pub(crate) window: u16,
    /// The option that only a SYN carries.
    pub(crate) scale: Option<u8>,
    pub(crate) length: u32,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
}

/// Which side caused a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Servers,
    Clients,
    /// Cannot be decided: the capture lost segments.
    Unknown,
}

/// A time without a segment.
#[derive(Debug)]
pub(crate) struct Gap {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    pub(crate) whose: Whose,
    /// The segment that ended it.
    pub(crate) end: usize,
    /// When the server sent its next segment, if it ever did.
    pub(crate) server_spoke: Option<Duration>,
}

/// What one side has sent and acknowledged. Sequence numbers count from its SYN's.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    first: u32,
    scale: u8,
    /// SND.MAX: one past the highest sequence number sent.
    next: u32,
    /// The highest acknowledgement that it has sent.
    taken: u32,
    /// The right edge of the window that it offers.
    edge: u32,
    largest: u32,
    fin: bool,
}

/// The silences of at least `threshold` on one connection, on which a client sends `total` bytes. The segments must begin
/// with its SYN.
pub(crate) fn gaps(segments: &[Segment], total: u32, threshold: Duration) -> Vec<Gap> {
    let (mut client, mut server) = (Side::default(), Side::default());
    let mut gaps = Vec::new();
    for (i, segment) in segments.iter().enumerate() {
        let silence = i.checked_sub(1).map(|before| (segments[before].time, segment.time));
        let whose = whose(&client, &server, total);
        let (side, other) =
            if segment.from_server { (&mut server, &mut client) } else { (&mut client, &mut server) };
        let complete = note(side, other, segment);
        if let Some((from, to)) = silence
            && to.saturating_sub(from) >= threshold
        {
            let server_spoke =
                segments[i..].iter().find(|segment| segment.from_server).map(|segment| segment.time);
            let whose = if complete { whose } else { Whose::Unknown };
            gaps.push(Gap { from, to, whose, end: i, server_spoke });
        }
    }
    gaps
}

/// Takes a segment into account. False if it shows that the capture has missed an earlier one.
fn note(side: &mut Side, other: &Side, segment: &Segment) -> bool {
    if segment.syn {
        side.first = segment.number;
        side.scale = segment.scale.unwrap_or(0);
    }
    let start = segment.number.wrapping_sub(side.first);
    let end = start + segment.length + u32::from(segment.syn) + u32::from(segment.fin);
    let taken = segment.acknowledges.wrapping_sub(other.first);
    let complete = start <= side.next && (segment.syn || taken <= other.next);
    side.next = side.next.max(end);
    side.largest = side.largest.max(segment.length);
    side.fin |= segment.fin;
    // The window of a SYN is never scaled, and the client's SYN acknowledges nothing.
    let scale = if segment.syn { 0 } else { side.scale };
    if !segment.syn || segment.from_server {
        side.taken = side.taken.max(taken);
        // A right edge should not move left (RFC 9293, section 3.8.6), but Linux's does when it has no memory.
        side.edge = taken + (u32::from(segment.window) << scale);
    }
    complete
}

fn whose(client: &Side, server: &Side, total: u32) -> Whose {
    // Silly window avoidance: less than half a buffer is not worth a segment (RFC 9293, section 3.8.6.2.1).
    const WORTHWHILE: u32 = 512;
    let said = client.next.saturating_sub(1 + u32::from(client.fin));
    let echoed = server.next.saturating_sub(1 + u32::from(server.fin));
    let owed = said.saturating_sub(echoed);
    if owed > 0 {
        let room = client.edge.saturating_sub(server.next);
        let in_flight = server.next.saturating_sub(client.taken);
        if room < owed.min(WORTHWHILE) || in_flight > server.largest {
            // The client does not read, or it owes an acknowledgement (RFC 5681, section 4.2).
            return Whose::Clients;
        }
        return Whose::Servers;
    }
    let left = total.saturating_sub(said);
    let room = server.edge.saturating_sub(client.next);
    if server.taken < client.next || (client.fin && !server.fin) || room < left.min(WORTHWHILE) {
        return Whose::Servers;
    }
    Whose::Clients
}

/// A client's SYN, the server's, and the client's acknowledgement; windows of 1024 bytes.
fn handshake() -> Vec<Segment> {
    let nothing = Segment {
        time: Duration::ZERO,
        from_server: false,
        client_port: 40_000,
        number: u32::MAX,
        acknowledges: 0,
        window: 1024,
        scale: None,
        length: 0,
        syn: true,
        fin: false,
    };
    let answer = Segment { from_server: true, number: 77, acknowledges: 0, ..nothing };
    vec![nothing, answer, Segment { number: 0, acknowledges: 78, syn: false, ..nothing }]
}

/// A segment 1 ms after the last: the offset and the length of its data, how much of the other side's it acknowledges, and its
/// window.
fn send(trace: &mut Vec<Segment>, from_server: bool, (at, length): (u32, u32), taken: u32, window: u16) {
    let time = trace.last().unwrap().time + Duration::from_millis(1);
    let (own, other) = if from_server { (78, 0) } else { (0, 78) };
    let (number, acknowledges) = (own + at, other + taken);
    trace.push(Segment {
        time,
        from_server,
        client_port: 40_000,
        number,
        acknowledges,
        window,
        scale: None,
        length,
        syn: false,
        fin: false,
    });
}

/// Whose silence of 40 ms it is that a segment of the client's, which changes nothing, ends.
#[track_caller]
fn blame(mut trace: Vec<Segment>) -> Whose {
    let own = trace.iter().rfind(|segment| !segment.from_server).copied().unwrap();
    let time = trace.last().unwrap().time + Duration::from_millis(40);
    trace.push(Segment { time, number: own.number + own.length, length: 0, ..own });
    let gaps = gaps(&trace, 10_000, Duration::from_millis(35));
    let [gap] = &gaps[..] else { panic!("{gaps:?}") };
    gap.whose
}

fn an_echo_that_is_owed_is_the_servers_silence() {
    let mut trace = handshake();
    send(&mut trace, false, (0, 100), 0, 1024);
    assert_eq!(blame(trace.clone()), Whose::Servers);
    // An acknowledgement is no echo.
    send(&mut trace, true, (0, 0), 100, 1024);
    assert_eq!(blame(trace), Whose::Servers);
}

fn a_full_buffer_in_one_segment_is_the_servers_silence() {
    let mut trace = handshake();
    send(&mut trace, false, (0, 1024), 0, 4096);
    send(&mut trace, true, (0, 1024), 1024, 1024);
    send(&mut trace, false, (1024, 1024), 0, 4096);
    assert_eq!(blame(trace), Whose::Servers);
}

fn a_full_buffer_in_two_segments_is_the_clients_silence() {
    let mut trace = handshake();
    send(&mut trace, false, (0, 1024), 0, 4096);
    send(&mut trace, true, (0, 512), 1024, 0);
    send(&mut trace, true, (512, 512), 1024, 1024);
    send(&mut trace, false, (1024, 1024), 0, 4096);
    assert_eq!(blame(trace), Whose::Clients);
}

/// A reply of 1000 bytes is in flight as one segment, and the client's next 1000 wait behind it. The window of both buffers,
/// 2048 bytes, has 48 left.
fn a_window_that_a_waiting_reply_leaves_too_small_is_the_servers_silence() {
    let mut trace = handshake();
    send(&mut trace, false, (0, 1000), 0, 4096);
    send(&mut trace, true, (0, 1000), 1000, 1048);
    send(&mut trace, false, (1000, 1000), 0, 4096);
    send(&mut trace, true, (1000, 0), 2000, 48);
    assert_eq!(blame(trace), Whose::Servers);
}

fn a_closed_window_is_the_clients_silence() {
    let mut trace = handshake();
    send(&mut trace, false, (0, 100), 0, 0);
    assert_eq!(blame(trace.clone()), Whose::Clients);
    send(&mut trace, false, (100, 0), 0, 50);
    assert_eq!(blame(trace.clone()), Whose::Clients);
    send(&mut trace, false, (100, 0), 0, 100);
    assert_eq!(blame(trace), Whose::Servers);
}

fn a_close_that_is_owed_is_the_servers_silence() {
    let mut trace = handshake();
    send(&mut trace, false, (0, 0), 0, 1024);
    trace.last_mut().unwrap().fin = true;
    send(&mut trace, true, (0, 0), 1, 1024);
    assert_eq!(blame(trace.clone()), Whose::Servers);
    trace.last_mut().unwrap().fin = true;
    assert_eq!(blame(trace), Whose::Clients);
}

fn a_client_that_may_send_is_silent_itself() {
    let mut trace = handshake();
    assert_eq!(blame(trace.clone()), Whose::Clients);
    send(&mut trace, false, (0, 100), 0, 1024);
    send(&mut trace, true, (0, 100), 100, 1024);
    assert_eq!(blame(trace.clone()), Whose::Clients);
    // It may not while the server's window stays closed although all has been echoed.
    for segment in trace.iter_mut().filter(|segment| segment.from_server) {
        segment.window = 100;
    }
    assert_eq!(blame(trace), Whose::Servers);
}

fn a_silence_in_which_the_capture_missed_something_is_nobodys() {
    let mut trace = handshake();
    send(&mut trace, false, (0, 100), 0, 1024);
    send(&mut trace, true, (50, 50), 100, 1024);
    trace[4].time += Duration::from_millis(40);
    let gaps = gaps(&trace, 100, Duration::from_millis(35));
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].whose, Whose::Unknown);
}
