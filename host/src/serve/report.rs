//! The counters: in the log as a person reads them, when `--stats` or SIGUSR1 asks for them, and at the end; and in the file
//! of `--stats-file` as often.

use core::fmt::{self, Display};
use core::time::Duration;

use shout_core::Stats;
use smoltcp::time::Instant;

use crate::serve::counters::dropped;
use crate::serve::silence::Silence;
use crate::serve::stats_file::StatsFile;

/// How often the file is written unless `--stats` says it: as often as Prometheus asks its sources.
const FILE_PERIOD: Duration = Duration::from_secs(15);

/// When the counters are due, and what they were when they were last shown.
#[derive(Debug)]
pub(crate) struct Report {
    /// Whether the log has them every period, not only the file.
    logs: bool,
    file: Option<StatsFile>,
    silence: Silence,
    period: Option<smoltcp::time::Duration>,
    due: Option<Instant>,
    started: Instant,
    shown: Stats,
    shown_at: Instant,
}

impl Report {
    /// Counters that are 0 now, to be logged every `period`, and written to the file as often.
    pub(crate) fn new(period: Option<Duration>, file: Option<StatsFile>, now: Instant) -> Self {
        let logs = period.is_some();
        let period = period.or(file.as_ref().map(|_| FILE_PERIOD)).map(|period| {
            // The command line takes no more than a year.
            smoltcp::time::Duration::from_micros(u64::try_from(period.as_micros()).unwrap_or(u64::MAX))
        });
        let due = period.map(|period| now + period);
        let silence = Silence::default();
        Self { logs, file, silence, period, due, started: now, shown: Stats::default(), shown_at: now }
    }

    /// When to call [`look`](Self::look).
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due.into_iter().chain(self.silence.due()).min()
    }

    /// Does with the counters what is due.
    pub(crate) fn look(&mut self, now: Instant, stats: &Stats, faults: Option<&dyn Display>) {
        self.silence.look(now, stats);
        if let (Some(due), Some(period)) = (self.due, self.period)
            && due <= now
        {
            if self.logs {
                self.show(now, stats, faults);
            }
            self.write(stats);
            // From when it was due, not from when there was time for it; but what was missed is not made up for.
            let next = due + period;
            self.due = Some(if next > now { next } else { now + period });
        }
    }

    fn write(&mut self, stats: &Stats) {
        if let Some(file) = &mut self.file {
            file.write(stats);
        }
    }

    /// Logs the counters, and the rates since they were last shown.
    pub(crate) fn show(&mut self, now: Instant, stats: &Stats, faults: Option<&dyn Display>) {
        let since = now - self.shown_at;
        let block = Block { stats, faults, before: &self.shown, since };
        log::info!("after {}, rates over {}:\n{block}", readable(now - self.started), readable(since));
        (self.shown, self.shown_at) = (*stats, now);
    }

    /// Logs and writes the counters for the last time, with the rates over all the time.
    pub(crate) fn summarise(&mut self, now: Instant, stats: &Stats, faults: Option<&dyn Display>) {
        let since = now - self.started;
        let block = Block { stats, faults, before: &Stats::default(), since };
        log::info!("served for {}:\n{block}", readable(since));
        self.write(stats);
    }
}

/// The counters, and by how much they grew in a second.
struct Block<'a> {
    stats: &'a Stats,
    faults: Option<&'a dyn Display>,
    before: &'a Stats,
    since: smoltcp::time::Duration,
}

impl Display for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = Duration::from(self.since).max(Duration::from_micros(1)).as_secs_f64();
        let rate = |count: fn(&Stats) -> u64| {
            let grown = count(self.stats).wrapping_sub(count(self.before));
            // Exact up to 2^53.
            grown as f64 / seconds
        };
        writeln!(f, "{}", self.stats)?;
        if let Some(faults) = self.faults {
            writeln!(f, "{faults}")?;
        }
        let [packets_in, packets_out] = [rate(|s| s.packets_in), rate(|s| s.packets_out)];
        writeln!(f, "packets/s    {packets_in:.1} in, {packets_out:.1} out, {:.1} dropped", rate(dropped))?;
        writeln!(f, "opened/s     {:.1}", rate(|s| s.opened))?;
        let bytes_in = rate(|s| s.bytes_in) + rate(|s| s.datagram_bytes_in);
        let bytes_out = rate(|s| s.bytes_out) + rate(|s| s.datagram_bytes_out);
        writeln!(f, "bytes/s      {bytes_in:.1} in, {bytes_out:.1} out")?;
        write!(f, "datagrams/s  {:.1} in, {:.1} out", rate(|s| s.datagrams_in), rate(|s| s.datagrams_out))
    }
}

/// A time as one says it: whole seconds, unless it is shorter.
fn readable(time: smoltcp::time::Duration) -> impl Display {
    let millis = time.total_millis();
    let shown = if millis < 1000 { millis } else { millis / 1000 * 1000 };
    humantime::format_duration(Duration::from_millis(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn rates_are_what_was_added_in_the_time_since() {
        let mut before = Stats::default();
        (before.packets_in, before.bytes_in) = (100, 5);
        let mut stats = before;
        (stats.packets_in, stats.packets_out, stats.opened, stats.bytes_in) = (125, 20, 2, 1_000_005);
        stats.datagram_bytes_in = 250;
        let since = smoltcp::time::Duration::from_millis(2500);
        let faults: &dyn Display = &"on purpose   something";
        let text = Block { stats: &stats, faults: Some(faults), before: &before, since }.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "packets      125 in, 20 out");
        assert_eq!(
            lines[6..],
            [
                "on purpose   something",
                "packets/s    10.0 in, 8.0 out, 0.0 dropped",
                "opened/s     0.8",
                "bytes/s      400100.0 in, 0.0 out",
                "datagrams/s  0.0 in, 0.0 out",
            ]
        );
    }

    #[test]
    fn no_time_at_all_gives_a_rate_all_the_same() {
        let stats = Stats::default();
        let since = smoltcp::time::Duration::ZERO;
        let text = Block { stats: &stats, faults: None, before: &stats, since }.to_string();
        assert!(text.contains("packets/s    0.0 in"), "{text}");
    }

    #[test]
    fn the_period_holds_whenever_there_is_time() {
        let mut report = Report::new(Some(Duration::from_secs(10)), None, at(0));
        let mut shown_at = |now| {
            report.look(at(now), &Stats::default(), None);
            (report.shown_at == at(now), report.due().unwrap())
        };
        assert_eq!(shown_at(9_999), (false, at(10_000)));
        assert_eq!(shown_at(10_500), (true, at(20_000)));
        assert_eq!(shown_at(20_000), (true, at(30_000)));
        assert_eq!(shown_at(55_000), (true, at(65_000)));
    }

    #[test]
    fn without_a_period_nothing_is_due() {
        assert_eq!(Report::new(None, None, at(0)).due(), None);
    }

    #[test]
    fn times_are_readable() {
        let text = |millis| readable(smoltcp::time::Duration::from_millis(millis)).to_string();
        assert_eq!(text(7), "7ms");
        assert_eq!(text(10_003), "10s");
        assert_eq!(text(3_661_000), "1h 1m 1s");
    }
}
