//! Ports.

use super::{Objects, Resource, Tagged, Update, standard};
use crate::api::attribute::{
    Attribute, Filter, Given, GivenDhcpOption, GivenFixedIp, GivenPair, Preset, Rule, Shown, Table, Values, Wanted,
};
use crate::api::caller::{Caller, Who};
use crate::api::fault::Fault;
use crate::api::query::Query;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;
use weir_model::{
    Command, ExtraDhcpOption, HostName, MacAddress, Network, NetworkId, NewAddressPair, NewFixedIp, NewPort, Outcome,
    Port, PortId, PortPatch, PortStatus, ProjectId, SecurityGroup, SecurityGroupId, SubnetId, Topology, VifType,
    VnicType,
};

/// Words for kinds of devices.
const VNIC_TYPES: [(&str, VnicType); 9] = [
    ("normal", VnicType::Normal),
    ("direct", VnicType::Direct),
    ("direct-physical", VnicType::DirectPhysical),
    ("macvtap", VnicType::Macvtap),
    ("baremetal", VnicType::Baremetal),
    ("virtio-forwarder", VnicType::VirtioForwarder),
    ("vdpa", VnicType::Vdpa),
    ("smart-nic", VnicType::SmartNic),
    ("accelerator-direct", VnicType::AcceleratorDirect),
];

/// The words alone, for judging.
const VNIC_WORDS: [&str; VNIC_TYPES.len()] = {
    let mut words = [""; VNIC_TYPES.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = VNIC_TYPES[at].0;
        at += 1;
    }
    words
};

/// A row of the table.
type Row = Attribute<Port>;

const TABLE: Table<Port> = &[
    standard::id(),
    standard::name(),
    Row::new("network_id", |it, _| Shown::Uuid(it.network_id.0)).required(Rule::Uuid).filter(Filter::Uuid).sort(),
    standard::tenant_id(),
    standard::project_id(),
    Row::new("admin_state_up", |it, _| Shown::Bool(it.admin_state_up))
        .write(Rule::Boolean)
        .preset(Preset::Yes)
        .filter(Filter::Boolean)
        .sort(),
    Row::new("mac_address", |it, _| Shown::Mac(it.mac_address)).write(Rule::Mac).filter(Filter::Mac).sort(),
    Row::new("fixed_ips", |it, _| Shown::FixedIps(&it.fixed_ips)).write(Rule::FixedIps).filter(Filter::FixedIps),
    Row::new("device_id", |it, _| Shown::Text(&it.device_id))
        .write(Rule::Text(255))
        .preset(Preset::Empty)
        .filter(Filter::Text)
        .sort(),
    Row::new("device_owner", |it, _| Shown::Text(&it.device_owner))
        .write(Rule::Text(255))
        .preset(Preset::Empty)
        .filter(Filter::Text)
        .sort(),
    Row::new("status", |it, _| {
        Shown::Text(match it.status {
            PortStatus::Active => "ACTIVE",
            PortStatus::Down => "DOWN",
            PortStatus::Build => "BUILD",
        })
    })
    .filter(Filter::Text)
    .sort(),
    Row::new("allowed_address_pairs", |it, _| Shown::Pairs(&it.allowed_address_pairs))
        .write(Rule::AddressPairs)
        .preset(Preset::Empty),
    Row::new("port_security_enabled", |it, _| Shown::Bool(it.port_security_enabled)).write(Rule::Boolean),
    Row::new("security_groups", |it, _| Shown::Uuids(it.security_groups.iter().map(|group| group.0).collect()))
        .write(Rule::Uuids)
        .filter(Filter::Uuid),
    Row::new("binding:host_id", |it, _| Shown::Text(it.binding.host.as_ref().map_or("", HostName::as_str)))
        .write(Rule::TextOrNull(255))
        .only(Who::Admin)
        .preset(Preset::Empty)
        .filter(Filter::Text),
    Row::new("binding:vnic_type", |it, _| Shown::Text(vnic_word(it.binding.vnic_type))).write(Rule::OneOf(&VNIC_WORDS)),
    Row::new("binding:profile", |it, _| Shown::Json(&it.binding.profile))
        .write(Rule::ObjectOrNull)
        .only(Who::Admin)
        .preset(Preset::Empty),
    Row::new("binding:vif_type", |it, view| {
        Shown::Text(match view.topology.vif_type(it) {
            VifType::Unbound => "unbound",
            VifType::Ovs => "ovs",
            VifType::BindingFailed => "binding_failed",
        })
    })
    .only(Who::Admin),
    Row::new("binding:vif_details", |it, view| match view.topology.vif_type(it) {
        VifType::Ovs => Shown::OvsDetails,
        VifType::Unbound | VifType::BindingFailed => Shown::NoDetails,
    })
    .only(Who::Admin),
    Row::new("extra_dhcp_opts", |it, _| Shown::DhcpOptions(&it.extra_dhcp_opts)).write(Rule::DhcpOptions),
    Row::new("dns_name", |it, _| Shown::Text(&it.dns_name)).write(Rule::DnsName).preset(Preset::Empty),
    Row::new("dns_assignment", |it, view| Shown::DnsAssignment {
        name: &it.dns_name,
        domain: view.dns_domain,
        addresses: &it.fixed_ips,
    }),
    Row::new("ip_allocation", |_, _| Shown::Text("immediate")).filter(Filter::Text).sort(),
    standard::description(),
    standard::tags().create(Rule::Texts(255)),
    standard::tags_any(),
    standard::not_tags(),
    standard::not_tags_any(),
    standard::created_at(),
    standard::updated_at(),
    standard::changed_since(),
    standard::revision_number(),
    Row::new("weir:realized", |_, view| Shown::Bool(view.lagging.is_empty())).only(Who::Admin).show_only(),
    Row::new("weir:lagging_hosts", |_, view| Shown::Hosts(view.lagging)).only(Who::Admin).show_only(),
];

fn vnic_word(kind: VnicType) -> &'static str {
    VNIC_TYPES.iter().find(|(_, known)| *known == kind).map_or("normal", |(word, _)| word)
}

fn vnic_type(word: &str) -> Option<VnicType> {
    VNIC_TYPES.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind)
}

impl Resource for Port {
    const NAME: &'static str = "port";
    const COLLECTION: &'static str = "ports";
    const TABLE: Table<Self> = TABLE;

    fn absent(id: &str) -> Fault {
        Fault::absent("PortNotFound", format_args!("Port {id} could not be found."))
    }

    fn get(topology: &Topology, id: Uuid) -> Option<&Arc<Self>> {
        topology.port(PortId(id))
    }

    fn candidates<'a>(topology: &'a Topology, query: &Query<Self>) -> Objects<'a, Self> {
        match (query.only("id"), query.only("device_id"), query.only("network_id")) {
            (Some(Wanted::Uuid(id)), ..) => Box::new(topology.port(PortId(*id)).into_iter()),
            (_, Some(Wanted::Text(device)), _) if !device.is_empty() => Box::new(topology.ports_of_device(device)),
            (_, _, Some(Wanted::Uuid(network))) => Box::new(topology.ports_of(NetworkId(*network))),
            _ => match query.only("security_groups") {
                Some(Wanted::Uuid(group)) => Box::new(topology.ports_of_group(SecurityGroupId(*group))),
                _ => Box::new(topology.ports()),
            },
        }
    }

    fn shared_with(&self, caller: &Caller, topology: &Topology) -> bool {
        topology.network(self.network_id).is_some_and(|network| caller.owns(&network.project_id))
    }

    fn may_create(values: &Values, caller: &Caller, topology: &Topology) -> Result<(), Fault> {
        let network = values.peek_uuid("network_id").and_then(|id| Network::get(topology, id));
        if let Some(network) = network
            && !caller.admin
            && !caller.owns(&network.project_id)
            && !network.shared
        {
            return Err(Network::absent(&network.id.to_string()));
        }
        // The model says which network is not there.
        network_owner_needed(values, network, "create", caller)?;
        groups_seen(values, caller, topology)
    }

    fn create(asked: Vec<(ProjectId, Values)>) -> Result<Command, Fault> {
        let ports = asked.into_iter().map(|(project, values)| new(project, values)).collect::<Result<_, _>>()?;
        Ok(Command::CreatePorts(ports))
    }

    fn may_update(&self, values: &Values, caller: &Caller, topology: &Topology) -> Result<(), Fault> {
        network_owner_needed(values, topology.network(self.network_id), "update", caller)?;
        groups_seen(values, caller, topology)
    }

    fn update(&self, mut values: Values, topology: &Topology, if_revision: Option<u64>) -> Result<Update, Fault> {
        let options = values.dhcp_options("extra_dhcp_opts");
        let relative = options.is_some();
        let patch = PortPatch {
            name: values.text("name"),
            description: values.text("description"),
            admin_state_up: values.boolean("admin_state_up"),
            mac_address: values.mac_or_null("mac_address").map(|mac| mac.unwrap_or_else(|| random_mac(topology))),
            fixed_ips: values.fixed_ips("fixed_ips").map(wished),
            allowed_address_pairs: values.pairs("allowed_address_pairs").map(pairs),
            port_security_enabled: values.boolean("port_security_enabled"),
            security_groups: security_groups(&mut values),
            device_id: values.text("device_id"),
            device_owner: values.text("device_owner"),
            binding_host: values.text_or_null("binding:host_id").map(host),
            binding_vnic_type: values.text("binding:vnic_type").as_deref().and_then(vnic_type),
            binding_profile: profile(&mut values),
            extra_dhcp_opts: options.map(|options| merged(&self.extra_dhcp_opts, options)),
            dns_name: values.text("dns_name"),
            tags: None,
        };
        values.exhausted();
        let if_revision = if_revision.or(relative.then_some(self.revision_number));
        Ok(Update { command: Command::UpdatePort { id: self.id, patch: Box::new(patch), if_revision }, relative })
    }

    fn delete(id: Uuid, if_revision: Option<u64>) -> Command {
        Command::DeletePort { id: PortId(id), if_revision }
    }

    fn of(outcome: Outcome) -> Option<Vec<Arc<Self>>> {
        match outcome {
            Outcome::Ports(ports) => Some(ports),
            _ => None,
        }
    }
}

impl Tagged for Port {
    fn tags(&self) -> &BTreeSet<String> {
        &self.tags
    }

    fn retag(id: Uuid, tags: BTreeSet<String>, if_revision: Option<u64>) -> Command {
        let patch = Box::new(PortPatch { tags: Some(tags), ..PortPatch::default() });
        Command::UpdatePort { id: PortId(id), patch, if_revision }
    }
}

fn new(project: ProjectId, mut values: Values) -> Result<NewPort, Fault> {
    let network = values.uuid("network_id").unwrap_or_default();
    let tags = values.texts("tags").map(BTreeSet::from_iter);
    if let Some(tags) = &tags {
        crate::api::tags::bounded::<Port>(tags)?;
    }
    let new = NewPort {
        name: values.text("name"),
        description: values.text("description"),
        admin_state_up: values.boolean("admin_state_up"),
        mac_address: values.mac("mac_address"),
        fixed_ips: values.fixed_ips("fixed_ips").map(wished),
        allowed_address_pairs: values.pairs("allowed_address_pairs").map(pairs),
        port_security_enabled: values.boolean("port_security_enabled"),
        security_groups: security_groups(&mut values),
        device_id: values.text("device_id"),
        device_owner: values.text("device_owner"),
        binding_host: values.text_or_null("binding:host_id").and_then(host),
        binding_vnic_type: values.text("binding:vnic_type").as_deref().and_then(vnic_type),
        binding_profile: profile(&mut values),
        extra_dhcp_opts: values
            .dhcp_options("extra_dhcp_opts")
            .map(|options| options.into_iter().filter_map(GivenDhcpOption::into_option).collect()),
        dns_name: values.text("dns_name"),
        tags,
        ..NewPort::new(PortId(Uuid::new_v4()), NetworkId(network), project)
    };
    values.exhausted();
    Ok(new)
}

fn security_groups(values: &mut Values) -> Option<Vec<SecurityGroupId>> {
    values.uuids("security_groups").map(|groups| groups.into_iter().map(SecurityGroupId).collect())
}

/// Refuses security groups that the caller cannot see.
fn groups_seen(values: &Values, caller: &Caller, topology: &Topology) -> Result<(), Fault> {
    let unseen = |id: &&Uuid| !SecurityGroup::get(topology, **id).is_some_and(|group| group.visible(caller, topology));
    let unseen: Vec<String> = values.peek_uuids("security_groups").iter().filter(unseen).map(Uuid::to_string).collect();
    if unseen.is_empty() { Ok(()) } else { Err(SecurityGroup::absent(&unseen.join(", "))) }
}

/// Refuses what only the owner of the network may ask of a port, as Neutron does by default: to be one of Neutron's own,
/// which are not filtered, and whatever lets a port pass for another one. An address of one's wish is refused, a subnet
/// is not; on an update both are. Another link-layer address later is for admins alone.
fn network_owner_needed(
    values: &Values,
    network: Option<&Arc<Network>>,
    action: &str,
    caller: &Caller,
) -> Result<(), Fault> {
    if caller.admin {
        return Ok(());
    }
    let update = action == "update";
    let owns = network.is_some_and(|network| caller.owns(&network.project_id));
    let refused = values.iter().find_map(|(name, given)| match (name, given) {
        ("mac_address", _) if update => Some(name),
        _ if owns => None,
        ("device_owner", Given::Text(owner)) => owner.starts_with("network:").then_some(name),
        ("fixed_ips", Given::FixedIps(wished)) => {
            let exact = wished.iter().any(|fixed| fixed.ip_address.is_some());
            if exact { Some("fixed_ips:ip_address") } else { update.then_some(name) }
        }
        ("port_security_enabled" | "allowed_address_pairs" | "mac_address", _) => Some(name),
        _ => None,
    });
    match refused {
        Some(name) => Err(Fault::forbidden(&format!("(rule:{action}_port and rule:{action}_port:{name})"))),
        None => Ok(()),
    }
}

fn wished(addresses: Vec<GivenFixedIp>) -> Vec<NewFixedIp> {
    addresses
        .into_iter()
        .map(|it| NewFixedIp { subnet_id: it.subnet_id.map(SubnetId), ip_address: it.ip_address })
        .collect()
}

fn pairs(pairs: Vec<GivenPair>) -> Vec<NewAddressPair> {
    pairs.into_iter().map(|it| NewAddressPair { ip_address: it.ip_address, mac_address: it.mac_address }).collect()
}

fn host(name: Option<String>) -> Option<HostName> {
    name.filter(|name| !name.is_empty()).map(|name| HostName::from(name.as_str()))
}

fn profile(values: &mut Values) -> Option<String> {
    values.json_or_null("binding:profile").map(|profile| profile.unwrap_or_else(|| "{}".to_owned()))
}

/// A new address with the operator's first bytes.
fn random_mac(topology: &Topology) -> MacAddress {
    let base = topology.limits().base_mac.0;
    let fixed = if base[3] == 0 { 3 } else { 4 };
    let mut bytes = base;
    bytes[fixed..].copy_from_slice(&Uuid::new_v4().as_bytes()[..6 - fixed]);
    MacAddress(bytes)
}

/// The options after an update: those named are set, or taken away if they have no value; the others stay.
fn merged(before: &[ExtraDhcpOption], given: Vec<GivenDhcpOption>) -> Vec<ExtraDhcpOption> {
    let mut options = before.to_vec();
    for change in given {
        let at = options.iter().position(|it| it.name == change.name && it.ip_version == change.ip_version);
        match (at, change.into_option()) {
            (Some(at), Some(option)) => options[at] = option,
            (Some(at), None) => {
                options.remove(at);
            }
            (None, Some(option)) => options.push(option),
            (None, None) => {}
        }
    }
    options
}
