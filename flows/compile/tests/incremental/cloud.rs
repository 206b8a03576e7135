//! A topology, the engine that follows it, and the tables that hypervisors have got by deltas alone.

use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use uuid::Uuid;
use weir_compile::{Applied, Bridge, Engine, OwnerKind, Unit, desired, explain, units_for};
use weir_model::{
    AddressGroupId, Command, HostKey, HostName, HypervisorFact, Limits, NetworkId, NewAddressPair, NewFixedIp,
    NewNetwork, NewPort, NewSubnet, PortId, PortPatch, ProjectId, Rejection, Request, RouterId, SecurityGroupId,
    SecurityGroupRuleId, SubnetId, Timestamp, Topology, Vif,
};
use weir_openflow::{Digest, EncodedEdit, FlowEdit, FlowTable};

pub(crate) struct Cloud {
    pub(crate) topology: Topology,
    pub(crate) engine: Engine,
    pub(crate) tables: BTreeMap<(HostKey, Bridge), FlowTable>,
    /// What deltas alone say that hypervisors hold.
    digests: BTreeMap<(HostKey, Bridge), Digest>,
}

impl Cloud {
    pub(crate) fn new() -> Self {
        let topology = Topology::new(Limits::default());
        let engine = Engine::load(&topology);
        Self { topology, engine, tables: BTreeMap::new(), digests: BTreeMap::new() }
    }

    /// Carries out a command and brings the tables up to date.
    pub(crate) fn try_command(&mut self, command: Command) -> Result<Applied, Rejection> {
        let (new, commit, _) = self.topology.transact(Request { command, at: Timestamp(0) })?;
        let applied = self.engine.apply(&commit, &self.topology, &new, |_| true);
        self.topology = new;
        let mut bundles: BTreeMap<(HostKey, Bridge), Vec<EncodedEdit>> = BTreeMap::new();
        for delta in &applied.deltas {
            assert!(delta.unit.concerns(delta.bridge), "{} has edits in {}", delta.unit, delta.bridge);
            assert!(!delta.edits.is_empty() && !delta.recipients.is_empty());
            for host in delta.recipients.iter() {
                assert!(delta.recipients.contains(host));
                bundles.entry((host, delta.bridge)).or_default().extend(delta.edits.iter().cloned());
                *self.digests.entry((host, delta.bridge)).or_default() += delta.change;
            }
        }
        let known: BTreeSet<HostKey> = self.topology.hypervisors().map(|host| host.key).collect();
        for (place, bundle) in bundles {
            self.bundle(place, bundle, known.contains(&place.0));
        }
        self.tables.retain(|(host, _), _| known.contains(host));
        self.digests.retain(|(host, _), _| known.contains(host));
        Ok(applied)
    }

    /// One bundle: what is superseded is left out, the rest is sorted by phase, and the switch must accept all of it.
    fn bundle(&mut self, place: (HostKey, Bridge), edits: Vec<EncodedEdit>, known: bool) {
        let table = self.tables.entry(place).or_default();
        let mut edits: Vec<FlowEdit> = edits.iter().map(|edit| edit.decode().expect("our own bytes")).collect();
        let keys: Vec<_> = edits.iter().map(FlowEdit::key).collect();
        let mut position = 0;
        edits.retain(|edit| {
            position += 1;
            let bucket = matches!(edit, FlowEdit::InsertBucket { .. } | FlowEdit::RemoveBucket { .. });
            bucket || !keys[position..].iter().any(|later| *later == keys[position - 1])
        });
        edits.sort_by_key(FlowEdit::phase);
        for edit in &edits {
            let accepted = table.apply(edit);
            assert!(accepted || !known, "a switch refuses {edit:?}");
        }
    }

    pub(crate) fn command(&mut self, command: Command) -> Applied {
        self.try_command(command).expect("the command is right")
    }

    /// Whether everything that the engine promises holds.
    pub(crate) fn check(&mut self) {
        let mut fresh = Engine::load(&self.topology);
        assert_eq!(self.engine.len(), fresh.len(), "the engine keeps what a cold compile keeps");
        for host in self.topology.hypervisors() {
            for bridge in Bridge::ALL {
                let desired = desired(host.key, bridge, &self.topology);
                let empty = FlowTable::default();
                let reached = self.tables.get(&(host.key, bridge)).unwrap_or(&empty);
                let missing = FlowTable::diff(reached, &desired);
                assert!(missing.is_empty(), "{} {bridge}: deltas led elsewhere: {missing:#?}", host.name);
                let followed = self.digests.get(&(host.key, bridge)).copied().unwrap_or_default();
                assert_eq!(followed.flows, desired.flows.len() as u64);
                for engine in [&mut self.engine, &mut fresh] {
                    let holding = engine.holding(host.key, bridge, &self.topology);
                    let digest = holding.digest();
                    let additions = holding.additions();
                    assert_eq!(
                        additions.iter().map(|run| Digest::of(&**run)).sum::<Digest>(),
                        digest,
                        "{} {bridge}",
                        host.name
                    );
                    assert_eq!(followed, digest, "{} {bridge}: deltas say otherwise", host.name);
                    let mut edits: Vec<FlowEdit> =
                        additions.iter().flat_map(|run| run.iter().map(|edit| edit.decode().expect("ours"))).collect();
                    edits.sort_by_key(FlowEdit::phase);
                    let mut table = FlowTable::default();
                    for edit in &edits {
                        assert!(table.apply(edit));
                    }
                    assert_eq!(table, desired, "{} {bridge}: what is kept is what is desired", host.name);
                }
                self.check_owners(host.key, bridge, &desired);
            }
        }
    }

    /// No object of the switch belongs to two units, and every flow's owner is there.
    fn check_owners(&self, host: HostKey, bridge: Bridge, desired: &FlowTable) {
        let mut owner: BTreeMap<_, Unit> = BTreeMap::new();
        for unit in units_for(host, &self.topology) {
            for edit in unit.build(&self.topology).edits(bridge) {
                if let Some(other) = owner.insert(edit.key(), unit) {
                    panic!("{other} and {unit} both have {:?}", edit.key());
                }
            }
        }
        for flow in desired.flows.values() {
            let owner = explain(flow.cookie, &self.topology);
            assert!(!matches!(owner.kind, OwnerKind::Foreign | OwnerKind::Vanished), "{owner} for {:?}", flow.key);
        }
    }

    pub(crate) fn host(&self, name: &str) -> HostKey {
        self.topology.hypervisor(&HostName::from(name)).expect("the hypervisor is known").key
    }

    pub(crate) fn tables_of(&self, host: HostKey) -> BTreeMap<Bridge, FlowTable> {
        let of_host = self.tables.iter().filter(|((of, _), _)| *of == host);
        of_host.map(|((_, bridge), table)| (*bridge, table.clone())).collect()
    }

    pub(crate) fn unit_names(applied: &Applied) -> Vec<String> {
        applied.rebuilt.iter().map(ToString::to_string).collect()
    }
}

pub(crate) fn network_id(number: u8) -> NetworkId {
    NetworkId(Uuid::from_u128(0x0100 + u128::from(number)))
}

pub(crate) fn subnet_id(number: u8) -> SubnetId {
    SubnetId(Uuid::from_u128(0x0200 + u128::from(number)))
}

pub(crate) fn port_id(number: u8) -> PortId {
    PortId(Uuid::from_u128(0x0300 + u128::from(number)))
}

pub(crate) fn router_id(number: u8) -> RouterId {
    RouterId(Uuid::from_u128(0x0400 + u128::from(number)))
}

pub(crate) fn group_id(number: u8) -> SecurityGroupId {
    SecurityGroupId(Uuid::from_u128(0x0500 + u128::from(number)))
}

pub(crate) fn rule_id(number: u8) -> SecurityGroupRuleId {
    SecurityGroupRuleId(Uuid::from_u128(0x0600 + u128::from(number)))
}

pub(crate) fn address_group_id() -> AddressGroupId {
    AddressGroupId(Uuid::from_u128(0x0700))
}

pub(crate) fn host_name(number: u8) -> HostName {
    HostName::from(format!("host{number}").as_str())
}

pub(crate) fn project() -> ProjectId {
    ProjectId::from("tenant")
}

pub(crate) fn create_network(number: u8) -> Command {
    let mut network = NewNetwork::new(network_id(number), project());
    network.name = Some(format!("net{number}"));
    Command::CreateNetworks(vec![network])
}

pub(crate) fn create_subnet(number: u8, network: u8, cidr: &str) -> Command {
    let cidr: IpNet = cidr.parse().expect("a prefix");
    let mut subnet = NewSubnet::new(subnet_id(number), network_id(network), project(), cidr);
    subnet.gateway_ip = Some(None);
    Command::CreateSubnets(vec![subnet])
}

pub(crate) fn create_port(number: u8, network: u8, host: Option<u8>) -> Command {
    let mut port = new_port(number, network);
    port.binding_host = host.map(host_name);
    Command::CreatePorts(vec![port])
}

pub(crate) fn new_port(number: u8, network: u8) -> NewPort {
    let mut port = NewPort::new(port_id(number), network_id(network), project());
    port.name = Some(format!("port{number}"));
    port
}

pub(crate) fn update_port(number: u8, patch: PortPatch) -> Command {
    Command::UpdatePort { id: port_id(number), patch: Box::new(patch), if_revision: None }
}

pub(crate) fn bind(number: u8, host: Option<u8>) -> Command {
    update_port(number, PortPatch { binding_host: Some(host.map(host_name)), ..PortPatch::default() })
}

pub(crate) fn hypervisor(number: u8, encap: u8) -> Command {
    Command::ObserveHypervisor(HypervisorFact {
        name: host_name(number),
        system_id: format!("system{number}"),
        encap_ip: IpAddr::from([192, 0, 2, encap]),
        bridge_mappings: Vec::new(),
        integration_datapath: None,
        tunnel_datapath: None,
    })
}

pub(crate) fn plug(port: u8, host: u8, ofport: u32) -> Command {
    Command::ObserveVif(Vif { host: host_name(host), port: port_id(port), interface: format!("tap{port}"), ofport })
}

pub(crate) fn pair(address: &str, mac: Option<[u8; 6]>) -> NewAddressPair {
    NewAddressPair { ip_address: address.parse().expect("a prefix"), mac_address: mac.map(weir_model::MacAddress) }
}

pub(crate) fn fixed(address: &str) -> NewFixedIp {
    NewFixedIp { subnet_id: None, ip_address: Some(address.parse().expect("an address")) }
}
