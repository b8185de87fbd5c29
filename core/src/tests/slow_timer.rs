//! Without the feature `recovery`: what is lost is sent again by smoltcp's timer.

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::{Fin, Psh};

use super::peer::letters;
use super::states::{last_ack, open};

#[test]
fn a_lost_segment_is_sent_again_after_1_2_and_4_seconds() {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, b"lost");
    peer.take(&mut net);
    for seconds in [1, 2, 4] {
        net.pass_in_silence(Duration::from_secs(seconds));
        let again = peer.take(&mut net);
        net.nothing_sent();
        assert_eq!((again.seq, again.data.as_slice()), (1, &b"LOST"[..]));
    }
    peer.ack(&mut net);
    assert_eq!(peer.exchange(&mut net, b"on", 2), b"ON");
}

#[test]
fn a_lost_fin_is_sent_again_with_the_data_before_it() {
    let (mut net, mut peer) = last_ack();
    for seconds in [1, 2] {
        net.pass_in_silence(Duration::from_secs(seconds));
        let again = peer.take(&mut net);
        assert_eq!((again.control, again.seq, again.data.as_slice()), (Fin, 1, &b"BYE"[..]));
    }
    peer.ack(&mut net);
    assert_eq!(net.stats().closed, 1);
}

#[test]
fn all_that_the_window_has_room_for_leaves_at_once() {
    let (mut net, mut peer) = open();
    peer.send(&mut net, Psh, &letters(1024));
    assert_eq!(peer.take_data(&mut net).len(), 1024);
    net.nothing_sent();
    peer.ack(&mut net);
}
