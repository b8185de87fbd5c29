//! When the server wants to be called again: no sooner than there is work.

use smoltcp::time::Duration;
use smoltcp::wire::TcpControl::Psh;

use super::handlers::script;
use super::peer::peer;
use crate::Next;

/// The deadline may be that of an earlier segment, but for those it is far away.
#[test]
fn where_nothing_is_said_the_next_call_is_for_a_silent_peer() {
    let mut net = script(|_, stream| {
        stream.read(|bytes| (bytes.len(), ()));
        Next::Continue
    });
    let mut peer = peer(40_000);
    peer.connect(&mut net);
    net.pass(Duration::from_secs(2)); // The line about the connection is written.
    peer.send(&mut net, Psh, b"not answered");
    peer.take_ack(&mut net);
    assert!(net.last.deadline >= Some(net.now + Duration::from_secs(18)), "{:?}", net.last.deadline);
    net.pass(Duration::from_secs(20));
    assert_eq!(peer.take(&mut net).seq, 0, "a probe");
    assert_eq!(net.last.deadline, Some(net.now + Duration::from_secs(5)));
}
