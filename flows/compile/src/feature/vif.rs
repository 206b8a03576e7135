//! The plug: from a VIF into the pipeline and back.

use super::{Bound, Feature};
use crate::cookie::Object;
use crate::register::{DESTINATION_PORT, NETWORK, SOURCE_PORT};
use crate::{Priority, Purpose, Reason, Scope, Sink, Table, Tag, Touched, Unit};
use std::collections::BTreeSet;
use weir_model::{Change, Hypervisor, Port, Topology, Vif};
use weir_openflow::{Action, Bucket, BucketId, Match, PortNo};

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
        &[Table::Classify, Table::Deliver, Table::Flood]
    }

    fn dirty(&self, touched: &Touched<'_>, units: &mut BTreeSet<Unit>) {
        units.extend(touched.ports().map(|(port, _)| Unit::Vif(port.key)));
        if let Change::Vif(diff) = touched.change
            && let Some(vif) = diff.last()
            && let Some(port) = touched.new.port(vif.port).or_else(|| touched.old.port(vif.port))
        {
            units.insert(Unit::Vif(port.key));
        }
    }

    fn of_host(&self, host: &Hypervisor, topology: &Topology, units: &mut Vec<Unit>) {
        units.extend(topology.ports_on(&host.name).map(|port| Unit::Vif(port.key)));
    }

    fn build(&self, unit: Unit, topology: &Topology, sink: &mut Sink) {
        let Unit::Vif(key) = unit else { return };
        let Some(Bound { port, network, .. }) = Bound::by_key(key, topology) else { return };
        let Some(ofport) = plugged(port, topology) else { return };
        let from = Match::new().in_port(ofport).untagged();
        let to = DESTINATION_PORT.on(Match::new(), key);
        let object = Object::Port(key);
        if !port.admin_state_up {
            sink.refuse(Table::Classify, Priority::Object, from, Reason::PortDown, object);
            sink.refuse(Table::Deliver, Priority::Object, to, Reason::PortDown, object);
            return;
        }
        let name = [SOURCE_PORT.load(key), NETWORK.load(network.key)];
        let tag = Tag::of(Purpose::FromVif, object);
        sink.lead(Table::Classify, Priority::Object, from, tag, name, Table::Admission);
        let tag = Tag::of(Purpose::ToVif, object);
        sink.end(Table::Deliver, Priority::Object, to, tag, [Action::output(ofport)]);
        let copy = vec![DESTINATION_PORT.load(key), Action::resubmit(Table::Deliver.id())];
        sink.bucket(Table::Flood, network.key, Bucket::new(BucketId(key.0), copy));
    }

    fn scope(&self, unit: Unit, topology: &Topology) -> Scope {
        let Unit::Vif(key) = unit else { return Scope::Nobody };
        Bound::by_key(key, topology).map_or(Scope::Nobody, |bound| Scope::Host(bound.host.key))
    }
}
