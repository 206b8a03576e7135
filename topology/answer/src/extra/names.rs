//! Names of options and what they hold: those of dnsmasq, which Neutron's users know, and those of RFC 5071.

use super::Protocol;
use super::value::Kind;

/// Not an option but a field of the message: where the boot file is (`siaddr`).
pub(crate) const SERVER_IP_ADDRESS: u16 = 255;

const V4: &[(&str, u16, Kind)] = &[
    ("netmask", 1, Kind::Addresses),
    ("time-offset", 2, Kind::Long),
    ("router", 3, Kind::Addresses),
    ("time-server", 4, Kind::Addresses),
    ("dns-server", 6, Kind::Addresses),
    ("log-server", 7, Kind::Addresses),
    ("lpr-server", 9, Kind::Addresses),
    ("hostname", 12, Kind::Text),
    ("boot-file-size", 13, Kind::Short),
    ("domain-name", 15, Kind::Text),
    ("swap-server", 16, Kind::Addresses),
    ("root-path", 17, Kind::Text),
    ("extension-path", 18, Kind::Text),
    ("ip-forward-enable", 19, Kind::Byte),
    ("non-local-source-routing", 20, Kind::Byte),
    ("policy-filter", 21, Kind::Addresses),
    ("max-datagram-reassembly", 22, Kind::Short),
    ("default-ttl", 23, Kind::Byte),
    ("mtu", 26, Kind::Short),
    ("all-subnets-local", 27, Kind::Byte),
    ("broadcast", 28, Kind::Addresses),
    ("router-discovery", 31, Kind::Byte),
    ("router-solicitation", 32, Kind::Addresses),
    ("static-route", 33, Kind::Addresses),
    ("trailer-encapsulation", 34, Kind::Byte),
    ("arp-timeout", 35, Kind::Long),
    ("ethernet-encap", 36, Kind::Byte),
    ("tcp-ttl", 37, Kind::Byte),
    ("tcp-keepalive", 38, Kind::Long),
    ("nis-domain", 40, Kind::Text),
    ("nis-server", 41, Kind::Addresses),
    ("ntp-server", 42, Kind::Addresses),
    ("vendor-encap", 43, Kind::Guess),
    ("netbios-ns", 44, Kind::Addresses),
    ("netbios-dd", 45, Kind::Addresses),
    ("netbios-nodetype", 46, Kind::Byte),
    ("netbios-scope", 47, Kind::Text),
    ("x-windows-fs", 48, Kind::Addresses),
    ("x-windows-dm", 49, Kind::Addresses),
    ("lease-time", 51, Kind::Long),
    ("T1", 58, Kind::Long),
    ("T2", 59, Kind::Long),
    ("vendor-class", 60, Kind::Text),
    ("nis+-domain", 64, Kind::Text),
    ("nis+-server", 65, Kind::Addresses),
    ("tftp-server", 66, Kind::Text),
    ("bootfile-name", 67, Kind::Text),
    ("mobile-ip-home", 68, Kind::Addresses),
    ("smtp-server", 69, Kind::Addresses),
    ("pop3-server", 70, Kind::Addresses),
    ("nntp-server", 71, Kind::Addresses),
    ("irc-server", 74, Kind::Addresses),
    ("posix-timezone", 100, Kind::Text),
    ("tzdb-timezone", 101, Kind::Text),
    ("ipv6-only", 108, Kind::Long),
    ("domain-search", 119, Kind::Domains),
    ("classless-static-route", 121, Kind::Routes),
    ("tftp-server-address", 150, Kind::Addresses),
    ("config-file", 209, Kind::Text),
    ("path-prefix", 210, Kind::Text),
    ("classless-static-route-ms", 249, Kind::Routes),
    ("wpad", 252, Kind::Text),
    ("server-ip-address", SERVER_IP_ADDRESS, Kind::Addresses),
];

const V6: &[(&str, u16, Kind)] = &[
    ("preference", 7, Kind::Byte),
    ("vendor-opts", 17, Kind::Guess),
    ("sip-server-domain", 21, Kind::Domains),
    ("sip-server", 22, Kind::Addresses6),
    ("dns-server", 23, Kind::Addresses6),
    ("domain-search", 24, Kind::Domains),
    ("nis-server", 27, Kind::Addresses6),
    ("nis+-server", 28, Kind::Addresses6),
    ("nis-domain", 29, Kind::Domains),
    ("nis+-domain", 30, Kind::Domains),
    ("sntp-server", 31, Kind::Addresses6),
    ("information-refresh-time", 32, Kind::Long),
    ("posix-timezone", 41, Kind::Text),
    ("tzdb-timezone", 42, Kind::Text),
    ("ntp-server", 56, Kind::TimeServers),
    ("bootfile-url", 59, Kind::Text),
    ("bootfile-param", 60, Kind::Parameters),
];

/// The number of an option, by its name or by the number itself, and what it holds.
pub(super) fn find(name: &str, protocol: Protocol) -> Option<(u16, Kind)> {
    let table = if protocol == Protocol::Dhcpv4 { V4 } else { V6 };
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_digit()) {
        return table
            .iter()
            .find(|(known, ..)| known.eq_ignore_ascii_case(name))
            .map(|(_, number, kind)| (*number, *kind));
    }
    let number: u16 = name.parse().ok()?;
    if protocol == Protocol::Dhcpv4 && number > 255 {
        return None;
    }
    let known = table.iter().find(|(_, known, _)| *known == number);
    let guess = if protocol == Protocol::Dhcpv4 { Kind::Guess } else { Kind::Guess6 };
    Some((number, known.map_or(guess, |(_, _, kind)| *kind)))
}

/// Whether the option says something that only the server can know, or the client.
pub(super) const fn is_reserved(number: u16, protocol: Protocol) -> bool {
    match protocol {
        Protocol::Dhcpv4 => matches!(number, 0 | 50 | 52..=57 | 61 | 82),
        Protocol::Dhcpv6 => matches!(number, 0..=6 | 8..=16 | 18..=20 | 25 | 26),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_unique() {
        for table in [V4, V6] {
            for (at, (name, number, _)) in table.iter().enumerate() {
                let twin = table[..at].iter().find(|(other, same, _)| other == name || same == number);
                assert_eq!(twin.map(|(other, ..)| other), None, "{name}");
            }
        }
    }
}
