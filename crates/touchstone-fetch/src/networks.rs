//! Networks of addresses, as an operator writes them: `198.51.100.7`, `198.51.100.0/24`, `2001:db8::/32`.

use std::net::{IpAddr, Ipv6Addr};

use crate::address::carried_v4;

/// An address and those that share its first bits. IPv4 is kept as mapped into IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    first: u128,
    n_bits: u32,
}

impl Network {
    /// The network of one address.
    pub(crate) fn of(address: IpAddr) -> Self {
        Self { first: mapped(address), n_bits: 128 }
    }

    /// Reads `address/bits`. Bits set behind the prefix are an error, because they are a mistake more often than not.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, n_bits) = text.split_once('/')?;
        let address: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
        let n_bits: u32 = n_bits.parse().ok()?;
        let n_bits = match address {
            IpAddr::V4(_) if n_bits <= 32 => 96 + n_bits,
            IpAddr::V6(_) if n_bits <= 128 => n_bits,
            _ => return None,
        };
        let first = mapped(address);
        (first.checked_shl(n_bits).unwrap_or(0) == 0).then_some(Self { first, n_bits })
    }

    /// Whether `address`, or the IPv4 address that it carries, lies in the network.
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        let carried = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(v6) => carried_v4(v6).map(IpAddr::V4),
        };
        let differs =
            |address| (mapped(address) ^ self.first).checked_shr(128 - self.n_bits).unwrap_or(0) != 0;
        [Some(address), carried].into_iter().flatten().any(|address| !differs(address))
    }
}

fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => Ipv6Addr::to_bits(v6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_in_every_form_and_no_others() {
        for (network, address, expected) in [
            ("93.184.216.0/24", "93.184.216.0", true),
            ("93.184.216.0/24", "93.184.216.255", true),
            ("93.184.216.0/24", "93.184.217.0", false),
            ("93.184.216.0/24", "::ffff:93.184.216.9", true),
            ("93.184.216.0/24", "64:ff9b::93.184.216.9", true),
            ("93.184.216.0/24", "2a00:1450::5efe:93.184.216.9", true),
            ("93.184.216.0/24", "2a00:1450::1", false),
            ("93.184.216.9/32", "93.184.216.9", true),
            ("93.184.216.9/32", "93.184.216.8", false),
            ("0.0.0.0/0", "8.8.4.4", true),
            ("0.0.0.0/0", "2a00:1450::1", false),
            ("::/0", "2a00:1450::1", true),
            ("2a00:1450::/32", "2a00:1450:ffff::1", true),
            ("[2a00:1450::]/32", "2a00:1451::1", false),
        ] {
            let found = Network::parse(network).unwrap().holds(address.parse().unwrap());
            assert_eq!(found, expected, "{network} {address}");
        }
        assert!(Network::of([8, 8, 4, 4].into()).holds("::ffff:8.8.4.4".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_not_read() {
        for bad in ["", "/", "10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0.1/8", "10.0.0.0/-1", "10/8", "a/8"]
        {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}
