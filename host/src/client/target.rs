//! `HOST:PORT`, and the addresses behind it.

use core::fmt;
use core::net::{Ipv6Addr, SocketAddr};
use core::str::FromStr;
use std::io;
use std::net::ToSocketAddrs;

use super::ended::Ended;

/// Where a client talks to: a name, an IPv4 address or an IPv6 address (with a zone where it needs one), and a port.
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

impl Target {
    /// `HOST:PORT`, or `HOST` and `PORT`.
    pub(super) fn from_words(words: &[String]) -> Result<Self, Ended> {
        match words {
            [host, port] => {
                // An IPv6 address may stand in brackets, and need not.
                let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
                Self::new(bare, port, &format!("{host} {port}"))
            }
            _ => words.concat().parse(),
        }
    }

    fn new(host: &str, port: &str, text: &str) -> Result<Self, Ended> {
        let bad = |why: String| Ended::BadTarget(text.to_owned(), why);
        if let Some((scheme, rest)) = text.split_once("://") {
            let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let and_path = if path.is_empty() { String::new() } else { format!(" and {path}") };
            let has_port = place.contains(' ')
                || place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            let place =
                if has_port { format!("write {place}") } else { format!("add the port, as in {place}:8080") };
            return Err(bad(format!("leave out {scheme}://{and_path}, and {place}")));
        }
        if host.is_empty() {
            return Err(bad("the host is missing, as in localhost:8080".to_owned()));
        }
        // `parse` would take a sign, too.
        let port = Some(port)
            .filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|port| port.parse().ok())
            .filter(|&port| port != 0)
            .ok_or_else(|| bad("the port is a number from 1 to 65535".to_owned()))?;
        // Each link has addresses of this kind, so that the address alone does not say which link is meant.
        if host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_unicast_link_local()) {
            return Err(bad(format!(
                "a link-local address needs the name of its device as a zone, such as [{host}%shout0]:{port}"
            )));
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl FromStr for Target {
    type Err = Ended;

    fn from_str(text: &str) -> Result<Self, Ended> {
        let bad = |why: &str| Ended::BadTarget(text.to_owned(), why.to_owned());
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => rest
                .split_once("]:")
                .filter(|(host, _)| host.contains(':'))
                .ok_or_else(|| bad("write an IPv6 address as [::1]:8080"))?,
            None => text.rsplit_once(':').ok_or_else(|| bad("the port is missing, as in localhost:8080"))?,
        };
        if !text.starts_with('[') && !text.contains("://") && host.contains(':') {
            return Err(bad("put an IPv6 address in brackets, as in [::1]:8080"));
        }
        Self::new(host, port, text)
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

    fn words(line: &str) -> Result<Target, Ended> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Target::from_words(&words)
    }

    #[test]
    fn host_and_port_may_be_two_words() {
        for (line, text) in [
            ("localhost 8080", "localhost:8080"),
            ("fd69::1 8080", "[fd69::1]:8080"),
            ("[fd69::1] 8080", "[fd69::1]:8080"),
            ("fe80::1%shout0 1", "[fe80::1%shout0]:1"),
            ("localhost:8080", "localhost:8080"),
        ] {
            assert_eq!(words(line).unwrap(), text.parse().unwrap(), "{line}");
        }
        for line in ["a:1 b:2", " 8080", "localhost 0", "localhost x"] {
            assert_eq!(words(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn a_mistake_gets_its_remedy() {
        for (line, remedy) in [
            ("tcp://192.168.69.1:8080", "leave out tcp://, and write 192.168.69.1:8080"),
            ("udp://[fd69::1]:8080", "leave out udp://, and write [fd69::1]:8080"),
            ("http://localhost 80", "leave out http://, and write localhost 80"),
            ("http://localhost:80/a/b", "leave out http:// and /a/b, and write localhost:80"),
            ("http://localhost/", "leave out http:// and /, and add the port, as in localhost:8080"),
            ("tcp://[fd69::1]", "leave out tcp://, and add the port, as in [fd69::1]:8080"),
            ("[fe80::1]:8080", "[fe80::1%shout0]:8080"),
            ("fe80::1 8080", "[fe80::1%shout0]:8080"),
            ("fd69::1", "in brackets"),
        ] {
            let message = words(line).unwrap_err().to_string();
            assert!(message.contains(remedy), "{line}: {message}");
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

        // RFC 6761, section 6.4: names under "invalid" do not exist; one with an empty label is refused before any question
        // is asked.
        let target: Target = "no..invalid:8080".parse().unwrap();
        assert_eq!(target.resolve().unwrap_err().exit_code(), 1);
    }
}
