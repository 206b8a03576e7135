//! Subnets.

use super::{Objects, Resource, Tagged, Update, standard};
use crate::api::attribute::{Attribute, Filter, Preset, Rule, Shown, Table, Values, Wanted};
use crate::api::caller::{Caller, Who};
use crate::api::fault::Fault;
use crate::api::query::Query;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;
use weir_model::{
    Command, Ipv6Mode, Network, NetworkId, NewSubnet, Outcome, ProjectId, Subnet, SubnetId, SubnetPatch, Topology,
};

const IPV6_MODES: Rule = Rule::OneOf(&["slaac", "dhcpv6-stateful", "dhcpv6-stateless"]);

/// A row of the table.
type Row = Attribute<Subnet>;

const TABLE: Table<Subnet> = &[
    standard::id(),
    standard::name(),
    Row::new("ip_version", |it, _| Shown::Integer(if it.is_ipv6() { 6 } else { 4 }))
        .required(Rule::OneNumberOf(&[4, 6]))
        .filter(Filter::Integer)
        .sort(),
    Row::new("network_id", |it, _| Shown::Uuid(it.network_id.0)).required(Rule::Uuid).filter(Filter::Uuid).sort(),
    Row::new("subnetpool_id", |_, _| Shown::Null).create(Rule::UuidOrNull).filter(Filter::Text).sort(),
    Row::new("cidr", |it, _| Shown::Net(it.cidr)).create(Rule::Cidr).filter(Filter::Net).sort(),
    Row::new("gateway_ip", |it, _| it.gateway_ip.map_or(Shown::Null, Shown::Ip))
        .write(Rule::IpOrNull)
        .filter(Filter::Ip)
        .sort(),
    Row::new("allocation_pools", |it, _| Shown::Pools(&it.allocation_pools)).write(Rule::Pools),
    Row::new("dns_nameservers", |it, _| Shown::Ips(&it.dns_nameservers)).write(Rule::Nameservers),
    Row::new("host_routes", |it, _| Shown::Routes(&it.host_routes)).write(Rule::HostRoutes),
    standard::tenant_id(),
    standard::project_id(),
    Row::new("enable_dhcp", |it, _| Shown::Bool(it.enable_dhcp))
        .write(Rule::Boolean)
        .preset(Preset::Yes)
        .filter(Filter::Boolean)
        .sort(),
    Row::new("ipv6_ra_mode", |it, _| mode(it.ipv6_ra_mode)).create(IPV6_MODES).filter(Filter::Text).sort(),
    Row::new("ipv6_address_mode", |it, _| mode(it.ipv6_address_mode)).create(IPV6_MODES).filter(Filter::Text).sort(),
    Row::new("shared", |it, view| {
        Shown::Bool(view.topology.network(it.network_id).is_some_and(|network| network.shared))
    })
    .hidden()
    .filter(Filter::Boolean),
    Row::new("service_types", |it, _| Shown::Texts(&it.service_types))
        .write(Rule::ServiceTypes)
        .set_by(Who::Admin)
        .preset(Preset::Empty),
    Row::new("dns_publish_fixed_ip", |it, _| Shown::Bool(it.dns_publish_fixed_ip))
        .write(Rule::Boolean)
        .preset(Preset::No),
    standard::description(),
    standard::tags(),
    standard::tags_any(),
    standard::not_tags(),
    standard::not_tags_any(),
    standard::created_at(),
    standard::updated_at(),
    standard::changed_since(),
    standard::revision_number(),
];

fn mode(mode: Option<Ipv6Mode>) -> Shown<'static> {
    match mode {
        None => Shown::Null,
        Some(Ipv6Mode::Slaac) => Shown::Text("slaac"),
        Some(Ipv6Mode::Dhcpv6Stateful) => Shown::Text("dhcpv6-stateful"),
        Some(Ipv6Mode::Dhcpv6Stateless) => Shown::Text("dhcpv6-stateless"),
    }
}

fn mode_of(word: &str) -> Option<Ipv6Mode> {
    match word {
        "slaac" => Some(Ipv6Mode::Slaac),
        "dhcpv6-stateful" => Some(Ipv6Mode::Dhcpv6Stateful),
        "dhcpv6-stateless" => Some(Ipv6Mode::Dhcpv6Stateless),
        _ => None,
    }
}

impl Resource for Subnet {
    const NAME: &'static str = "subnet";
    const COLLECTION: &'static str = "subnets";
    const TABLE: Table<Self> = TABLE;

    fn absent(id: &str) -> Fault {
        Fault::absent("SubnetNotFound", format_args!("Subnet {id} could not be found."))
    }

    fn get(topology: &Topology, id: Uuid) -> Option<&Arc<Self>> {
        topology.subnet(SubnetId(id))
    }

    fn candidates<'a>(topology: &'a Topology, query: &Query<Self>) -> Objects<'a, Self> {
        match (query.only("id"), query.only("network_id")) {
            (Some(Wanted::Uuid(id)), _) => Box::new(topology.subnet(SubnetId(*id)).into_iter()),
            (_, Some(Wanted::Uuid(network))) => Box::new(topology.subnets_of(NetworkId(*network))),
            _ => Box::new(topology.subnets()),
        }
    }

    fn shared_with(&self, _: &Caller, topology: &Topology) -> bool {
        topology.network(self.network_id).is_some_and(|network| network.shared)
    }

    fn may_create(values: &Values, caller: &Caller, topology: &Topology) -> Result<(), Fault> {
        let network = values.peek_uuid("network_id").and_then(|id| Some((id, Network::get(topology, id)?)));
        match network {
            Some((id, network)) if !caller.admin && !caller.owns(&network.project_id) => {
                if network.visible(caller, topology) {
                    Err(Fault::forbidden("rule:create_subnet"))
                } else {
                    Err(Network::absent(&id.to_string()))
                }
            }
            // The model says which network is not there.
            _ => Ok(()),
        }
    }

    fn create(asked: Vec<(ProjectId, Values)>) -> Result<Command, Fault> {
        let subnets = asked.into_iter().map(|(project, values)| new(project, values)).collect::<Result<_, _>>()?;
        Ok(Command::CreateSubnets(subnets))
    }

    fn update(&self, mut values: Values, _: &Topology, if_revision: Option<u64>) -> Result<Update, Fault> {
        let patch = SubnetPatch {
            name: values.text("name"),
            description: values.text("description"),
            gateway_ip: values.ip_or_null("gateway_ip"),
            enable_dhcp: values.boolean("enable_dhcp"),
            allocation_pools: values.pools("allocation_pools"),
            dns_nameservers: values.ips("dns_nameservers"),
            host_routes: values.routes("host_routes"),
            service_types: values.texts("service_types"),
            dns_publish_fixed_ip: values.boolean("dns_publish_fixed_ip"),
            tags: None,
        };
        values.exhausted();
        Ok(Update { command: Command::UpdateSubnet { id: self.id, patch, if_revision }, relative: false })
    }

    fn delete(id: Uuid, if_revision: Option<u64>) -> Command {
        Command::DeleteSubnet { id: SubnetId(id), if_revision }
    }

    fn of(outcome: Outcome) -> Option<Vec<Arc<Self>>> {
        match outcome {
            Outcome::Subnets(subnets) => Some(subnets),
            _ => None,
        }
    }
}

impl Tagged for Subnet {
    fn tags(&self) -> &BTreeSet<String> {
        &self.tags
    }

    fn retag(id: Uuid, tags: BTreeSet<String>, if_revision: Option<u64>) -> Command {
        let patch = SubnetPatch { tags: Some(tags), ..SubnetPatch::default() };
        Command::UpdateSubnet { id: SubnetId(id), patch, if_revision }
    }
}

fn new(project: ProjectId, mut values: Values) -> Result<NewSubnet, Fault> {
    if let Some(pool) = values.uuid_or_null("subnetpool_id").flatten() {
        // There are no subnet pools yet, so that none can be found.
        return Err(Fault::absent("SubnetPoolNotFound", format_args!("Subnet pool {pool} could not be found.")));
    }
    let network = values.uuid("network_id").unwrap_or_default();
    let Some(cidr) = values.cidr("cidr") else {
        return Err(Fault::bad_part("subnets", "a subnetpool must be specified in the absence of a cidr"));
    };
    let pools = values.pools("allocation_pools");
    let new = NewSubnet {
        ip_version: values.integer("ip_version").map(|version| version as u8),
        name: values.text("name"),
        description: values.text("description"),
        gateway_ip: values.ip_or_null("gateway_ip"),
        enable_dhcp: values.boolean("enable_dhcp"),
        allocation_pools: pools,
        dns_nameservers: values.ips("dns_nameservers"),
        host_routes: values.routes("host_routes"),
        ipv6_ra_mode: values.text("ipv6_ra_mode").as_deref().and_then(mode_of),
        ipv6_address_mode: values.text("ipv6_address_mode").as_deref().and_then(mode_of),
        service_types: values.texts("service_types"),
        dns_publish_fixed_ip: values.boolean("dns_publish_fixed_ip"),
        ..NewSubnet::new(SubnetId(Uuid::new_v4()), NetworkId(network), project, cidr)
    };
    values.exhausted();
    Ok(new)
}
