//! The options for faults on purpose.

use core::fmt;
use core::time::Duration;

use clap::{ArgGroup, Args};

use crate::cli::values::{Chance, nonzero_duration, number};

/// Where the options stand in the help.
const HEADING: &str = "Faults on purpose, in each direction";

/// The faults that are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(group = ArgGroup::new("chance").multiple(true))]
pub(crate) struct FaultOptions {
    /// Drop this percentage of packets, such as 20 or 0.5
    #[arg(long, group = "chance", help_heading = HEADING, value_name = "PERCENT", default_value = "0")]
    pub(crate) drop: Chance,
    /// Flip one bit in this percentage of packets
    #[arg(long, group = "chance", help_heading = HEADING, value_name = "PERCENT", default_value = "0")]
    pub(crate) corrupt: Chance,
    /// Drop packets longer than this [default: none]
    #[arg(long, help_heading = HEADING, value_name = "BYTES", value_parser = number(1..=u16::MAX))]
    pub(crate) size_limit: Option<u16>,
    /// Drop packets beyond this number in each --shaping-interval [default: none]
    #[arg(long, help_heading = HEADING, value_name = "N", value_parser = number(1..=u32::MAX))]
    pub(crate) rate_limit: Option<u32>,
    /// The interval of --rate-limit, such as 100ms
    #[arg(long, help_heading = HEADING, value_name = "D", default_value = "1s", value_parser = nonzero_duration, requires = "rate_limit")]
    pub(crate) shaping_interval: Duration,
    /// Reproduce an earlier run's --drop and --corrupt, using the seed it logged [default: a new one]
    #[arg(long, help_heading = HEADING, value_name = "N", value_parser = number(0..=u64::MAX), requires = "chance")]
    pub(crate) seed: Option<u64>,
}

impl FaultOptions {
    /// No fault at all.
    #[cfg(test)]
    pub(crate) const NONE: Self = Self {
        drop: Chance { ppm: 0 },
        corrupt: Chance { ppm: 0 },
        size_limit: None,
        rate_limit: None,
        shaping_interval: Duration::from_secs(1),
        seed: None,
    };

    /// These, unless they come to no fault at all.
    pub(crate) fn asked(&self) -> Option<&Self> {
        let any = self.by_chance() || self.size_limit.is_some() || self.rate_limit.is_some();
        any.then_some(self)
    }

    /// Whether chance, and so the seed, has a part in it.
    pub(crate) fn by_chance(&self) -> bool {
        self.drop.ppm > 0 || self.corrupt.ppm > 0
    }
}

impl fmt::Display for FaultOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { drop, corrupt, size_limit, rate_limit, shaping_interval, seed: _ } = self;
        let chance = |chance: &Chance, what| (chance.ppm > 0).then(|| format!("{chance} {what}"));
        let parts = [
            chance(drop, "lost"),
            chance(corrupt, "corrupted"),
            size_limit.map(|bytes| format!("none longer than {bytes} bytes")),
            rate_limit.map(|packets| format!("{packets} every {shaping_interval:?}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_fault_is_asked_for_by_nothing_or_a_seed_alone() {
        assert_eq!(FaultOptions::NONE.asked(), None);
        assert_eq!(FaultOptions { seed: Some(1), ..FaultOptions::NONE }.asked(), None);
        let some = FaultOptions { rate_limit: Some(1), ..FaultOptions::NONE };
        assert_eq!(some.asked(), Some(&some));
    }

    #[test]
    fn all_of_them_are_said() {
        let options = FaultOptions {
            drop: Chance { ppm: 5_000 },
            corrupt: Chance::percent(100),
            size_limit: Some(600),
            rate_limit: Some(4),
            shaping_interval: Duration::from_millis(50),
            seed: Some(0),
        };
        assert_eq!(
            options.to_string(),
            "0.5% lost, 100% corrupted, none longer than 600 bytes, 4 every 50ms"
        );
        let rate_only = FaultOptions { rate_limit: Some(4), ..FaultOptions::NONE };
        assert_eq!(rate_only.to_string(), "4 every 1s");
    }
}
