//! Rules of security groups.

use super::security_group::default_group;
use super::{Objects, Record, Resource, seen, standard};
use crate::api::attribute::{Attribute, Filter, Preset, Rule, Shown, Table, Values, Wanted};
use crate::api::caller::Caller;
use crate::api::fault::Fault;
use crate::api::query::Query;
use axum::http::StatusCode;
use std::sync::Arc;
use uuid::Uuid;
use weir_model::{
    AddressGroup, AddressGroupId, Command, Direction, Ethertype, NewSecurityGroupRule, Outcome, ProjectId, Protocol,
    Remote, SecurityGroup, SecurityGroupId, SecurityGroupRule, SecurityGroupRuleId, Topology,
};

/// A row of the table.
type Row = Attribute<SecurityGroupRule>;

const TABLE: Table<SecurityGroupRule> = &[
    standard::id(),
    standard::tenant_id(),
    standard::project_id(),
    Row::new("security_group_id", |it, _| Shown::Uuid(it.security_group_id.0))
        .required(Rule::Text(36))
        .filter(Filter::Uuid)
        .sort(),
    Row::new("direction", |it, _| {
        Shown::Text(match it.direction {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        })
    })
    .required(Rule::OneOf(&["ingress", "egress"]))
    .filter(Filter::Text)
    .sort(),
    Row::new("ethertype", |it, _| {
        Shown::Text(match it.ethertype {
            Ethertype::V4 => "IPv4",
            Ethertype::V6 => "IPv6",
        })
    })
    .create(Rule::Ethertype)
    .filter(Filter::Text)
    .sort(),
    Row::new("protocol", |it, _| it.protocol.as_ref().map_or(Shown::Null, |protocol| Shown::Text(&protocol.word)))
        .create(Rule::Protocol)
        .filter(Filter::Text)
        .sort(),
    Row::new("port_range_min", |it, _| number(it.port_range_min))
        .create(Rule::PortNumber)
        .filter(Filter::Integer)
        .sort(),
    Row::new("port_range_max", |it, _| number(it.port_range_max))
        .create(Rule::PortNumber)
        .filter(Filter::Integer)
        .sort(),
    Row::new("remote_ip_prefix", |it, _| match it.remote {
        Remote::Prefix(net) => Shown::Net(net),
        _ => Shown::Null,
    })
    .create(Rule::Prefix)
    .filter(Filter::Prefix)
    .sort(),
    Row::new("normalized_cidr", |it, _| match it.remote {
        Remote::Prefix(net) => Shown::Net(net.trunc()),
        _ => Shown::Null,
    })
    .filter(Filter::Prefix)
    .sort(),
    Row::new("remote_group_id", |it, _| match it.remote {
        Remote::Group(id) => Shown::Uuid(id.0),
        _ => Shown::Null,
    })
    .create(Rule::TextOrNull(36))
    .filter(Filter::Uuid)
    .sort(),
    Row::new("remote_address_group_id", |it, _| match it.remote {
        Remote::Addresses(id) => Shown::Uuid(id.0),
        _ => Shown::Null,
    })
    .create(Rule::TextOrNull(36))
    .filter(Filter::Uuid)
    .sort(),
    Row::new("belongs_to_default_sg", |it, view| {
        let group = view.topology.security_group(it.security_group_id);
        Shown::Bool(group.is_some_and(|group| group.name == "default"))
    })
    .filter(Filter::Boolean),
    Row::new("description", |it, _| Shown::Text(it.description()))
        .create(Rule::Text(255))
        .preset(Preset::Empty)
        .filter(Filter::Text),
    standard::created_at(),
    standard::updated_at(),
    standard::changed_since(),
    standard::revision_number(),
];

fn number(number: Option<u16>) -> Shown<'static> {
    number.map_or(Shown::Null, |number| Shown::Integer(number.into()))
}

impl Resource for SecurityGroupRule {
    const NAME: &'static str = "security_group_rule";
    const COLLECTION: &'static str = "security_group_rules";
    const PATH: &'static str = "security-group-rules";
    const TABLE: Table<Self> = TABLE;

    fn absent(id: &str) -> Fault {
        Fault::absent("SecurityGroupRuleNotFound", format_args!("Security group rule {id} does not exist"))
    }

    fn get(topology: &Topology, id: Uuid) -> Option<&Arc<Self>> {
        topology.security_group_rule(SecurityGroupRuleId(id))
    }

    fn candidates<'a>(topology: &'a Topology, query: &Query<Self>) -> Objects<'a, Self> {
        let by = |name| match query.only(name) {
            Some(Wanted::Uuid(id)) => Some(*id),
            _ => None,
        };
        if let Some(id) = by("id") {
            Box::new(topology.security_group_rule(SecurityGroupRuleId(id)).into_iter())
        } else if let Some(group) = by("security_group_id") {
            Box::new(topology.rules_of(SecurityGroupId(group)))
        } else if let Some(group) = by("remote_group_id") {
            Box::new(topology.rules_by_remote(SecurityGroupId(group)))
        } else if let Some(group) = by("remote_address_group_id") {
            Box::new(topology.rules_by_addresses(AddressGroupId(group)))
        } else {
            Box::new(topology.security_group_rules())
        }
    }

    fn prerequisite(query: &Query<Self>, caller: &Caller, topology: &Topology) -> Option<Command> {
        default_group(query, caller, topology)
    }

    /// A rule is that of its group's owner, whoever made it.
    fn owned_by(&self, caller: &Caller, topology: &Topology) -> bool {
        let group = topology.security_group(self.security_group_id);
        group.is_some_and(|group| caller.owns(&group.project_id))
    }

    fn may_create(values: &Values, caller: &Caller, topology: &Topology) -> Result<(), Fault> {
        for name in ["security_group_id", "remote_group_id"] {
            if let Some(id) = named(values, name) {
                seen::<SecurityGroup>(id, caller, topology)?;
            }
        }
        if let Some(id) = named(values, "remote_address_group_id") {
            seen::<AddressGroup>(id, caller, topology)?;
        }
        Ok(())
    }

    fn create(asked: Vec<(ProjectId, Values)>) -> Result<Command, Fault> {
        let rules = asked.into_iter().map(|(project, values)| new(project, values));
        let rules = rules.collect::<Result<Vec<_>, _>>()?;
        if rules.iter().any(|rule| rule.security_group_id != rules[0].security_group_id) {
            return Err(Fault::new(
                StatusCode::BAD_REQUEST,
                "SecurityGroupNotSingleGroupRules",
                "Only allowed to update rules for one security profile at a time",
            ));
        }
        if rules.iter().any(|rule| rule.project_id != rules[0].project_id) {
            return Err(Fault::new(
                StatusCode::BAD_REQUEST,
                "SecurityGroupRulesNotSingleProject",
                "Multiple project_ids in bulk security group rule create not allowed",
            ));
        }
        Ok(Command::CreateSecurityGroupRules(rules))
    }

    fn delete(id: Uuid, if_revision: Option<u64>) -> Command {
        Command::DeleteSecurityGroupRule { id: SecurityGroupRuleId(id), if_revision }
    }

    fn of(outcome: Outcome) -> Option<Vec<Arc<Self>>> {
        match outcome {
            Outcome::SecurityGroupRules(rules) => Some(rules),
            _ => None,
        }
    }
}

/// An id that was given; empty text is none.
fn named<'v>(values: &'v Values, name: &str) -> Option<&'v str> {
    values.peek_text(name).filter(|id| !id.is_empty())
}

fn new(project: ProjectId, mut values: Values) -> Result<NewSecurityGroupRule, Fault> {
    let security_group_id = values.text("security_group_id").unwrap_or_default();
    let security_group_id =
        Uuid::parse_str(&security_group_id).map_err(|_| SecurityGroup::absent(&security_group_id))?;
    let ethertype = values.ethertype("ethertype").unwrap_or(Ethertype::V4);
    let new = NewSecurityGroupRule {
        id: SecurityGroupRuleId(Uuid::new_v4()),
        security_group_id: SecurityGroupId(security_group_id),
        project_id: project,
        description: values.text("description"),
        direction: match values.text("direction").as_deref() {
            Some("egress") => Direction::Egress,
            _ => Direction::Ingress,
        },
        ethertype,
        protocol: values.protocol("protocol").map(|protocol| of_version(protocol, ethertype)),
        port_range_min: port(&mut values, "port_range_min"),
        port_range_max: port(&mut values, "port_range_max"),
        remote: remote(&mut values)?,
    };
    values.exhausted();
    Ok(new)
}

fn port(values: &mut Values, name: &str) -> Option<u16> {
    values.integer(name).and_then(|port| u16::try_from(port).ok())
}

/// ICMP over IPv6 is another protocol, whatever it was called.
fn of_version(protocol: Protocol, ethertype: Ethertype) -> Protocol {
    match (ethertype, protocol.word.as_str()) {
        (Ethertype::V6, "icmp" | "icmpv6") => Protocol { number: 58, word: "ipv6-icmp".to_owned() },
        (Ethertype::V6, "1") => Protocol { number: 58, word: "58".to_owned() },
        _ => protocol,
    }
}

fn remote(values: &mut Values) -> Result<Remote, Fault> {
    let prefix = values.cidr("remote_ip_prefix");
    let mut id = |name| values.text_or_null(name).flatten().filter(|id| !id.is_empty());
    match (prefix, id("remote_group_id"), id("remote_address_group_id")) {
        (None, None, None) => Ok(Remote::Anybody),
        (Some(net), None, None) => Ok(Remote::Prefix(net)),
        (None, Some(id), None) => {
            let group = Uuid::parse_str(&id).map_err(|_| SecurityGroup::absent(&id))?;
            Ok(Remote::Group(SecurityGroupId(group)))
        }
        (None, None, Some(id)) => {
            let group = Uuid::parse_str(&id).map_err(|_| AddressGroup::absent(&id))?;
            Ok(Remote::Addresses(AddressGroupId(group)))
        }
        _ => Err(Fault::new(
            StatusCode::BAD_REQUEST,
            "SecurityGroupMultipleRemoteEntites",
            "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
        )),
    }
}
