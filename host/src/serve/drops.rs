//! Why packets are dropped: what the reasons mean, for the manual, and for whoever sees nothing else.

use shout_core::DropReason;

/// What packets that are dropped for this reason have in common, and what it usually means if nothing else comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Explanation {
    /// The reason.
    pub(crate) reason: DropReason,
    /// What they have in common.
    pub(crate) packets: &'static str,
    /// What it usually means if nothing else comes; `None` if it means nothing.
    pub(crate) usually: Option<&'static str>,
}

/// Every reason for which packets are dropped, in the order of [`DropReason::ALL`].
pub(crate) const EXPLANATIONS: [Explanation; DropReason::ALL.len()] = [
    Explanation {
        reason: DropReason::Malformed,
        packets: "Truncated, or with fields that contradict each other.",
        usually: Some(
            "another program has set the device to another format, or writes something other than IP packets to it",
        ),
    },
    Explanation {
        reason: DropReason::Checksum,
        packets: "A checksum is wrong.",
        usually: Some(
            "the packets come from a device that leaves checksums to hardware: switch that off there with \
             `ethtool -K DEVICE tx off`",
        ),
    },
    Explanation {
        reason: DropReason::NotOurs,
        packets: "For an address that is not the server's.",
        usually: Some(
            "this machine sends the packets of a whole subnet here: compare --address with the address \
             that clients use",
        ),
    },
    Explanation {
        reason: DropReason::Broadcast,
        packets: "For a broadcast or multicast address.",
        usually: None,
    },
    Explanation {
        reason: DropReason::Source,
        packets: "From an address that no host can have: broadcast, multicast, loopback, or none.",
        usually: Some("the device of this machine has no address of its own yet: see `ip address`"),
    },
    Explanation {
        reason: DropReason::OwnSource,
        packets: "From the server's own address.",
        usually: Some("this machine has the server's address too: take it away, or choose another --address"),
    },
    Explanation {
        reason: DropReason::Fragment,
        packets: "Fragments that could not be put together: too long, contradictory, or too many at once.",
        usually: Some(
            "a link on the way has a smaller MTU than the clients believe: let them send shorter packets",
        ),
    },
    Explanation {
        reason: DropReason::ExtensionHeader,
        packets: "IPv6 packets with extension headers that cannot be skipped.",
        usually: Some("a tunnel or IPsec ends at this address: have it end before the server"),
    },
    Explanation {
        reason: DropReason::NoSlot,
        packets: "SYNs while every slot was in use.",
        usually: Some(
            "all connections are held by clients: raise --connections, or let idle ones go with \
             --idle-timeout",
        ),
    },
    Explanation {
        reason: DropReason::PerSource,
        packets: "SYNs of a source that had as many connections as one may have.",
        usually: Some(
            "one source holds all that --per-source gives it: a proxy or NAT in front needs a larger \
             number",
        ),
    },
    Explanation {
        reason: DropReason::ShuttingDown,
        packets: "SYNs while the server was ending.",
        usually: None,
    },
    Explanation {
        reason: DropReason::Unacceptable,
        packets: "TCP segments that their connection must not act upon (RFC 5961).",
        usually: Some(
            "clients go on with connections that the server knows nothing of, or somebody guesses at them",
        ),
    },
    Explanation {
        reason: DropReason::EchoLoop,
        packets: "Datagrams from port 0, or from a port whose service answers everything, so that a reply might \
             be answered for ever.",
        usually: Some(
            "another echo server is at the other end, or the source is forged: let clients use another \
             port",
        ),
    },
    Explanation {
        reason: DropReason::EchoLimit,
        packets: "Datagrams whose reply would add nothing to them, from a source that has had many such replies \
             lately.",
        usually: Some("another echo server is at the other end, or the source is forged"),
    },
    Explanation {
        reason: DropReason::AnswerLimit,
        packets: "Packets that an ICMP error or a RST would have answered, beyond so many a second.",
        usually: Some("somebody scans ports or addresses, or floods with packets that are nobody's"),
    },
    Explanation {
        reason: DropReason::ReplyQueue,
        packets: "Datagrams whose reply found no room.",
        usually: Some("more replies wait for their --delay than there is room for: shorten it"),
    },
    Explanation {
        reason: DropReason::Neighbour,
        packets: "Replies to a neighbour that did not answer ARP or neighbour solicitations.",
        usually: Some(
            "the clients' hardware addresses cannot be found: see to the bridge, and to the prefix of \
             --address",
        ),
    },
];

/// What it usually means if packets are dropped for this reason and nothing else comes, if that means anything.
pub(crate) fn usual_cause(reason: DropReason) -> Option<&'static str> {
    EXPLANATIONS.iter().find(|explanation| explanation.reason == reason)?.usually
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_explained() {
        assert_eq!(EXPLANATIONS.map(|explanation| explanation.reason), DropReason::ALL);
        for Explanation { reason, packets, usually } in EXPLANATIONS {
            assert!(packets.ends_with('.'), "{reason:?}");
            // The rest of a sentence.
            assert!(usually.is_none_or(|usually| !usually.ends_with('.')), "{reason:?}");
        }
    }
}
