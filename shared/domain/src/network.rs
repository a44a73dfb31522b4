//! IP networks in CIDR notation.

use crate::Rule;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::IpAddr;

/// A range of IP addresses in CIDR notation (`203.0.113.0/24`, `2001:db8::/32`), or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// Parses a network. Bits beyond the prefix are cleared.
    pub fn parse(text: &str) -> Result<Network, Rule> {
        let range = text.parse().or_else(|_| text.parse::<IpAddr>().map(|ip| IpNet::from(ip.to_canonical())));
        range.map(|range: IpNet| Network(range.trunc())).map_err(|_| {
            Rule::format(
                "a network such as 203.0.113.0/24 or 2001:db8::/32",
                "是网段，例如 203.0.113.0/24 或 2001:db8::/32",
            )
        })
    }

    /// Whether an address is in the network. An IPv4-mapped IPv6 address counts as IPv4.
    pub fn holds(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Network::parse(String::deserialize(from)?.trim()).map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for Network {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .examples([serde_json::json!("203.0.113.0/24")])
            .into()
    }
}

impl utoipa::ToSchema for Network {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_addresses_are_in_a_network() {
        let check = |network: &str, address: &str, expected: bool| {
            let network = Network::parse(network).expect("a network");
            assert_eq!(network.holds(address.parse().expect("an address")), expected, "{network} {address}");
        };
        check("203.0.113.0/24", "203.0.113.255", true);
        check("203.0.113.7/24", "203.0.113.1", true);
        check("203.0.113.0/24", "203.0.114.0", false);
        check("203.0.113.0/24", "::ffff:203.0.113.9", true);
        check("203.0.113.9", "203.0.113.9", true);
        check("203.0.113.9", "203.0.113.8", false);
        check("2001:db8::/32", "2001:db8:ffff::1", true);
        check("2001:db8::/32", "2001:db9::1", false);
        check("2001:db8::1", "203.0.113.9", false);
        check("0.0.0.0/0", "2001:db8::1", false);
        for text in ["", "203.0.113.0/33", "203.0.113", "2001:db8::/129", "example.com", "10.0.0.0/8,"] {
            assert!(Network::parse(text).is_err(), "{text}");
        }
    }
}
