//! The extensions of Neutron's API that are there, whole.

use super::fault::Fault;
use axum::http::StatusCode;
use serde::Serialize;

/// An extension as clients look for it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Extension {
    alias: &'static str,
    name: &'static str,
    description: &'static str,
    updated: &'static str,
    links: [(); 0],
}

const fn extension(
    alias: &'static str,
    name: &'static str,
    description: &'static str,
    updated: &'static str,
) -> Extension {
    Extension { alias, name, description, updated, links: [] }
}

/// Everything that is served, by alias.
const EXTENSIONS: [Extension; 37] = [
    extension(
        "address-group",
        "Address group",
        "Addresses that security group rules name together.",
        "2020-07-15T10:00:00-00:00",
    ),
    extension(
        "allowed-address-pairs",
        "Allowed Address Pairs",
        "Further sources that a port may use.",
        "2013-07-23T10:00:00-00:00",
    ),
    extension(
        "binding",
        "Port Binding",
        "Where a port is bound and how it is plugged there.",
        "2014-02-03T10:00:00-00:00",
    ),
    extension("dvr", "Distributed Virtual Router", "Routers that are on every hypervisor.", "2014-06-1T10:00:00-00:00"),
    extension(
        "empty-string-filtering",
        "Empty String Filtering Extension",
        "Lists can be filtered by empty text.",
        "2018-05-01T10:00:00-00:00",
    ),
    extension(
        "external-net",
        "Neutron external network",
        "Networks that lead outside and that every project sees.",
        "2013-01-14T10:00:00-00:00",
    ),
    extension(
        "extraroute",
        "Neutron Extra Route",
        "Routes of a router beyond its interfaces.",
        "2013-02-01T10:00:00-00:00",
    ),
    extension(
        "extraroute-atomic",
        "Atomically add/remove extra routes",
        "Routes can be added and taken away without naming the others.",
        "2019-07-10T00:00:00+00:00",
    ),
    extension(
        "filter-validation",
        "Filter parameters validation",
        "Unknown filters are refused.",
        "2018-07-04T10:00:00-00:00",
    ),
    extension(
        "ip-substring-filtering",
        "IP address substring filtering",
        "Ports can be listed by a part of their addresses.",
        "2017-11-28T09:00:00-00:00",
    ),
    extension(
        "ip_allocation",
        "IP Allocation",
        "When the addresses of a port are allocated.",
        "2016-06-10T23:00:00-00:00",
    ),
    extension(
        "l3-port-ip-change-not-allowed",
        "Prevent L3 router ports IP address change extension",
        "Some addresses of routers stay.",
        "2018-10-09T10:00:00-00:00",
    ),
    extension("net-mtu", "Network MTU", "The MTU of a network.", "2015-03-25T10:00:00-00:00"),
    extension(
        "net-mtu-writable",
        "Network MTU (writable)",
        "The MTU of a network can be set.",
        "2017-07-12T00:00:00-00:00",
    ),
    extension("pagination", "Pagination support", "Lists come in pages.", "2016-06-12T00:00:00-00:00"),
    extension(
        "port-mac-address-regenerate",
        "Neutron Port MAC address regenerate",
        "A port gets a new MAC address when it is set to null.",
        "2018-05-03T10:00:00-00:00",
    ),
    extension(
        "port-security",
        "Port Security",
        "Whether the sources of a port are checked.",
        "2012-07-23T10:00:00-00:00",
    ),
    extension(
        "port-security-groups-filtering",
        "Port filtering on security groups",
        "Ports can be listed by their security groups.",
        "2018-01-09T09:00:00-00:00",
    ),
    extension(
        "project-id",
        "project_id field enabled",
        "project_id stands beside tenant_id.",
        "2016-09-09T09:09:09-09:09",
    ),
    extension(
        "provider",
        "Provider Network",
        "How a network travels between hypervisors.",
        "2012-09-07T10:00:00-00:00",
    ),
    extension(
        "revision-if-match",
        "If-Match constraints based on revision_number",
        "If-Match with a revision number guards changes.",
        "2016-12-11T00:00:00-00:00",
    ),
    extension("router", "Neutron L3 Router", "Routers between networks.", "2012-07-20T10:00:00-00:00"),
    extension(
        "router-admin-state-down-before-update",
        "Enforce Router's Admin State Down Before Update Extension",
        "A router is down while it becomes distributed or ceases to be.",
        "2019-07-02T15:56:00",
    ),
    extension("security-group", "security-group", "What ports may send and get.", "2012-10-05T10:00:00-00:00"),
    extension(
        "security-groups-normalized-cidr",
        "Normalized CIDR field for security group rules",
        "The remote prefix of a rule with its host bits cleared.",
        "2020-07-28T10:00:00-00:00",
    ),
    extension(
        "security-groups-remote-address-group",
        "Remote address group id field for security group rules",
        "Rules can name address groups.",
        "2020-08-25T10:00:00-00:00",
    ),
    extension(
        "security-groups-rules-belongs-to-default-sg",
        "Security group rule belongs to the project's default security group",
        "Whether a rule is of a group default.",
        "2023-05-23T10:00:00-00:00",
    ),
    extension(
        "security-groups-shared-filtering",
        "Security group filtering on the shared field",
        "Security groups can be listed by whether they are shared.",
        "2021-10-05T09:00:00-00:00",
    ),
    extension("sorting", "Sorting support", "Lists can be sorted.", "2016-06-12T00:00:00-00:00"),
    extension(
        "standard-attr-description",
        "standard-attr-description",
        "Resources have a description.",
        "2016-02-10T10:00:00-00:00",
    ),
    extension(
        "standard-attr-revisions",
        "Resource revision numbers",
        "Resources count their changes.",
        "2016-04-11T10:00:00-00:00",
    ),
    extension(
        "standard-attr-tag",
        "Tag support for resources with standard attribute: network, port, router, security_group, subnet",
        "Resources can be tagged.",
        "2017-01-01T00:00:00-00:00",
    ),
    extension(
        "standard-attr-timestamp",
        "Resource timestamps",
        "When resources were made and changed.",
        "2016-09-12T10:00:00-00:00",
    ),
    extension(
        "stateful-security-group",
        "Stateful security group",
        "Whether a group allows the replies to what it allows.",
        "2019-11-26T09:00:00-00:00",
    ),
    extension(
        "subnet-service-types",
        "Subnet service types",
        "Subnets can be kept for some kinds of ports.",
        "2016-03-15T18:00:00-00:00",
    ),
    extension(
        "tag-creation",
        "Tag creation extension",
        "Several tags can be added at once.",
        "2024-07-23T10:00:00-00:00",
    ),
    extension(
        "tag-ports-during-bulk-creation",
        "Tag Ports During Bulk Creation",
        "Ports can be tagged as they are made.",
        "2019-12-29T19:00:00-00:00",
    ),
];

/// `{"extensions": [..]}`
pub(crate) fn all() -> Vec<u8> {
    #[derive(Serialize)]
    struct Body {
        extensions: &'static [Extension],
    }
    serde_json::to_vec(&Body { extensions: &EXTENSIONS }).expect("literals serialise")
}

/// `{"extension": {..}}`
///
/// # Errors
/// 404 for an alias that is not there.
pub(crate) fn one(alias: &str) -> Result<Vec<u8>, Fault> {
    #[derive(Serialize)]
    struct Body<'a> {
        extension: &'a Extension,
    }
    let extension = EXTENSIONS.iter().find(|extension| extension.alias == alias).ok_or_else(|| {
        Fault::new(StatusCode::NOT_FOUND, "HTTPNotFound", format!("Extension with alias {alias} does not exist"))
    })?;
    Ok(serde_json::to_vec(&Body { extension }).expect("literals serialise"))
}
