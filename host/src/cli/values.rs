//! The values of options, each right in itself.

use core::time::Duration;
use std::ffi::OsString;

use ipnet::IpNet;

/// An address with the prefix length of its subnet.
pub(crate) fn cidr(text: &str) -> Result<IpNet, String> {
    text.parse().map_err(|_| {
        "give an address and the prefix length of its subnet, such as 192.168.69.1/24 or fd69::1/64"
            .to_owned()
    })
}

/// What the kernel takes as the name of a network device. It would cut a longer one at 15 characters in silence, and
/// replace a `%d` by a number.
pub(crate) fn device_name(text: &str) -> Result<String, String> {
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
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration =
        humantime::parse_duration(text).map_err(|_| "give a duration such as 10s or 250ms".to_owned())?;
    if duration > LONGEST {
        return Err("the longest duration is 365d".to_owned());
    }
    Ok(duration)
}

/// A duration that is not nothing.
pub(crate) fn nonzero_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        // The core counts in microseconds.
        tiny if tiny.as_micros() == 0 => Err("it must be 1us at least; leave it out for none".to_owned()),
        duration => Ok(duration),
    }
}

/// Who speaks to the server of `shout demo`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Visitor {
    /// The interactive TCP client.
    Tcp,
    /// The interactive UDP client.
    Udp,
    /// A program and its arguments.
    Program(OsString, Vec<OsString>),
}

impl Visitor {
    /// The command if one was given, else the prompt.
    pub(crate) fn new(udp: bool, command: Vec<OsString>) -> Self {
        let mut words = command.into_iter();
        match words.next() {
            Some(program) => Self::Program(program, words.collect()),
            None if udp => Self::Udp,
            None => Self::Tcp,
        }
    }
}
