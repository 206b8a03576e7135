//! A port of one of the two bridges.

use super::draft::{Draft, is_marked, mark, remove_key, set_key, strings};
use super::{MARK, Problem, VXLAN, VXLAN_OFPORT};
use crate::row::Row;
use crate::table::{Bridge, Interface, Port};
use crate::value::{Atom, Datum};
use std::collections::BTreeMap;
use std::net::IpAddr;
use uuid::Uuid;

/// A port as it should be: one interface of the same name.
pub(super) struct WantedPort<'a> {
    name: &'a str,
    kind: &'static str,
    options: BTreeMap<&'static str, String>,
    /// Options that must not be there.
    without: &'static [&'static str],
    ofport: Option<u32>,
}

impl<'a> WantedPort<'a> {
    /// The bridge's own port.
    pub(super) fn internal(name: &'a str) -> Self {
        Self { name, kind: "internal", options: BTreeMap::new(), without: &[], ofport: None }
    }

    /// One end of the way between the two bridges.
    pub(super) fn patch(name: &'a str, peer: &str, ofport: u32) -> Self {
        Self {
            name,
            kind: "patch",
            options: BTreeMap::from([("peer", peer.to_owned())]),
            without: &[],
            ofport: Some(ofport),
        }
    }

    /// The tunnels. The source address is fixed, because the other hypervisors know this one by
    /// it and routing might choose another.
    pub(super) fn vxlan(encap_ip: Option<IpAddr>) -> Self {
        let flow = || "flow".to_owned();
        let mut options = BTreeMap::from([("remote_ip", flow()), ("key", flow())]);
        if let Some(address) = encap_ip {
            options.insert("local_ip", address.to_string());
        }
        Self {
            name: VXLAN,
            kind: "vxlan",
            without: if encap_ip.is_none() { &["local_ip"] } else { &[] },
            options,
            ofport: Some(VXLAN_OFPORT),
        }
    }

    fn purpose(&self) -> String {
        format!("a port of type {}", self.kind)
    }
}

impl<'a> Draft<'a> {
    /// What has the name of a port or an interface now, in words.
    pub(super) fn holder(&self, name: &str) -> Option<String> {
        if let Some((uuid, _)) = self.mirror.port_named(name) {
            return Some(match self.mirror.bridge_of_port(uuid) {
                Some((_, bridge)) => format!("a port of bridge {}", bridge.name),
                None => "a port".to_owned(),
            });
        }
        let (uuid, _) = self.mirror.interface_named(name)?;
        Some(match self.mirror.port_of_interface(uuid) {
            Some((_, port)) => format!("an interface of port {}", port.name),
            None => "an interface".to_owned(),
        })
    }

    /// Makes a port of a bridge (`None` for a bridge yet to be made) as it should be; a new port
    /// is given back to be put on its bridge.
    pub(super) fn port(&mut self, port: &WantedPort<'_>, bridge: Option<Uuid>) -> Option<Atom> {
        let Some(found) = self.holder(port.name) else {
            return Some(self.create_port(port));
        };
        match self.own_interface(port, bridge) {
            Ok((uuid, interface)) => {
                self.repair_interface(uuid, interface, port);
                self.report_interface(interface, port);
            }
            Err(closer) => self.problem(Problem::NameTaken {
                name: port.name.to_owned(),
                purpose: port.purpose(),
                found: closer.unwrap_or(found),
            }),
        }
        None
    }

    /// The interface that has the port's name, if it is on its bridge and of its type, or made
    /// by Weir. Otherwise a closer word on what it is.
    fn own_interface(
        &self,
        wanted: &WantedPort<'_>,
        bridge: Option<Uuid>,
    ) -> Result<(Uuid, &'a Interface), Option<String>> {
        let mirror = self.mirror;
        let (port_uuid, port) = mirror.port_named(wanted.name).ok_or(None)?;
        let at = mirror.bridge_of_port(port_uuid).map(|(uuid, _)| uuid);
        if bridge.is_none() || at != bridge {
            return Err(None);
        }
        let (uuid, interface) = mirror.interface_named(wanted.name).ok_or(None)?;
        if port.interfaces.len() != 1 || !port.interfaces.contains(&uuid) {
            return Err(Some("a bond".to_owned()));
        }
        let ours = is_marked(&port.external_ids) || is_marked(&interface.external_ids);
        if interface.kind != wanted.kind && !ours {
            return Err(Some(format!("an interface of type '{}' that is not Weir's", interface.kind)));
        }
        Ok((uuid, interface))
    }

    fn create_port(&mut self, port: &WantedPort<'_>) -> Atom {
        if port.kind != "internal" {
            self.explain(format!("create {} port {}", port.kind, port.name));
        }
        let options = port.options.iter().map(|(key, value)| (*key, value.as_str()));
        let interface = Row::new()
            .with("name", port.name)
            .with("type", port.kind)
            .with("options", Datum::map(options))
            .with("external_ids", mark("port"))
            .with("ofport_request", Datum::optional(port.ofport.map(i64::from)));
        let interface = self.insert::<Interface>(interface);
        let row = Row::new().with("name", port.name).with("interfaces", interface).with("external_ids", mark("port"));
        self.insert::<Port>(row)
    }

    fn repair_interface(&mut self, uuid: Uuid, interface: &Interface, port: &WantedPort<'_>) {
        let mut columns = Row::new();
        if interface.kind != port.kind {
            self.explain(format!("make port {} a {} port", port.name, port.kind));
            columns.insert("type", port.kind);
        }
        let request = port.ofport.map(i64::from);
        if request.is_some() && interface.ofport_request != request {
            self.explain(format!(
                "ask for OpenFlow port number {} for port {}",
                request.unwrap_or_default(),
                port.name
            ));
            columns.insert("ofport_request", Datum::optional(request));
        }
        let mut mutations = Vec::new();
        for (key, value) in &port.options {
            mutations.extend(set_key("options", &interface.options, key, value));
        }
        for key in port.without {
            mutations.extend(remove_key("options", &interface.options, key));
        }
        if !mutations.is_empty() {
            self.explain(format!("correct the options of port {}", port.name));
        }
        if !columns.is_empty() || !mutations.is_empty() {
            let seen = Row::new()
                .with("type", interface.kind.as_str())
                .with("ofport_request", Datum::optional(interface.ofport_request))
                .with("options", strings(&interface.options));
            self.guard::<Interface>(uuid, seen);
        }
        self.update::<Interface>(uuid, columns);
        self.mutate::<Interface>(uuid, mutations);
    }

    fn report_interface(&mut self, interface: &Interface, port: &WantedPort<'_>) {
        if let Some(error) = &interface.error {
            return self.problem(Problem::PortFailed { name: port.name.to_owned(), error: error.clone() });
        }
        let Some((wanted, found)) = port.ofport.zip(interface.ofport) else {
            return;
        };
        let asked = interface.ofport_request == Some(i64::from(wanted));
        if asked && found != i64::from(wanted) {
            self.problem(Problem::Ofport { name: port.name.to_owned(), found, wanted });
        }
    }

    /// The ports on a bridge that Weir made, other than the bridge's own.
    pub(super) fn marked_ports(&self, bridge: &Bridge) -> Vec<(Uuid, String)> {
        bridge
            .ports
            .iter()
            .filter_map(|uuid| Some((*uuid, self.mirror.port(*uuid)?)))
            .filter(|(_, port)| port.name != bridge.name && port.external_ids.contains_key(MARK))
            .map(|(uuid, port)| (uuid, port.name.clone()))
            .collect()
    }
}
