//! Web origins and hosts: the parts of a URL that say which server it belongs to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The maximum length of a host name, in characters (RFC 1035).
const LONGEST_NAME: usize = 253;

/// The host of a URL or of a `Host` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name, in lower case and without a dot at its end.
    Name(String),
    /// An IP address.
    Address(IpAddr),
}

impl Host {
    /// The host of an authority (RFC 3986): a host, with a port or without. `None` for anything else, such as an
    /// authority with a user name.
    pub fn of_authority(authority: &str) -> Option<Host> {
        let (host, rest) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (address, rest) = bracketed.split_once(']')?;
                (Host::Address(address.parse::<Ipv6Addr>().ok()?.into()), rest)
            }
            None => {
                let (host, rest) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
                (Host::of_name(host)?, rest)
            }
        };
        (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port)).then_some(host)
    }

    fn of_name(text: &str) -> Option<Host> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if let Ok(address) = name.parse::<Ipv4Addr>() {
            return Some(Host::Address(address.into()));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_label = |label: &str| !label.is_empty() && label.bytes().all(plain);
        (name.len() <= LONGEST_NAME && name.split('.').all(is_label)).then(|| Host::Name(name.to_ascii_lowercase()))
    }

    /// Whether it always is the machine itself: `localhost` and names below it (RFC 6761), 127.0.0.0/8 and `::1`. No
    /// other name counts, whatever address it has at the moment.
    pub fn is_loopback(&self) -> bool {
        match self {
            Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Address(address) => address.is_loopback(),
        }
    }

    /// The IP address, if it is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::Address(address) => Some(*address),
        }
    }
}

impl FromStr for Host {
    type Err = &'static str;

    /// Parses a host without a port; an IPv6 address may be in brackets.
    fn from_str(text: &str) -> Result<Host, &'static str> {
        let host = match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(bracketed) => bracketed.parse::<Ipv6Addr>().ok().map(|address| Host::Address(address.into())),
            None => text.parse().ok().map(Host::Address).or_else(|| Host::of_name(text)),
        };
        host.ok_or("must be a host name or an IP address, without a port")
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// The origin of an absolute http(s) URL, `None` for anything else.
///
/// Refuses URLs that browsers interpret differently from how they look: user names, backslashes, spaces, control characters.
pub fn origin_of(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    if !matches!(scheme.as_str(), "http" | "https") {
        return None;
    }
    let host = rest.split(['/', '?', '#']).next()?;
    let plain = host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'));
    let whole = address.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    (plain && whole && !host.is_empty()).then(|| format!("{scheme}://{}", host.to_ascii_lowercase()))
}

/// Whether an origin, as browsers send it in the header `Origin`, is a page served by the machine itself, at any port.
pub fn is_loopback_origin(origin: &str) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority.and_then(Host::of_authority).is_some_and(|host| host.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_hosts_are_the_machine_itself_and_no_name_that_only_looks_like_it() {
        let loopback = |authority: &str| Host::of_authority(authority).is_some_and(|host| host.is_loopback());
        for own in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "localhost:3000",
            "localhost.:80",
            "app.localhost:5173",
            "127.0.0.1",
            "127.0.0.1:3000",
            "127.255.255.254",
            "127.0.0.1.",
            "[::1]",
            "[::1]:3000",
            "[0:0:0:0:0:0:0:1]",
        ] {
            assert!(loopback(own), "{own}");
        }
        for other in [
            "",
            ".",
            ":3000",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil-localhost",
            "notlocalhost",
            "128.0.0.1",
            "0.0.0.0",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "[::]",
            "[fe80::1]",
        ] {
            assert!(!loopback(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_authority_has_no_host() {
        for wrong in [
            "user@localhost",
            "user:password@localhost",
            "localhost:3000@evil.example",
            "localhost:",
            "localhost:x",
            "localhost:+80",
            "localhost:65536",
            "localhost:80:80",
            "localhost..",
            ".localhost",
            "local host",
            "localhost/",
            "localhost#",
            "localhost,evil.example",
            "::1",
            "[::1",
            "[::1]3000",
            "[127.0.0.1]",
            "[::1%25lo]",
            "http://localhost",
            "本机",
            "localhost\0",
        ] {
            assert_eq!(Host::of_authority(wrong), None, "{wrong}");
        }
        assert_eq!(Host::of_authority(&"a".repeat(LONGEST_NAME + 1)), None);
        assert_eq!(Host::of_authority("CRM.Example.:3000"), Some(Host::Name("crm.example".to_owned())));
    }

    #[test]
    fn a_host_is_given_without_a_port() {
        for (given, shown) in [
            ("CRM.example.", "crm.example"),
            ("192.168.1.5", "192.168.1.5"),
            ("::", "[::]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
        ] {
            assert_eq!(given.parse::<Host>().map(|host| host.to_string()).as_deref(), Ok(shown), "{given}");
        }
        for wrong in ["", "crm.example:3000", "http://crm.example", "[::1]:3000", "[crm.example]", "a b", "*"] {
            assert!(wrong.parse::<Host>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn loopback_origins_have_any_port_and_either_scheme() {
        for own in ["http://localhost:5173", "http://127.0.0.1:8080", "http://[::1]:3001", "https://localhost"] {
            assert!(is_loopback_origin(own), "{own}");
        }
        for other in [
            "null",
            "",
            "localhost",
            "ftp://localhost",
            "http://localhost/",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example:3000",
            "http://user@localhost",
            "https://evil.example#://localhost",
        ] {
            assert!(!is_loopback_origin(other), "{other}");
        }
    }
}
