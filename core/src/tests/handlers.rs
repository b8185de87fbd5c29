//! What a handler may do, and what comes of it whatever it does: each outcome that `Handler` documents.

use core::net::SocketAddr;
use std::vec::Vec;

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, None as Plain, Psh, Rst};

use super::fixture::{CLIENT, Net, net_with_handler};
use super::peer::{Peer, letters, peer};
use crate::{End, Handler, Next, Stream};

/// Does in each turn what the test says, and notes what happens to its connections.
pub(super) struct Script<F> {
    turn: F,
    refuses: bool,
    opened: Vec<SocketAddr>,
    ended: Vec<(u32, End)>,
}

impl<F: FnMut(&mut u32, &mut Stream<'_, '_>) -> Next> Handler for Script<F> {
    type State = u32;

    fn open(&mut self, peer: SocketAddr) -> Option<u32> {
        self.opened.push(peer);
        (!self.refuses).then_some(0)
    }

    fn stream(&mut self, state: &mut u32, stream: &mut Stream<'_, '_>) -> Next {
        (self.turn)(state, stream)
    }

    fn ended(&mut self, state: u32, end: End) {
        self.ended.push((state, end));
    }
}

pub(super) fn script<F: FnMut(&mut u32, &mut Stream<'_, '_>) -> Next>(turn: F) -> Net<Script<F>> {
    net_with_handler::<1024, _>(Script { turn, refuses: false, opened: Vec::new(), ended: Vec::new() })
}

fn read_all(stream: &mut Stream<'_, '_>) -> Vec<u8> {
    let mut read = Vec::new();
    while let Some(part) = stream.read(|bytes| (bytes.len(), bytes.to_vec())) {
        read.extend_from_slice(&part);
    }
    read
}

/// Shakes hands without a look at what the server says then.
fn established<H: Handler<State: 'static>>(net: &mut Net<H>) -> Peer {
    let mut peer = peer(40_000);
    peer.syn(net);
    peer.ack(net);
    peer
}

#[test]
fn a_state_is_made_when_the_connection_opens_and_given_back_when_it_ends() {
    let mut net = script(|turns, stream| {
        *turns += 1;
        read_all(stream);
        Next::Continue
    });
    let mut peer = peer(40_000);
    peer.syn(&mut net);
    assert!(net.server.handler().opened.is_empty(), "half-open");
    peer.ack(&mut net);
    assert_eq!(net.server.handler().opened, [SocketAddr::new(CLIENT.into(), 40_000)]);
    peer.send(&mut net, Psh, b"one");
    peer.take(&mut net);
    assert!(net.server.handler().ended.is_empty());
    peer.send(&mut net, Fin, b"");
    assert_eq!(peer.take(&mut net).control, Fin);
    peer.ack(&mut net);
    assert_eq!(net.server.handler().ended, [(3, End::Closed)], "turns: opened, one, FIN");
}

#[test]
fn a_state_is_given_back_with_how_the_connection_ended() {
    let turn = |_: &mut u32, _: &mut Stream<'_, '_>| Next::Continue;
    let mut net = script(turn);
    established(&mut net).send(&mut net, Rst, b"");
    assert_eq!(net.server.handler().ended, [(0, End::Reset)]);

    let mut net = script(turn);
    established(&mut net);
    net.pass(Duration::from_secs(61));
    assert_eq!(net.server.handler().ended, [(0, End::TimedOut)]);

    let mut net = script(turn);
    established(&mut net).send(&mut net, Psh, b"never read");
    net.server.shutdown(net.now);
    net.pass(Duration::from_secs(2));
    assert_eq!(net.server.handler().ended, [(0, End::Aborted)]);
    assert!(net.server.is_shut_down());
}

#[test]
fn a_connection_that_the_handler_refuses_is_reset() {
    let mut net = script(|_, _| unreachable!("there is no connection"));
    net.server.handler_mut().refuses = true;
    let mut peer = established(&mut net);
    peer.take_rst(&mut net);
    assert_eq!((net.stats().opened, net.stats().aborted, net.stats().live), (1, 1, 0));
    assert!(net.server.handler().ended.is_empty(), "it has no state");
}

#[test]
fn a_handler_may_speak_first_and_finish() {
    let mut net = script(|_, stream| {
        assert_eq!(stream.write(b"good day"), 8);
        Next::Finish
    });
    let mut peer = established(&mut net);
    let said = peer.take(&mut net);
    assert_eq!((said.control, &said.data[..]), (Fin, &b"good day"[..]));
    peer.send(&mut net, Fin, b"");
    assert_eq!(peer.take(&mut net).control, Plain);
    assert_eq!(net.server.handler().ended, [(0, End::Closed)]);
}

#[test]
fn a_handler_that_has_finished_throws_away_what_was_unread_and_what_still_comes() {
    let mut net = script(|turns, stream| {
        *turns += 1;
        if stream.readable() < 4 {
            return Next::Continue;
        }
        assert_eq!(stream.write(b"enough"), 6);
        Next::Finish
    });
    let mut peer = established(&mut net);
    peer.send(&mut net, Psh, b"unread");
    let said = peer.take(&mut net);
    assert_eq!((said.control, &said.data[..], said.window), (Fin, &b"enough"[..], 1024));
    for _ in 0..3 {
        peer.send(&mut net, Psh, &letters(1000));
        let answer = peer.take(&mut net);
        assert_eq!((answer.control, answer.ack, answer.window), (Plain, Some(peer.next), 1024));
    }
    peer.send(&mut net, Fin, b"and good bye");
    assert_eq!(peer.take(&mut net).ack, Some(peer.next));
    assert_eq!(net.server.handler().ended, [(2, End::Closed)], "no RST, and no turn after the last one");
    assert_eq!(net.stats().aborted, 0);
}

#[test]
fn an_abort_loses_what_has_not_been_sent() {
    let mut net = script(|_, stream| {
        if read_all(stream).is_empty() {
            return Next::Continue;
        }
        assert_eq!(stream.write(&letters(2000)), 1024);
        Next::Abort
    });
    let mut peer = established(&mut net);
    peer.send(&mut net, Psh, b"x");
    peer.take_rst(&mut net);
    assert_eq!(net.server.handler().ended, [(0, End::Aborted)]);
}

#[test]
fn what_finds_no_room_is_not_written() {
    let mut net = script(|turns, stream| {
        *turns += 1;
        if *turns > 1 {
            return Next::Continue;
        }
        assert_eq!((stream.room(), stream.write(&letters(2000)), stream.room()), (1024, 1024, 0));
        assert_eq!(stream.write(b"more"), 0);
        Next::Continue
    });
    let mut peer = established(&mut net);
    assert_eq!(peer.take_data(&mut net), &letters(2000)[..1024]);
    peer.ack(&mut net);
    net.nothing_sent();
}

#[test]
fn more_is_said_in_turns_as_there_is_room_and_however_small_the_pieces_are() {
    const PIECES: u32 = 500;
    let mut net = script(|said, stream| {
        while *said < PIECES && stream.room() >= 7 {
            assert_eq!(stream.write(b"a piece"), 7);
            *said += 1;
            if *said % 3 == 0 {
                return Next::More; // though there is room
            }
        }
        if *said < PIECES { Next::More } else { Next::Finish }
    });
    let mut peer = established(&mut net);
    let (mut heard, mut finished) = (Vec::new(), false);
    while !finished {
        assert!(!net.wire.sent.is_empty(), "it waits for nothing, after {} bytes", heard.len());
        while !net.wire.sent.is_empty() {
            let said = peer.take(&mut net);
            heard.extend_from_slice(&said.data);
            finished |= said.control == Fin;
        }
        peer.ack(&mut net);
    }
    assert_eq!(heard, b"a piece".repeat(500));
}

#[test]
fn more_without_a_word_and_with_room_waits_for_the_next_segment() {
    let mut net = script(|turns, stream| {
        *turns += 1;
        read_all(stream);
        Next::More
    });
    let mut peer = established(&mut net);
    net.pass(Duration::from_secs(1));
    peer.send(&mut net, Fin, b"");
    peer.take(&mut net);
    peer.send(&mut net, Rst, b"");
    assert_eq!(net.server.handler().ended, [(2, End::Reset)], "not closed, since there was more");
}

#[test]
fn a_handler_that_stops_reading_closes_the_window_and_opens_it_in_steps() {
    let mut net = script(|_, stream| {
        // A byte a turn, once the buffer is full.
        if stream.readable() > 1000 {
            stream.read(|_| (1, ()));
        }
        Next::Continue
    });
    let mut peer = established(&mut net);
    peer.send(&mut net, Psh, &letters(1024));
    assert_eq!(peer.take(&mut net).window, 0);
    for _ in 0..20 {
        // Probes of the closed window, each of which gives the handler a turn.
        net.arrive(peer.segment(Psh, peer.next, Some(1), b"y"));
        while !net.wire.sent.is_empty() {
            assert_eq!(peer.take(&mut net).window, 0, "a window of a few bytes");
        }
    }
}

#[test]
fn the_window_opens_again_when_half_of_the_buffer_is_free() {
    let mut net = script(|turns, stream| {
        *turns += 1;
        if *turns > 2 {
            stream.read(|_| (100, ()));
        }
        Next::Continue
    });
    let mut peer = established(&mut net);
    peer.send(&mut net, Psh, &letters(1024));
    assert_eq!(peer.take(&mut net).window, 0);
    let mut windows = Vec::new();
    while windows.last().is_none_or(|&window| window == 0) {
        net.arrive(peer.segment(Psh, peer.next, Some(1), b"y"));
        while !net.wire.sent.is_empty() {
            windows.push(peer.take(&mut net).window);
        }
    }
    assert!(windows.last() >= Some(&512), "{windows:?}");
}

#[test]
fn a_handler_that_never_reads_is_reset_when_its_peer_has_finished() {
    let mut net = script(|_, _| Next::Continue);
    let mut peer = established(&mut net);
    peer.send(&mut net, Psh, b"never read");
    peer.take(&mut net);
    peer.send(&mut net, Fin, b"");
    peer.take_rst(&mut net);
    assert_eq!(net.server.handler().ended, [(0, End::Aborted)]);
}

#[test]
fn a_handler_sees_that_its_peer_has_finished() {
    let mut net = script(|_, stream| {
        if !stream.is_finished() {
            return Next::Continue;
        }
        let all = read_all(stream);
        assert_eq!(stream.write(&all), all.len());
        Next::Continue
    });
    let mut peer = established(&mut net);
    peer.send(&mut net, Psh, b"all ");
    peer.take(&mut net);
    peer.send(&mut net, Fin, b"at once");
    let echo = peer.take(&mut net);
    assert_eq!((echo.control, &echo.data[..]), (Fin, &b"all at once"[..]));
}

#[test]
fn a_stream_tells_the_peer_and_the_time() {
    let mut net = script(|_, stream| {
        assert_eq!(stream.peer(), SocketAddr::new(CLIENT.into(), 40_000));
        assert_eq!(stream.now().secs(), 1000);
        Next::Continue
    });
    established(&mut net);
}

#[test]
fn bytes_that_a_finished_handler_throws_away_are_counted() {
    let mut net = script(|_, _| Next::Finish);
    let mut peer = established(&mut net);
    assert_eq!(peer.take(&mut net).control, Fin);
    for length in [1000, 24] {
        peer.send(&mut net, Psh, &letters(length));
    }
    assert_eq!((net.stats().bytes_in, net.stats().bytes_out), (1024, 0));
}

#[test]
fn what_a_handler_says_in_several_pieces_leaves_in_one_segment() {
    let mut net = script(|said, stream| {
        *said += 1;
        assert_eq!(stream.write(b"a piece"), 7);
        if *said < 10 { Next::More } else { Next::Finish }
    });
    let mut peer = established(&mut net);
    let said = peer.take(&mut net);
    assert_eq!((said.control, said.data), (Fin, b"a piece".repeat(10)));
}

/// Linux acknowledges two segments at once, and the window of such a handler is the receive buffer alone.
#[test]
fn a_handler_that_passes_no_bytes_fills_no_more_than_half_a_buffer_with_a_segment() {
    let mut net = script(|_, stream| {
        let _ = stream.write(&letters(1024));
        Next::Continue
    });
    let mut peer = established(&mut net);
    assert_eq!([peer.take(&mut net).data.len(), peer.take(&mut net).data.len()], [512, 512]);
}

#[test]
fn a_handler_with_more_to_say_is_not_called_again_without_room() {
    let mut net = script(|_, stream| {
        assert!(stream.room() > 0);
        assert!(stream.write(&letters(2000)) > 0);
        Next::More
    });
    let mut peer = established(&mut net);
    assert_eq!(peer.take_data(&mut net).len(), 1024);
}
