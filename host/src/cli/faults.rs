//! Which faults are asked for, as `faults` makes them.

use core::fmt;
use core::time::Duration;

use clap::{ArgGroup, Args, value_parser};

use crate::cli::values::nonzero_duration;

/// The interval of `--rate-limit` unless another is given.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);

/// Where the options stand in the help.
const HEADING: &str = "Faults on purpose, in each direction, for testing clients";

/// The options as they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(group = ArgGroup::new("chance").multiple(true))]
pub(crate) struct FaultArgs {
    /// Lose so many in a hundred packets [default: 0]
    #[arg(long, group = "chance", help_heading = HEADING, value_name = "PERCENT", value_parser = value_parser!(u8).range(..=100))]
    drop: Option<u8>,
    /// Flip a bit in so many in a hundred packets [default: 0]
    #[arg(long, group = "chance", help_heading = HEADING, value_name = "PERCENT", value_parser = value_parser!(u8).range(..=100))]
    corrupt: Option<u8>,
    /// Lose packets longer than this [default: none]
    #[arg(long, help_heading = HEADING, value_name = "BYTES", value_parser = value_parser!(u16).range(1..))]
    size_limit: Option<u16>,
    /// Lose what exceeds so many packets in each --shaping-interval [default: none]
    #[arg(long, help_heading = HEADING, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    rate_limit: Option<u32>,
    /// The interval of --rate-limit, such as 100ms [default: 1s]
    #[arg(long, help_heading = HEADING, value_name = "D", value_parser = nonzero_duration, requires = "rate_limit")]
    shaping_interval: Option<Duration>,
    /// Repeat the faults of --drop and --corrupt of the run that told this seed [default: a new one]
    #[arg(long, help_heading = HEADING, value_name = "N", requires = "chance")]
    seed: Option<u64>,
}

/// The faults that are asked for, one at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FaultOptions {
    /// Packets lost in a hundred.
    pub(crate) drop: u8,
    /// Packets corrupted in a hundred.
    pub(crate) corrupt: u8,
    /// The longest packet that passes.
    pub(crate) size_limit: Option<u16>,
    /// How many packets pass.
    pub(crate) rate: Option<Rate>,
    /// Which faults they are.
    pub(crate) seed: Option<u64>,
}

/// A number of packets in each interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    /// The packets.
    pub(crate) packets: u32,
    /// The interval.
    pub(crate) interval: Duration,
}

impl FaultArgs {
    /// What the options come to; None if that is no fault at all.
    pub(crate) fn faults(&self) -> Option<FaultOptions> {
        let interval = self.shaping_interval.unwrap_or(DEFAULT_INTERVAL);
        let faults = FaultOptions {
            drop: self.drop.unwrap_or(0),
            corrupt: self.corrupt.unwrap_or(0),
            size_limit: self.size_limit,
            rate: self.rate_limit.map(|packets| Rate { packets, interval }),
            seed: self.seed,
        };
        let none = FaultOptions { drop: 0, corrupt: 0, size_limit: None, rate: None, seed: self.seed };
        (faults != none).then_some(faults)
    }
}

impl FaultOptions {
    /// Whether chance, and so the seed, has a part in it.
    pub(crate) fn by_chance(&self) -> bool {
        self.drop > 0 || self.corrupt > 0
    }
}

impl fmt::Display for FaultOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { drop, corrupt, size_limit, rate, seed: _ } = self;
        let percent = |percent: u8, what| (percent > 0).then(|| format!("{percent}% {what}"));
        let parts = [
            percent(*drop, "lost"),
            percent(*corrupt, "corrupted"),
            size_limit.map(|octets| format!("none longer than {octets} octets")),
            rate.map(|Rate { packets, interval }| format!("{packets} every {interval:?}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_fault_is_asked_for_by_nothing_or_zeroes() {
        assert_eq!(FaultArgs::default().faults(), None);
        let zeroes = FaultArgs { drop: Some(0), corrupt: Some(0), seed: Some(1), ..FaultArgs::default() };
        assert_eq!(zeroes.faults(), None);
    }

    #[test]
    fn all_of_them_are_said() {
        let arguments = FaultArgs {
            drop: Some(1),
            corrupt: Some(100),
            size_limit: Some(600),
            rate_limit: Some(4),
            shaping_interval: Some(Duration::from_millis(50)),
            seed: Some(0),
        };
        let text = arguments.faults().unwrap().to_string();
        assert_eq!(text, "1% lost, 100% corrupted, none longer than 600 octets, 4 every 50ms");
        let rate_only = FaultArgs { rate_limit: Some(4), ..FaultArgs::default() };
        assert_eq!(rate_only.faults().unwrap().to_string(), "4 every 1s");
    }
}
