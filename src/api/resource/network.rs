//! Networks.

use super::{Objects, Resource, Tagged, Update, standard};
use crate::api::attribute::{Attribute, Filter, Preset, Rule, Shown, Table, Values, Wanted};
use crate::api::caller::{Caller, Who};
use crate::api::fault::Fault;
use crate::api::query::Query;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;
use weir_model::{Command, Network, NetworkId, NetworkPatch, NewNetwork, Outcome, ProjectId, Segment, Topology, Vni};

const NETWORK_TYPE: &str = "provider:network_type";
const PHYSICAL_NETWORK: &str = "provider:physical_network";
const SEGMENTATION_ID: &str = "provider:segmentation_id";

/// A row of the table.
type Row = Attribute<Network>;

const TABLE: Table<Network> = &[
    standard::id(),
    standard::name(),
    standard::tenant_id(),
    standard::project_id(),
    Row::new("admin_state_up", |it, _| Shown::Bool(it.admin_state_up))
        .write(Rule::Boolean)
        .preset(Preset::Yes)
        .filter(Filter::Boolean)
        .sort(),
    Row::new("mtu", |it, _| Shown::Integer(u64::from(it.mtu))).write(Rule::Natural).filter(Filter::Integer).sort(),
    Row::new("status", |_, _| Shown::Text("ACTIVE")).filter(Filter::Text).sort(),
    Row::new("subnets", |it, view| Shown::Uuids(view.topology.subnets_of(it.id).map(|subnet| subnet.id.0).collect())),
    Row::new("shared", |it, _| Shown::Bool(it.shared))
        .write(Rule::Boolean)
        .preset(Preset::No)
        .set_by(Who::Admin)
        .filter(Filter::Boolean),
    Row::new("availability_zone_hints", |it, _| Shown::Texts(&it.availability_zone_hints))
        .create(Rule::Texts(255))
        .preset(Preset::Empty)
        .sort(),
    Row::new("availability_zones", |_, _| Shown::Words(&[])),
    Row::new("ipv4_address_scope", |_, _| Shown::Null),
    Row::new("ipv6_address_scope", |_, _| Shown::Null),
    Row::new("router:external", |it, _| Shown::Bool(it.external))
        .write(Rule::Boolean)
        .preset(Preset::No)
        .set_by(Who::Admin)
        .filter(Filter::Boolean),
    standard::description(),
    Row::new("port_security_enabled", |it, _| Shown::Bool(it.port_security_enabled))
        .write(Rule::Boolean)
        .preset(Preset::Yes),
    Row::new("dns_domain", |it, _| Shown::Text(&it.dns_domain)).write(Rule::DnsDomain).preset(Preset::Empty),
    Row::new(NETWORK_TYPE, |_, _| Shown::Text("vxlan")).write(Rule::Text(32)).only(Who::Admin).filter(Filter::Text),
    Row::new(PHYSICAL_NETWORK, |_, _| Shown::Null).write(Rule::TextOrNull(64)).only(Who::Admin).filter(Filter::Text),
    Row::new(SEGMENTATION_ID, |it, _| {
        let Segment::Vxlan { vni } = it.segment;
        Shown::Integer(u64::from(vni.0))
    })
    .write(Rule::Integer)
    .only(Who::Admin)
    .filter(Filter::Integer),
    standard::tags(),
    standard::tags_any(),
    standard::not_tags(),
    standard::not_tags_any(),
    standard::created_at(),
    standard::updated_at(),
    standard::changed_since(),
    standard::revision_number(),
];

impl Resource for Network {
    const NAME: &'static str = "network";
    const COLLECTION: &'static str = "networks";
    const TABLE: Table<Self> = TABLE;

    fn absent(id: &str) -> Fault {
        Fault::absent("NetworkNotFound", format_args!("Network {id} could not be found."))
    }

    fn get(topology: &Topology, id: Uuid) -> Option<&Arc<Self>> {
        topology.network(NetworkId(id))
    }

    fn candidates<'a>(topology: &'a Topology, query: &Query<Self>) -> Objects<'a, Self> {
        match query.only("id") {
            Some(Wanted::Uuid(id)) => Box::new(topology.network(NetworkId(*id)).into_iter()),
            _ => Box::new(topology.networks()),
        }
    }

    fn shared_with(&self, _: &Caller, _: &Topology) -> bool {
        self.shared || self.external
    }

    fn create(asked: Vec<(ProjectId, Values)>) -> Result<Command, Fault> {
        let networks = asked.into_iter().map(|(project, values)| new(project, values)).collect::<Result<_, _>>()?;
        Ok(Command::CreateNetworks(networks))
    }

    fn update(&self, mut values: Values, _: &Topology, if_revision: Option<u64>) -> Result<Update, Fault> {
        provider_stays(self, &mut values)?;
        let patch = NetworkPatch {
            name: values.text("name"),
            description: values.text("description"),
            admin_state_up: values.boolean("admin_state_up"),
            mtu: mtu(&mut values)?,
            shared: values.boolean("shared"),
            external: values.boolean("router:external"),
            port_security_enabled: values.boolean("port_security_enabled"),
            dns_domain: values.text("dns_domain"),
            tags: None,
        };
        values.exhausted();
        Ok(Update { command: Command::UpdateNetwork { id: self.id, patch, if_revision }, relative: false })
    }

    fn delete(id: Uuid, if_revision: Option<u64>) -> Command {
        Command::DeleteNetwork { id: NetworkId(id), if_revision }
    }

    fn of(outcome: Outcome) -> Option<Vec<Arc<Self>>> {
        match outcome {
            Outcome::Networks(networks) => Some(networks),
            _ => None,
        }
    }
}

impl Tagged for Network {
    fn tags(&self) -> &BTreeSet<String> {
        &self.tags
    }

    fn retag(id: Uuid, tags: BTreeSet<String>, if_revision: Option<u64>) -> Command {
        let patch = NetworkPatch { tags: Some(tags), ..NetworkPatch::default() };
        Command::UpdateNetwork { id: NetworkId(id), patch, if_revision }
    }
}

fn new(project: ProjectId, mut values: Values) -> Result<NewNetwork, Fault> {
    let vni = provider(&mut values)?;
    super::no_zones(&mut values)?;
    let new = NewNetwork {
        name: values.text("name"),
        description: values.text("description"),
        admin_state_up: values.boolean("admin_state_up"),
        mtu: mtu(&mut values)?,
        shared: values.boolean("shared"),
        external: values.boolean("router:external"),
        port_security_enabled: values.boolean("port_security_enabled"),
        vni,
        dns_domain: values.text("dns_domain"),
        ..NewNetwork::new(NetworkId(Uuid::new_v4()), project)
    };
    values.exhausted();
    Ok(new)
}

fn mtu(values: &mut Values) -> Result<Option<u16>, Fault> {
    let Some(mtu) = values.integer("mtu") else { return Ok(None) };
    match u16::try_from(mtu) {
        Ok(mtu) => Ok(Some(mtu)),
        Err(_) => Err(Fault::invalid_input(format_args!("Requested MTU is too big, maximum is {}", u16::MAX))),
    }
}

/// The identifier asked for by `provider:*`: only VXLAN carries networks.
fn provider(values: &mut Values) -> Result<Option<Vni>, Fault> {
    let kind = values.text(NETWORK_TYPE);
    let physical = values.text_or_null(PHYSICAL_NETWORK).flatten();
    let number = values.integer(SEGMENTATION_ID);
    match kind.as_deref() {
        None if physical.is_none() && number.is_none() => return Ok(None),
        None => return Err(Fault::invalid_input("network_type required")),
        Some("vxlan") => {}
        Some(other) => return Err(Fault::invalid_input(format_args!("network_type value '{other}' not supported"))),
    }
    if physical.is_some() {
        return Err(Fault::invalid_input("provider:physical_network specified for vxlan network"));
    }
    match number.map(u32::try_from) {
        None => Ok(None),
        Some(Ok(vni)) if (1..=Vni::MAX).contains(&vni) => Ok(Some(Vni(vni))),
        Some(_) => Err(Fault::invalid_input(format_args!(
            "segmentation_id out of range (1 through {}) for vxlan network",
            Vni::MAX
        ))),
    }
}

/// Refuses an update that would give a network another segment; saying the one that it has is no change.
fn provider_stays(network: &Network, values: &mut Values) -> Result<(), Fault> {
    let Segment::Vxlan { vni } = network.segment;
    let kind = values.text(NETWORK_TYPE).is_none_or(|kind| kind == "vxlan");
    let physical = values.text_or_null(PHYSICAL_NETWORK).flatten().is_none();
    let number = values.integer(SEGMENTATION_ID).is_none_or(|number| number == i64::from(vni.0));
    if kind && physical && number {
        Ok(())
    } else {
        Err(Fault::invalid_input("Plugin does not support updating provider attributes"))
    }
}
