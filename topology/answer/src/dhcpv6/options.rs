//! What a client is told besides its addresses.

use super::message::{MESSAGE_MAX, Message, Reply, option};
use crate::asker::{Asker, domain_of};
use crate::extra::{Extra, Omission, Protocol, Reason};
use crate::{Settings, domain};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use weir_model::Subnet;

/// What a client is told that does not say what it wants.
const USUAL: [u16; 2] = [option::DNS_SERVERS, option::DOMAINS];

/// What one client can be told.
#[derive(Debug)]
pub(super) struct Told<'a> {
    wanted: &'a [u16],
    lease_s: u32,
    values: BTreeMap<u16, Vec<u8>>,
    omitted: Vec<Omission>,
}

impl<'a> Told<'a> {
    pub(super) fn new(asker: &Asker<'_>, message: &'a Message<'_>, subnets: &[&Subnet], settings: &Settings) -> Self {
        let mut tags = BTreeSet::from(["known", "dhcpv6"]);
        if message.ipxe {
            tags.extend(["ipxe", "ipxe6"]);
        }
        let Extra { options, omitted } = Extra::of(asker.port, Protocol::Dhcpv6, &tags);
        let mut values = BTreeMap::new();
        let mut servers = Vec::new();
        for server in subnets.iter().flat_map(|subnet| &subnet.dns_nameservers) {
            match server {
                IpAddr::V6(server) if !server.is_unspecified() && !servers.contains(server) => servers.push(*server),
                _ => {}
            }
        }
        values.insert(option::DNS_SERVERS, servers.iter().flat_map(Ipv6Addr::octets).collect());
        values.insert(option::DOMAINS, domain::encode(domain_of(asker.network, settings)).unwrap_or_default());
        values.insert(option::REFRESH_TIME, settings.dhcp_lease_s.to_be_bytes().to_vec());
        values.extend(options);
        values.retain(|_, value| !value.is_empty());
        let wanted = message.wanted.as_deref().unwrap_or(&USUAL);
        Self { wanted, lease_s: settings.dhcp_lease_s, values, omitted }
    }

    pub(super) const fn lease_s(&self) -> u32 {
        self.lease_s
    }

    /// Puts what the client asked for, in its order.
    pub(super) fn put(&mut self, reply: &mut Reply) {
        let mut told = BTreeSet::new();
        for code in self.wanted.iter().filter(|code| told.insert(**code)) {
            let Some(value) = self.values.get(code) else { continue };
            if reply.bytes.len() + 4 + value.len() <= MESSAGE_MAX {
                reply.put(*code, value);
            } else {
                self.note(*code, false);
            }
        }
    }

    /// Takes note of an option that the message has no room for, wholly or in part.
    pub(super) fn note(&mut self, code: u16, whole: bool) {
        if !whole {
            self.omitted.push(Omission { option: code.to_string(), reason: Reason::NoRoom });
        }
    }

    pub(super) fn into_omitted(self) -> Vec<Omission> {
        self.omitted
    }
}
