//! What acknowledgements mean, and which ones smoltcp gives (RFC 9293, section 3.10.7.4, fifth check; RFC
//! 2018).

use smoltcp::config::ASSEMBLER_MAX_SEGMENT_COUNT;

use super::peer::{BUFFER, Peer};
use super::repaired::repaired_by;
use super::segment::{ack, data, syn};

/// An ACK of data that waits in the send buffer and was never sent frees it: the data is lost. RFC 9293,
/// section 3.10.7.4: SEG.ACK > SND.NXT draws an ACK, and nothing else; RFC 5961, section 5.2.
#[test]
fn an_ack_of_unsent_data_frees_it() {
    let mut peer = Peer::connected();
    peer.service_writes(500);
    peer.sends(ack(0, 500));
    repaired_by("tcp/socket/rfc5961.rs", peer.socket().send_queue() == 0);
}

/// New data is dropped, without an ACK, if the segment that carries it was sent before the peer's newest
/// acknowledgement. RFC 9293, section 3.10.7.4: "If the ACK is a duplicate (SEG.ACK =< SND.UNA), it can be
/// ignored": the ACK, not the data.
#[test]
fn data_with_an_ack_older_than_snd_una_is_dropped() {
    let mut peer = Peer::connected();
    peer.service_writes(3);
    peer.turn();
    peer.sends(ack(0, 3));
    peer.receives();
    peer.sends(data(0, b"data").acks(2));
    let silent = peer.receives().is_empty();
    repaired_by("tcp/socket/old_ack.rs", silent && peer.socket().recv_queue() == 0);
}

#[test]
fn control_data_with_the_newest_ack_is_taken() {
    let mut peer = Peer::connected();
    peer.service_writes(3);
    peer.turn();
    peer.sends(ack(0, 3));
    peer.sends(data(0, b"data").acks(3));
    assert_eq!(peer.socket().recv_queue(), 4);
}

/// Of data out of order, what makes one hole more than smoltcp's table has places for (four by default) is
/// dropped, although the buffer has room for it. RFC 9293, section 3.10.7.4 (SHLD-31): segments out of order
/// are kept.
#[test]
fn of_more_holes_than_the_table_has_nothing_is_kept() {
    let mut peer = Peer::connected();
    let holes = i32::try_from(ASSEMBLER_MAX_SEGMENT_COUNT).unwrap() + 1;
    for hole in 0..holes {
        peer.sends(data(hole * 20 + 10, &[b'x'; 10]));
    }
    for hole in 0..holes {
        peer.sends(data(hole * 20, &[b'x'; 10]));
    }
    let last = 10;
    let all = usize::try_from(holes * 20).unwrap();
    repaired_by("../Cargo.toml", peer.socket().recv_queue() == all - last);
}

/// Of three holes one SACK block is told. RFC 2018, section 4: as many blocks as fit (three beside
/// timestamps), the one with the segment that just came first.
#[test]
fn one_sack_block_is_told_of_three() {
    let mut peer = Peer::connected_by(BUFFER, &syn(-1).sack_permitted());
    for hole in 0..3 {
        peer.sends(data(hole * 20 + 10, &[b'x'; 10]));
    }
    let blocks = peer.receives().last().unwrap().sack;
    assert_eq!(blocks[0], Some((50, 60)), "the newest first");
    repaired_by("tcp/socket/sack_blocks.rs", blocks[1..] == [None, None]);
}
