//! `HOST:PORT`, and the addresses behind it.

use core::fmt;
use core::net::SocketAddr;
use core::str::FromStr;
use std::io;
use std::net::ToSocketAddrs;

use super::Ended;

/// Where a client talks to: a name, an IPv4 address or an IPv6 address in
/// brackets (with a zone where it needs one), and a port.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    host: String,
    port: u16,
}

impl Target {
    /// Every address of the target, in the order to try them.
    pub(super) fn resolve(&self) -> Result<Vec<SocketAddr>, Ended> {
        let unresolved = |error| Ended::Unresolved(self.host.clone(), error);
        let addresses: Vec<_> =
            (self.host.as_str(), self.port).to_socket_addrs().map_err(unresolved)?.collect();
        if addresses.is_empty() {
            return Err(unresolved(io::Error::other("it has none")));
        }
        Ok(addresses)
    }
}

impl FromStr for Target {
    type Err = Ended;

    fn from_str(text: &str) -> Result<Self, Ended> {
        let bad = |why| Ended::BadTarget(text.to_owned(), why);
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => rest
                .split_once("]:")
                .filter(|(host, _)| host.contains(':'))
                .ok_or_else(|| bad("write an IPv6 address as [::1]:8080"))?,
            None => text.rsplit_once(':').ok_or_else(|| bad("the port is missing, as in localhost:8080"))?,
        };
        if host.is_empty() {
            return Err(bad("the host is missing, as in localhost:8080"));
        }
        if !text.starts_with('[') && host.contains(':') {
            return Err(bad("put an IPv6 address in brackets, as in [::1]:8080"));
        }
        // `parse` would take a sign, too.
        let port = Some(port)
            .filter(|port| port.bytes().all(|octet| octet.is_ascii_digit()))
            .and_then(|port| port.parse().ok())
            .filter(|&port| port != 0)
            .ok_or_else(|| bad("the port is a number from 1 to 65535"))?;
        let host = host.to_owned();
        Ok(Self { host, port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_of_both_families_are_taken_and_shown_as_written() {
        for (text, host, port) in [
            ("localhost:8080", "localhost", 8080),
            ("192.168.69.1:1", "192.168.69.1", 1),
            ("[fd69::1]:65535", "fd69::1", 65535),
            ("[fe80::1%shout0]:8080", "fe80::1%shout0", 8080),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, port));
            assert_eq!(target.to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_refused_with_2() {
        for text in [
            "",
            ":",
            "host",
            "host:",
            ":80",
            "host:0",
            "host:65536",
            "host:+80",
            "host:-1",
            "host:80x",
            "host:http",
            "::1:80",
            "[::1]",
            "[::1]80",
            "[::1]:",
            "[]:80",
            "[host]:80",
            "[::1:80",
            "host: 80",
            "host:٣",
        ] {
            let ended = text.parse::<Target>().unwrap_err();
            assert_eq!(ended.exit_code(), 2, "{text}: {ended}");
            assert!(ended.to_string().contains(text));
        }
    }

    #[test]
    fn an_address_resolves_to_itself_and_an_impossible_name_ends_with_1() {
        let target: Target = "[::1]:8080".parse().unwrap();
        assert_eq!(target.resolve().unwrap(), ["[::1]:8080".parse().unwrap()]);

        // RFC 6761, section 6.4: names under "invalid" do not exist; one with
        // an empty label is refused before any question is asked.
        let target: Target = "no..invalid:8080".parse().unwrap();
        assert_eq!(target.resolve().unwrap_err().exit_code(), 1);
    }
}
