//! Which addresses are not of the public internet.
//!
//! After the IANA registries of special-purpose addresses for IPv4 and IPv6 (RFC 6890 and its successors), and the addresses
//! at which clouds serve metadata and credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why `address` is never fetched; `None` for an address of the public internet.
///
/// An IPv6 address that carries an IPv4 address (mapped, NAT64 under the well-known prefix, ISATAP) is judged by that one.
/// Transition schemes that are no longer in use (6to4, Teredo, IPv4-compatible) are refused whatever they carry. Of IPv6
/// only global unicast, `2000::/3`, can be allowed, so ranges that get a meaning later are refused.
pub fn forbidden_address(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => forbidden_v4(v4),
        IpAddr::V6(v6) => forbidden_v6(v6),
    }
}

/// Network, length of its prefix in bits, use.
const V4: &[(Ipv4Addr, u32, &str)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared by a carrier's customers"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    // The next one lies in public space, and hosts on Azure reach their platform's agent there.
    (Ipv4Addr::new(168, 63, 129, 16), 32, "cloud metadata"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local, cloud metadata"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relays"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// Networks inside global unicast that are not public after all.
const V6: &[(Ipv6Addr, u32, &str)] = &[
    // Holds Teredo (2001::/32), benchmarks (2001:2::/48) and identifiers that are not routed (2001:20::/28).
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "protocol assignments, Teredo"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
];

const MAPPED: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0);
const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);
const GLOBAL_UNICAST: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);

fn forbidden_v4(address: Ipv4Addr) -> Option<&'static str> {
    let in_net = |net: Ipv4Addr, bits: u32| (address.to_bits() ^ net.to_bits()) >> (32 - bits) == 0;
    V4.iter().find(|(net, bits, _)| in_net(*net, *bits)).map(|(_, _, class)| *class)
}

fn forbidden_v6(address: Ipv6Addr) -> Option<&'static str> {
    let in_net = |net: Ipv6Addr, bits: u32| (address.to_bits() ^ net.to_bits()) >> (128 - bits) == 0;
    if let Some((_, _, class)) = V6.iter().find(|(net, bits, _)| in_net(*net, *bits)) {
        return Some(class);
    }
    let carried = carried_v4(address);
    if let Some(class) = carried.and_then(forbidden_v4) {
        return Some(class);
    }
    // Mapped addresses and NAT64 lie outside global unicast and are as public as what they carry.
    if in_net(GLOBAL_UNICAST, 3) || in_net(MAPPED, 96) || in_net(NAT64, 96) {
        return None;
    }
    Some(match address.segments()[0] {
        0 if address.is_loopback() => "loopback",
        0 => "this network, IPv4-compatible",
        0xfc00..=0xfdff => "unique-local",
        0xfe80..=0xfebf => "link-local",
        0xfec0..=0xfeff => "site-local",
        0xff00..=0xffff => "multicast",
        _ => "not global unicast",
    })
}

/// The IPv4 address that `address` leads to: mapped, behind the well-known prefix of NAT64 (RFC 6052), or as ISATAP
/// (RFC 5214) has it, `0000:5efe` or `0200:5efe` and the address behind any prefix.
pub(crate) fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let has_prefix = |net: Ipv6Addr| (address.to_bits() ^ net.to_bits()) >> 32 == 0;
    let is_isatap = matches!(address.segments(), [.., 0 | 0x200, 0x5efe, _, _]);
    let carries = has_prefix(MAPPED) || has_prefix(NAT64) || is_isatap;
    carries.then_some(Ipv4Addr::from_bits(address.to_bits() as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_range_is_forbidden_at_both_ends_and_its_neighbours_are_not() {
        let check = |text: &str, forbidden: bool| {
            let address = text.parse().unwrap();
            assert_eq!(forbidden_address(address).is_some(), forbidden, "{text}");
        };
        for (first, last, before, after) in [
            ("0.0.0.0", "0.255.255.255", None, Some("1.0.0.0")),
            ("10.0.0.0", "10.255.255.255", Some("9.255.255.255"), Some("11.0.0.0")),
            ("100.64.0.0", "100.127.255.255", Some("100.63.255.255"), Some("100.128.0.0")),
            ("127.0.0.0", "127.255.255.255", Some("126.255.255.255"), Some("128.0.0.0")),
            ("168.63.129.16", "168.63.129.16", Some("168.63.129.15"), Some("168.63.129.17")),
            ("169.254.0.0", "169.254.255.255", Some("169.253.255.255"), Some("169.255.0.0")),
            ("172.16.0.0", "172.31.255.255", Some("172.15.255.255"), Some("172.32.0.0")),
            ("192.0.0.0", "192.0.0.255", Some("191.255.255.255"), Some("192.0.1.0")),
            ("192.0.2.0", "192.0.2.255", Some("192.0.1.255"), Some("192.0.3.0")),
            ("192.88.99.0", "192.88.99.255", Some("192.88.98.255"), Some("192.88.100.0")),
            ("192.168.0.0", "192.168.255.255", Some("192.167.255.255"), Some("192.169.0.0")),
            ("198.18.0.0", "198.19.255.255", Some("198.17.255.255"), Some("198.20.0.0")),
            ("198.51.100.0", "198.51.100.255", Some("198.51.99.255"), Some("198.51.101.0")),
            ("203.0.113.0", "203.0.113.255", Some("203.0.112.255"), Some("203.0.114.0")),
            ("224.0.0.0", "255.255.255.255", Some("223.255.255.255"), None),
            ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, Some("2000::")),
            ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2000:ffff::"), Some("2001:200::")),
            (
                "2001:db8::",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                Some("2001:db7:ffff::"),
                Some("2001:db9::"),
            ),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:ffff::"), Some("2003::")),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Some("3ffe:ffff::"), Some("3fff:1000::")),
            ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("3fff:ffff::"), None),
        ] {
            check(first, true);
            check(last, true);
            before.inspect(|text| check(text, false));
            after.inspect(|text| check(text, false));
        }
    }

    #[test]
    fn an_embedded_address_is_judged_by_what_it_carries() {
        for (text, class) in [
            ("::1", Some("loopback")),
            ("::ffff:127.0.0.1", Some("loopback")),
            ("::ffff:10.1.2.3", Some("private")),
            ("::ffff:8.8.4.4", None),
            ("::127.0.0.1", Some("this network, IPv4-compatible")),
            ("64:ff9b::169.254.169.254", Some("link-local, cloud metadata")),
            ("64:ff9b::8.8.4.4", None),
            ("64:ff9b:1::a00:1", Some("not global unicast")),
            ("64:ff9b::1:0:0", Some("not global unicast")),
            ("::ffff:0:8.8.4.4", Some("this network, IPv4-compatible")),
            ("100::1", Some("not global unicast")),
            ("2001:2::1", Some("protocol assignments, Teredo")),
            ("2001:20::1", Some("protocol assignments, Teredo")),
            ("2002:7f00:1::", Some("6to4")),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Some("protocol assignments, Teredo")),
            ("2a00:1450::5efe:10.0.0.1", Some("private")),
            ("2a00:1450::200:5efe:10.0.0.1", Some("private")),
            ("2a00:1450::5efe:8.8.4.4", None),
            ("fe80::5efe:8.8.4.4", Some("link-local")),
            ("fd20:ce::254", Some("unique-local")),
            ("fd00:ec2::254", Some("unique-local")),
            ("fe80::1", Some("link-local")),
            ("fec0::1", Some("site-local")),
            ("ff02::1", Some("multicast")),
            ("5f00::1", Some("not global unicast")),
        ] {
            assert_eq!(forbidden_address(text.parse().unwrap()), class, "{text}");
        }
    }
}
