//! Nothing is sent twice where nothing is lost, to clients that delay their acknowledgements by 40 to 200 ms, as Linux does.

use core::time::Duration;
use std::collections::HashMap;
use std::net::TcpStream;
use std::os::linux::net::TcpStreamExt;
use std::thread;
use std::time::Instant;

use crate::gap_analysis::Segment;
use crate::lossy_link::LossyLink;
use crate::server::{V4, V6};
use crate::sockets::{assert_shouted, bulk, connect, exchange, pattern};

tests![
    nothing_is_sent_twice_to_clients_that_delay_their_acknowledgements,
    nothing_is_sent_twice_to_linux_at_any_size,
];

/// A client that acknowledges a segment later than this has waited for a processor: 200 ms, and a tick of Linux's.
const ON_TIME: Duration = Duration::from_millis(204);

/// Segments that came again although the client acknowledged them in time, or could still have: to which port, and how long after their
/// first time.
fn sent_again(segments: &[Segment]) -> Vec<(u16, Duration)> {
    let mut sent: HashMap<u16, Vec<Segment>> = HashMap::new();
    let mut again = Vec::new();
    for segment in segments.iter().filter(|segment| segment.from_server) {
        let earlier = sent.entry(segment.client_port).or_default();
        let offset = |other: &Segment| segment.number.wrapping_sub(other.number);
        let first = earlier.iter().find(|other| offset(other) < occupied(other));
        if occupied(segment) > 0
            && let Some(first) = first
        {
            // Where both sides would wait, the server asks for an acknowledgement with the last byte that it has sent, as
            // with a keep-alive.
            let asks = segment.length == 1 && first.length > 1 && offset(first) + 1 == first.length;
            let after = segment.time - first.time;
            if !asks
                && !answers_a_syn(segment, earlier, segments)
                && (after <= ON_TIME || is_acknowledged_in_time(first, segments))
            {
                again.push((segment.client_port, after));
            }
        }
        earlier.push(*segment);
    }
    again
}

/// True if a SYN came that none of these earlier segments has answered: a client that is not answered within a second sends it again.
fn answers_a_syn(answer: &Segment, earlier: &[Segment], segments: &[Segment]) -> bool {
    let is_syn = |segment: &&Segment| {
        segment.syn
            && !segment.from_server
            && segment.client_port == answer.client_port
            && segment.time <= answer.time
    };
    answer.syn
        && segments.iter().filter(is_syn).count() > earlier.iter().filter(|earlier| earlier.syn).count()
}

/// True if the client acknowledged this segment, and was not late: on a lossy link, it may have no occasion to.
fn is_acknowledged_in_time(first: &Segment, segments: &[Segment]) -> bool {
    let end = first.number.wrapping_add(occupied(first));
    let covers = |ack: &Segment| {
        !ack.from_server
            && ack.client_port == first.client_port
            && ack.time >= first.time
            && ack.acknowledges.wrapping_sub(end) < 1 << 31
    };
    segments.iter().find(|segment| covers(segment)).is_some_and(|ack| ack.time - first.time <= ON_TIME)
}

/// How many sequence numbers a segment has.
fn occupied(segment: &Segment) -> u32 {
    segment.length + u32::from(segment.syn) + u32::from(segment.fin)
}

/// Fails if something was sent again although the client was not late.
#[track_caller]
fn assert_once(segments: &[Segment]) {
    let again = sent_again(segments);
    assert!(again.is_empty(), "sent again without a loss, to which port and after how long: {again:?}");
}

/// The client sends its next request when its acknowledgement of the reply is due, and that of the reply is lost.
fn converse(stream: &mut TcpStream, delay: Duration) {
    let end = Instant::now() + Duration::from_secs(4);
    let data = pattern(1000);
    // Each reply is one segment: of a longer one, the second would wait for the acknowledgement of the first.
    for length in (64..data.len()).step_by(20).cycle() {
        if Instant::now() > end {
            break;
        }
        let message = &data[..length];
        assert_shouted(message, &exchange(stream, message));
        thread::sleep(delay);
    }
}

fn nothing_is_sent_twice_to_clients_that_delay_their_acknowledgements() {
    for buffer in ["1024", "65535"] {
        let link = LossyLink::new();
        let _server = link.serve(&["--buffer", buffer]);
        let capture = link.capture();
        let delays = [40, 100, 200].map(Duration::from_millis);
        let mut clients: Vec<_> =
            delays.into_iter().flat_map(|delay| [V4, V6].map(|server| (connect(server), delay))).collect();
        link.lose_bare_acknowledgements();
        thread::scope(|scope| {
            for (stream, delay) in &mut clients {
                scope.spawn(move || converse(stream, *delay));
            }
        });
        assert_once(&capture.finish());
    }
}

fn nothing_is_sent_twice_to_linux_at_any_size() {
    for buffer in ["1024", "65535"] {
        let link = LossyLink::new();
        let _server = link.serve(&["--buffer", buffer]);
        let capture = link.capture();
        for server in [V4, V6] {
            let mut stream = connect(server);
            for length in [1, 100, 1000, 1024, 1461, 2048, 2049, 10_000] {
                // Linux takes it back by itself now and then.
                stream.set_quickack(false).unwrap();
                let message = pattern(length);
                for _ in 0..5 {
                    assert_shouted(&message, &exchange(&mut stream, &message));
                    thread::sleep(Duration::from_millis(45));
                }
            }
            let data = pattern(500_000);
            stream.set_quickack(false).unwrap();
            assert_shouted(&data, &bulk(stream, &data));
        }
        assert_once(&capture.finish());
    }
}
