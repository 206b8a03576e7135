//! The plug: from a VIF into the pipeline and back.

use super::{Bound, Feature};
use crate::cookie::Object;
use crate::register::{
    DESTINATION_PORT, DESTINATION_SET, DESTINATION_STATEFUL, HERE, NETWORK, SOURCE_PORT, SOURCE_SET, SOURCE_STATEFUL,
    ZONE,
};
use crate::{Bridge, Priority, Purpose, Reason, Scope, Sink, Table, Tag, Touched, Unit};
use std::collections::BTreeSet;
use std::sync::Arc;
use weir_model::{Change, Hypervisor, Port, Topology, Vif, Zones};
use weir_openflow::{Action, Bucket, BucketId, Match, MeterId, PortNo};

/// How many packets of one port the controller is asked about.
const PUNTS_PER_SECOND: u32 = 100;

/// How many may come at once.
const PUNTS_BURST: u32 = 100;

/// VIFs of bound ports.
pub(super) struct Plug;

/// The numbers that Open vSwitch hands out by itself (below `OFPP_MAX` of OpenFlow 1.0), less Weir's fixed ports.
fn usable(vif: &Vif) -> bool {
    let fixed = crate::bridge::FIXED_PORTS.iter().any(|port| port.number == PortNo(vif.ofport));
    (1..0xff00).contains(&vif.ofport) && !fixed
}

/// The number of the port's VIF, if it is plugged where the port is bound.
pub(crate) fn plugged(port: &Port, topology: &Topology) -> Option<PortNo> {
    topology.vif(port.id).filter(|vif| usable(vif)).map(|vif| PortNo(vif.ofport))
}

impl Feature for Plug {
    fn tables(&self) -> &'static [Table] {
        &[
            Table::Classify,
            Table::Destination,
            Table::Leave,
            Table::Enter,
            Table::Commit,
            Table::Punt,
            Table::Deliver,
            Table::Flood,
        ]
    }

    fn dirty(&self, touched: &Touched<'_>, units: &mut BTreeSet<Unit>) {
        units.extend(touched.ports().map(|(port, _)| Unit::Vif(port.key)));
        if let Change::Vif(diff) = touched.change
            && let Some(vif) = diff.last()
            && let Some(port) = touched.new.port(vif.port).or_else(|| touched.old.port(vif.port))
        {
            units.insert(Unit::Vif(port.key));
        }
        if let Change::Zones(diff) = touched.change
            && let Some(host) = diff.last().and_then(|zones| touched.new.hypervisor_by_key(zones.host))
        {
            let zone = |zones: &Option<Arc<Zones>>, key| zones.as_ref().and_then(|zones| zones.of.get(&key).copied());
            let moved = |port: &&Arc<Port>| {
                let network = touched.new.network(port.network_id);
                network.is_some_and(|network| zone(&diff.before, network.key) != zone(&diff.after, network.key))
            };
            units.extend(touched.new.ports_on(&host.name).filter(moved).map(|port| Unit::Vif(port.key)));
        }
    }

    fn of_host(&self, host: &Hypervisor, topology: &Topology, units: &mut Vec<Unit>) {
        units.extend(topology.ports_on(&host.name).map(|port| Unit::Vif(port.key)));
    }

    fn build(&self, unit: Unit, topology: &Topology, sink: &mut Sink) {
        let Unit::Vif(key) = unit else { return };
        let Some(Bound { port, network, host }) = Bound::by_key(key, topology) else { return };
        let Some(ofport) = plugged(port, topology) else { return };
        let from = Match::new().in_port(ofport).untagged();
        let to = DESTINATION_PORT.on(Match::new(), key);
        let object = Object::Port(key);
        if !port.admin_state_up {
            sink.refuse(Table::Classify, Priority::Object, from, Reason::PortDown, object);
            sink.refuse(Table::Deliver, Priority::Object, to, Reason::PortDown, object);
            return;
        }
        let mut name = vec![SOURCE_PORT.load(key), NETWORK.load(network.key)];
        let mut here = vec![HERE.load(true)];
        if let Some(zone) = topology.zone(host.key, network.key) {
            name.push(ZONE.load(zone));
        }
        let is_stateful = topology.set_of(port).is_some_and(|set| topology.is_stateful(set));
        if let Some(set) = topology.set_of(port) {
            name.push(SOURCE_SET.load(set.key));
            here.push(DESTINATION_SET.load(set.key));
            if is_stateful {
                name.push(SOURCE_STATEFUL.load(true));
                here.push(DESTINATION_STATEFUL.load(true));
            }
        }
        if is_stateful {
            super::base::of_port(port, Tag::of(Purpose::Connection, object), sink);
        }
        let tag = Tag::of(Purpose::FromVif, object);
        sink.lead(Table::Classify, Priority::Object, from, tag, name, Table::Admission);
        let tag = Tag::of(Purpose::ToVif, object);
        sink.end(Table::Deliver, Priority::Object, to.clone(), tag, [Action::output(ofport)]);
        let tag = Tag::of(Purpose::Destination, object);
        sink.lead(Table::Destination, Priority::Object, to.clone(), tag, here.clone(), Table::Zone);
        let copy = std::iter::once(DESTINATION_PORT.load(key)).chain(here);
        let copy = copy.chain([Action::resubmit(Table::Enter.id())]).collect();
        sink.bucket(Table::Flood, network.key, Bucket::new(BucketId(key.0), copy));
        let meter = MeterId(ofport.0);
        sink.meter(Bridge::Integration, meter, PUNTS_PER_SECOND, PUNTS_BURST);
        let (asked, tag) = (SOURCE_PORT.on(Match::new(), key), Tag::of(Purpose::Punt, object));
        let punt = [Action::Meter(meter), Action::output(PortNo::CONTROLLER)];
        sink.end(Table::Punt, Priority::Object, asked, tag, punt);
    }

    fn scope(&self, unit: Unit, topology: &Topology) -> Scope {
        let Unit::Vif(key) = unit else { return Scope::Nobody };
        Bound::by_key(key, topology).map_or(Scope::Nobody, |bound| Scope::Host(bound.host.key))
    }
}
