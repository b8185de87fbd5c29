//! Parsers for single option values.

use core::fmt::{self, Display};
use core::num::NonZeroU16;
use core::ops::RangeInclusive;
use core::str::FromStr;
use core::time::Duration;

use ipnet::IpNet;
use smoltcp::wire::EthernetAddress;

/// A parser for the whole numbers in `range`.
pub(super) fn number<T>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("give a whole number from {} to {}", range.start(), range.end())),
    }
}

/// An address with the prefix length of its subnet.
pub(super) fn cidr(text: &str) -> Result<IpNet, String> {
    text.parse().map_err(|_| {
        "give an address and the prefix length of its subnet, such as 192.168.69.1/24 or fd69::1/64"
            .to_owned()
    })
}

/// A number that is not 0.
pub(super) fn nonzero(text: &str) -> Result<NonZeroU16, String> {
    text.parse().map_err(|_| format!("give a whole number from 1 to {}", u16::MAX))
}

/// An Ethernet address that a single host can have.
pub(super) fn hardware_addr(text: &str) -> Result<EthernetAddress, String> {
    match text.parse::<EthernetAddress>() {
        Ok(address) if address.is_unicast() && address.0 != [0; 6] => Ok(address),
        Ok(_) => {
            Err("that is not the address of a single host: give one such as 02:00:00:00:00:01".to_owned())
        }
        Err(()) => Err("give an Ethernet address such as 02:00:00:00:00:01".to_owned()),
    }
}

/// What the kernel takes as the name of a network device. It would cut a longer one at 15 characters in silence, and
/// replace a `%d` by a number.
pub(super) fn device_name(text: &str) -> Result<String, String> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':' | '%');
    if text.is_empty() || text.len() > 15 {
        Err("a device name has 1 to 15 characters".to_owned())
    } else if text == "." || text == ".." || text.contains(odd) {
        Err("a device name has no space, '/', ':' or '%'".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// A year: far beyond any use, and far below what would overflow the core's microseconds.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A duration, which may be 0.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration =
        humantime::parse_duration(text).map_err(|_| "give a duration such as 10s or 250ms".to_owned())?;
    if duration > LONGEST {
        return Err("the longest duration is 365d".to_owned());
    }
    Ok(duration)
}

/// A duration that is not 0.
pub(super) fn nonzero_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        // The core counts in microseconds.
        tiny if tiny.as_micros() == 0 => Err("it must be 1us at least; leave it out for none".to_owned()),
        duration => Ok(duration),
    }
}

/// How likely something is: a percentage with up to four decimals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Chance {
    /// Parts per million, 1,000,000 at most.
    pub(crate) ppm: u32,
}

impl Chance {
    /// The parts per million in a percent.
    const PERCENT: u32 = 10_000;

    /// So many in a hundred, 100 at most.
    #[cfg(test)]
    pub(crate) fn percent(percent: u8) -> Self {
        Self { ppm: u32::from(percent) * Self::PERCENT }
    }
}

impl FromStr for Chance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "give a percentage from 0 to 100, such as 20 or 0.5, four decimals at most".to_owned();
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > 4 {
            return Err(wrong());
        }
        let ppm = format!("{whole}{decimals:0<4}").parse().map_err(|_| wrong())?;
        if ppm > 100 * Self::PERCENT {
            return Err(wrong());
        }
        Ok(Self { ppm })
    }
}

impl Display for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, decimals) = (self.ppm / Self::PERCENT, self.ppm % Self::PERCENT);
        if decimals == 0 {
            return write!(f, "{whole}%");
        }
        write!(f, "{whole}.{}%", format!("{decimals:04}").trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chance_is_a_percentage_with_decimals() {
        for (text, ppm, shown) in [
            ("0", 0, "0%"),
            ("0.5", 5_000, "0.5%"),
            ("0.0001", 1, "0.0001%"),
            ("20", 200_000, "20%"),
            ("33.30", 333_000, "33.3%"),
            ("100.0", 1_000_000, "100%"),
        ] {
            let chance: Chance = text.parse().unwrap();
            assert_eq!((chance.ppm, chance.to_string().as_str()), (ppm, shown), "{text}");
        }
        for text in
            ["", ".", ".5", "5.", "-1", "+1", "5%", "100.0001", "101", "1e1", "0.00001", "NaN", "1.2.3"]
        {
            assert!(text.parse::<Chance>().is_err(), "{text}");
        }
    }
}
