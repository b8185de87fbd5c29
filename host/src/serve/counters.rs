//! What each counter is called and means: for the manual, and for the file of `--stats-file`.

use shout_core::{DropReason, Stats};

use crate::serve::drops::{EXPLANATIONS, Explanation};

/// A number that a server counts.
pub(crate) struct Counter {
    /// Its words in the log.
    pub(crate) words: &'static str,
    /// Its name in Prometheus' text format, whose rules it obeys: base units, `_total` for what only grows.
    pub(crate) name: &'static str,
    /// What it means, as the rest of a sentence about the counter.
    pub(crate) meaning: &'static str,
    /// The number.
    pub(crate) value: fn(&Stats) -> u64,
}

impl Counter {
    const fn new(
        words: &'static str,
        name: &'static str,
        meaning: &'static str,
        value: fn(&Stats) -> u64,
    ) -> Self {
        Self { words, name, meaning, value }
    }
}

/// All counters but those of dropped packets, in the order in which the log has them.
pub(crate) const COUNTERS: [Counter; 19] = [
    Counter::new("packets in", "shout_packets_in_total", "Packets that came from the device.", |s| {
        s.packets_in
    }),
    Counter::new("packets out", "shout_packets_out_total", "Packets that went to the device.", |s| {
        s.packets_out
    }),
    Counter::new("connections live", "shout_connections_live", "TCP connections that are open now.", |s| {
        s.live
    }),
    Counter::new(
        "peak",
        "shout_connections_peak",
        "The most TCP connections that have been open at once.",
        |s| s.most_live,
    ),
    Counter::new("opened", "shout_connections_opened_total", "TCP connections that were established.", |s| {
        s.opened
    }),
    Counter::new(
        "closed",
        "shout_connections_closed_total",
        "TCP connections that ended in good order, with a FIN of each side.",
        |s| s.closed,
    ),
    Counter::new("reset", "shout_connections_reset_total", "TCP connections that the peer reset.", |s| {
        s.reset
    }),
    Counter::new(
        "timed out",
        "shout_connections_timed_out_total",
        "TCP connections that a deadline ended: a peer that is gone, data that nobody acknowledged, or an idle connection \
         whose peer did not close it.",
        |s| s.timed_out,
    ),
    Counter::new(
        "aborted",
        "shout_connections_aborted_total",
        "TCP connections that the server reset: as it ended, or as data came after its FIN.",
        |s| s.aborted,
    ),
    Counter::new(
        "refused",
        "shout_connections_refused_total",
        "SYNs that found every slot in use and were dropped. Raise --connections if that is not an attack.",
        |s| s.refused,
    ),
    Counter::new(
        "evicted",
        "shout_half_open_evicted_total",
        "Half-open slots that were evicted for another connection, as no slot was free. A flood of SYNs causes many.",
        |s| s.evicted,
    ),
    Counter::new(
        "revived",
        "shout_half_open_revived_total",
        "Connections whose half-open slot was evicted, and that were established with the client's acknowledgement.",
        |s| s.revived,
    ),
    Counter::new(
        "abandoned",
        "shout_half_open_abandoned_total",
        "Half-open slots that ended without a connection: the client went away, or never was there.",
        |s| s.abandoned,
    ),
    Counter::new("bytes in (TCP)", "shout_tcp_bytes_in_total", "TCP payload bytes taken from peers.", |s| {
        s.bytes_in
    }),
    Counter::new("bytes out (TCP)", "shout_tcp_bytes_out_total", "TCP payload bytes given back.", |s| {
        s.bytes_out
    }),
    Counter::new(
        "bytes in (UDP)",
        "shout_udp_bytes_in_total",
        "UDP payload bytes taken from clients, those beyond the first 1024 of a datagram too.",
        |s| s.datagram_bytes_in,
    ),
    Counter::new("bytes out (UDP)", "shout_udp_bytes_out_total", "UDP payload bytes given back.", |s| {
        s.datagram_bytes_out
    }),
    Counter::new("datagrams in", "shout_datagrams_in_total", "UDP datagrams taken from clients.", |s| {
        s.datagrams_in
    }),
    Counter::new("datagrams out", "shout_datagrams_out_total", "UDP datagrams sent in reply.", |s| {
        s.datagrams_out
    }),
];

/// All packets that were dropped, whatever the reason.
pub(crate) fn dropped(stats: &Stats) -> u64 {
    DropReason::ALL.iter().map(|&reason| stats.dropped(reason)).sum()
}

/// The part of a manual page that says what the counters mean: a term and its meaning in turn.
pub(crate) fn manual() -> Vec<(String, String)> {
    let counters = COUNTERS
        .iter()
        .map(|counter| (format!("{}, {}", counter.words, counter.name), counter.meaning.to_owned()));
    let drops = EXPLANATIONS.into_iter().map(|Explanation { reason, packets, usually }| {
        let usually = usually.map(|usually| format!(" If nothing else comes: {usually}."));
        (format!("dropped: {}", reason.name()), format!("{packets}{}", usually.unwrap_or_default()))
    });
    counters.chain(drops).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_all_of_them() {
        assert_eq!(manual().len(), COUNTERS.len() + DropReason::ALL.len());
    }

    #[test]
    fn names_are_as_prometheus_wants_them() {
        for (index, counter) in COUNTERS.iter().enumerate() {
            let name = counter.name;
            assert!(name.starts_with("shout_"), "{name}");
            assert!(name.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase()), "{name}");
            let gauge = ["shout_connections_live", "shout_connections_peak"].contains(&name);
            assert_eq!(name.ends_with("_total"), !gauge, "{name}");
            assert!(COUNTERS[..index].iter().all(|other| other.name != name), "{name} stands twice");
        }
    }
}
