//! Port security: a port sends from its own addresses and allowed address pairs only.

use super::{Bound, Feature};
use crate::cookie::Object;
use crate::packet::{arp, dhcp, ethertype, icmpv6};
use crate::register::SOURCE_PORT;
use crate::{Priority, Purpose, Scope, Sink, Table, Tag, Touched, Unit};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use weir_model::{Hypervisor, MacAddress, Port, PortKey, Topology};
use weir_openflow::{Field, Match};

/// Checks of what a port sends.
pub(super) struct Admission;

impl Feature for Admission {
    fn tables(&self) -> &'static [Table] {
        &[Table::Admission, Table::NdAdmission, Table::Arp, Table::Nd]
    }

    fn dirty(&self, touched: &Touched<'_>, units: &mut BTreeSet<Unit>) {
        units.extend(touched.ports().map(|(port, _)| Unit::Admission(port.key)));
    }

    fn of_host(&self, host: &Hypervisor, topology: &Topology, units: &mut Vec<Unit>) {
        units.extend(topology.ports_on(&host.name).map(|port| Unit::Admission(port.key)));
    }

    fn build(&self, unit: Unit, topology: &Topology, sink: &mut Sink) {
        let Unit::Admission(key) = unit else { return };
        let Some(Bound { port, .. }) = Bound::by_key(key, topology) else { return };
        if !port.admin_state_up {
            return;
        }
        let mut sender = Sender { key, sink };
        if port.port_security_enabled {
            let sources = Sources::of(port);
            for &mac in &sources.macs {
                sender.without_address(mac, sources.v4.iter().any(|(of, _)| *of == mac));
            }
            for &(mac, net) in &sources.v4 {
                sender.ipv4(mac, net);
            }
            for &(mac, net) in &sources.v6 {
                sender.ipv6(mac, net);
            }
            sender.without_option(sources.v6.iter().map(|(_, net)| *net).collect());
        } else {
            sender.unchecked();
        }
        for fixed in &port.fixed_ips {
            sender.own_address(fixed.ip_address);
        }
    }

    fn scope(&self, unit: Unit, topology: &Topology) -> Scope {
        let Unit::Admission(key) = unit else { return Scope::Nobody };
        Bound::by_key(key, topology).map_or(Scope::Nobody, |bound| Scope::Host(bound.host.key))
    }
}

/// What a port may use as source, each pair once.
struct Sources {
    macs: BTreeSet<MacAddress>,
    v4: BTreeSet<(MacAddress, Ipv4Net)>,
    v6: BTreeSet<(MacAddress, Ipv6Net)>,
}

impl Sources {
    fn of(port: &Port) -> Self {
        let own = port.fixed_ips.iter().map(|fixed| (port.mac_address, IpNet::from(fixed.ip_address)));
        let pairs = port.allowed_address_pairs.iter().map(|pair| (pair.mac_address, pair.ip_address.trunc()));
        let mut sources = Self { macs: BTreeSet::from([port.mac_address]), v4: BTreeSet::new(), v6: BTreeSet::new() };
        for (mac, net) in own.chain(pairs) {
            sources.macs.insert(mac);
            match net {
                IpNet::V4(net) => {
                    sources.v4.insert((mac, net));
                }
                IpNet::V6(net) => {
                    sources.v6.insert((mac, net));
                }
            }
        }
        sources.macs.retain(|mac| !mac.is_multicast());
        sources.v6.extend(sources.macs.iter().map(|&mac| (mac, Ipv6Net::from(mac.link_local()))));
        sources
    }
}

struct Sender<'a> {
    key: PortKey,
    sink: &'a mut Sink,
}

impl Sender<'_> {
    /// Matches the port in addition to `matching`.
    fn from(&self, matching: Match) -> Match {
        SOURCE_PORT.on(matching, self.key)
    }

    fn lead(&mut self, table: Table, priority: Priority, matching: Match, purpose: Purpose, next: Table) {
        let matching = self.from(matching);
        self.sink.lead(table, priority, matching, Tag::of(purpose, Object::Port(self.key)), [], next);
    }

    fn allow(&mut self, matching: Match, purpose: Purpose, next: Table) {
        self.lead(Table::Admission, Priority::Object, matching, purpose, next);
    }

    /// What a link-layer address may send without an address of its own, or whatever that is.
    fn without_address(&mut self, mac: MacAddress, speaks_ipv4: bool) {
        let from = Match::new().eth_src(mac.0);
        if speaks_ipv4 {
            let request = dhcp::request().eth_src(mac.0).ipv4_src(Ipv4Addr::UNSPECIFIED);
            self.lead(Table::Admission, Priority::Bootstrap, request, Purpose::DhcpRequest, Table::Services);
            let probe = arp_from(mac, Ipv4Net::from(Ipv4Addr::UNSPECIFIED)).with(Field::ArpOp, arp::REQUEST);
            self.lead(Table::Admission, Priority::Bootstrap, probe, Purpose::ArpProbe, Table::Arp);
        }
        self.allow(from.clone().eth_type(ethertype::RARP), Purpose::RarpSource, Table::Forward);
        let unspecified = from.ipv6().ipv6_src(Ipv6Addr::UNSPECIFIED);
        self.lead(Table::Admission, Priority::Bootstrap, unspecified, Purpose::Ipv6Unspecified, Table::Unspecified);
        self.discovery(solicitation(mac), Purpose::SolicitationSource, Table::Nd);
    }

    /// Neighbour discovery without a link-layer address in it. Only the owner may answer such a solicitation, since an
    /// answer made of it could not carry the link-layer address; the sender knows that already.
    fn without_option(&mut self, nets: BTreeSet<Ipv6Net>) {
        self.discovery(solicitation(NO_OPTION), Purpose::SolicitationSource, Table::Forward);
        for net in nets {
            self.discovery(advertisement(net, NO_OPTION), Purpose::AdvertisementSource, Table::Forward);
        }
    }

    fn discovery(&mut self, matching: Match, purpose: Purpose, next: Table) {
        self.lead(Table::NdAdmission, Priority::Object, matching, purpose, next);
    }

    fn ipv4(&mut self, mac: MacAddress, net: Ipv4Net) {
        let packet = Match::new().eth_src(mac.0).ip().ipv4_net(Field::Ipv4Src, net.addr(), net.prefix_len());
        self.allow(packet, Purpose::Ipv4Source, Table::Guard);
        self.allow(arp_from(mac, net), Purpose::ArpSource, Table::Arp);
    }

    fn ipv6(&mut self, mac: MacAddress, net: Ipv6Net) {
        let packet = Match::new().eth_src(mac.0).ipv6().ipv6_net(Field::Ipv6Src, net.addr(), net.prefix_len());
        self.allow(packet, Purpose::Ipv6Source, Table::Guard);
        self.discovery(advertisement(net, mac), Purpose::AdvertisementSource, Table::Forward);
    }

    /// Everything passes, but questions that Weir can answer still are. It cannot answer a solicitation without a
    /// link-layer address, unless that is a look-out for duplicates: see [`Self::without_option`].
    fn unchecked(&mut self) {
        let question = icmpv6::of(icmpv6::NEIGHBOUR_SOLICITATION);
        let detection = question.clone().ipv6_src(Ipv6Addr::UNSPECIFIED);
        self.lead(Table::Admission, Priority::Exception, detection, Purpose::Unchecked, Table::Nd);
        for (matching, next) in [(arp::request(), Table::Arp), (question.clone(), Table::NdAdmission)] {
            self.allow(matching, Purpose::Unchecked, next);
        }
        for matching in [dhcp::request(), dhcp::request_v6(), icmpv6::of(icmpv6::ROUTER_SOLICITATION)] {
            self.allow(matching, Purpose::Unchecked, Table::Services);
        }
        self.discovery(solicitation(NO_OPTION), Purpose::Unchecked, Table::Forward);
        self.lead(Table::NdAdmission, Priority::Unchecked, question, Purpose::Unchecked, Table::Nd);
        self.lead(Table::Admission, Priority::Unchecked, Match::new(), Purpose::Unchecked, Table::Forward);
    }

    /// Weir never answers for the asker itself: it announces itself or looks for duplicates.
    fn own_address(&mut self, address: IpAddr) {
        let (table, question) = match address {
            IpAddr::V4(address) => (Table::Arp, arp::request().with(Field::ArpTpa, u32::from(address).into())),
            IpAddr::V6(address) => {
                let question = icmpv6::of(icmpv6::NEIGHBOUR_SOLICITATION);
                (Table::Nd, question.with(Field::NdTarget, address.into()))
            }
        };
        self.lead(table, Priority::Own, question, Purpose::OwnAddress, Table::Forward);
    }
}

/// How a switch shows a link-layer option that is not there.
const NO_OPTION: MacAddress = MacAddress([0; 6]);

/// Matches ARP packets of a sender.
fn arp_from(mac: MacAddress, net: Ipv4Net) -> Match {
    Match::new().eth_src(mac.0).arp().with(Field::ArpSha, mac.to_u64().into()).ipv4_net(
        Field::ArpSpa,
        net.addr(),
        net.prefix_len(),
    )
}

/// Matches neighbour solicitations with a source link-layer address.
fn solicitation(sll: MacAddress) -> Match {
    icmpv6::of(icmpv6::NEIGHBOUR_SOLICITATION).with(Field::NdSll, sll.to_u64().into())
}

/// Matches neighbour advertisements for a target with its link-layer address.
fn advertisement(net: Ipv6Net, tll: MacAddress) -> Match {
    icmpv6::of(icmpv6::NEIGHBOUR_ADVERTISEMENT)
        .ipv6_net(Field::NdTarget, net.addr(), net.prefix_len())
        .with(Field::NdTll, tll.to_u64().into())
}
