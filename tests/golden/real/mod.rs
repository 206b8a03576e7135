//! The cases on a real Open vSwitch: it accepts every flow, group and meter, gives them back as they were, and does with
//! packets what it should, with datapath flows as coarse as they can be.

mod routing;
mod security;
mod switching;

use crate::cloud::Cloud;
use crate::vswitchd::OpenVSwitch;
use crate::{CASES, text};
use std::fs;
use std::net::IpAddr;
use weir_compile::{Bridge, bridge};
use weir_model::Port;
use weir_openflow::{Flow, FlowTable, Group, Meter};

/// Both bridges with their fixed ports and VIFs numbered from 1.
fn hypervisor() -> OpenVSwitch {
    let ovs = OpenVSwitch::start();
    ovs.bridge(Bridge::Integration.name(), &["tap1", "tap2", "tap3"], "OpenFlow15");
    ovs.bridge(Bridge::Tunnel.name(), &[], "OpenFlow15");
    let fixed = [
        (bridge::PATCH_TUN, "type=patch options:peer=patch-int"),
        (bridge::PATCH_INT, "type=patch options:peer=patch-tun"),
        (bridge::VXLAN, "type=vxlan options:remote_ip=flow options:key=flow"),
    ];
    for (port, options) in fixed {
        let number = format!("ofport_request={}", port.number.0);
        let mut arguments = vec!["add-port", port.bridge.name(), port.name, "--", "set", "interface", port.name];
        arguments.extend(options.split(' '));
        arguments.push(&number);
        ovs.vsctl(&arguments);
    }
    ovs
}

/// Fills a bridge by way of our text and `ovs-ofctl`.
fn install(ovs: &OpenVSwitch, bridge: Bridge, table: &FlowTable) {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, lines: Vec<String>| {
        let path = directory.path().join(name);
        fs::write(&path, lines.join("\n") + "\n").expect("the file can be written");
        path.display().to_string()
    };
    let groups = write("groups", table.groups.values().map(ToString::to_string).collect());
    let flows = write("flows", table.flows.values().map(ToString::to_string).collect());
    let name = bridge.name();
    ovs.ofctl(name, &["del-flows", "{bridge}"]);
    ovs.ofctl(name, &["del-groups", "{bridge}"]);
    ovs.ofctl(name, &["del-meters", "{bridge}"]);
    // Meters can be neither in a bundle nor in a file.
    for meter in table.meters.values() {
        ovs.ofctl(name, &["add-meter", "{bridge}", &meter.to_string().replace(' ', ",")]);
    }
    if !table.groups.is_empty() {
        ovs.ofctl(name, &["--bundle", "add-groups", "{bridge}", &groups]);
    }
    ovs.ofctl(name, &["--bundle", "add-flows", "{bridge}", &flows]);
}

/// What a bridge holds, read from the dumps of `ovs-ofctl`.
fn dump(ovs: &OpenVSwitch, bridge: Bridge) -> FlowTable {
    let mut table = FlowTable::default();
    let flows = ovs.ofctl(bridge.name(), &["dump-flows", "{bridge}", "--no-stats"]);
    for line in flows.lines().filter(|line| line.contains("actions=")) {
        table.insert(line.trim().parse::<Flow>().unwrap_or_else(|error| panic!("{line}: {error}")));
    }
    let groups = ovs.ofctl(bridge.name(), &["dump-groups", "{bridge}"]);
    for line in groups.lines().filter(|line| line.contains("group_id=")) {
        let group = line.trim().parse::<Group>().unwrap_or_else(|error| panic!("{line}: {error}"));
        table.groups.insert(group.id, group);
    }
    let meters = ovs.ofctl(bridge.name(), &["dump-meters", "{bridge}"]);
    let meters = meters.replace("bands=\n", "bands=");
    for line in meters.lines().filter(|line| line.starts_with("meter=")) {
        let meter = line.trim().parse::<Meter>().unwrap_or_else(|error| panic!("{line}: {error}"));
        table.meters.insert(meter.id, meter);
    }
    table
}

#[test]
fn a_real_switch_holds_every_case_as_it_is() {
    let ovs = hypervisor();
    for case in CASES {
        let mut cloud = Cloud::new();
        cloud.play(&text(case));
        for bridge in Bridge::ALL {
            let desired = cloud.desired("host1", bridge);
            install(&ovs, bridge, &desired);
            assert_eq!(FlowTable::diff(&dump(&ovs, bridge), &desired), [], "{case} {bridge}");
        }
    }
}

/// A case and what `host1` holds of it.
struct Stage {
    ovs: OpenVSwitch,
    cloud: Cloud,
}

impl Stage {
    /// Plays a case.
    fn of(case: &str) -> Self {
        Self::with(case, &[])
    }

    /// Plays a case and more lines after it.
    fn with(case: &str, more: &[&str]) -> Self {
        let stage = Self { ovs: hypervisor(), cloud: Cloud::new() };
        stage.then(case, more)
    }

    /// Plays something else on the same switch.
    fn then(mut self, case: &str, more: &[&str]) -> Self {
        self.cloud = Cloud::new();
        self.cloud.play(&[&text(case), "\n", &more.join("\n")].concat());
        for bridge in Bridge::ALL {
            install(&self.ovs, bridge, &self.cloud.desired("host1", bridge));
        }
        self
    }

    /// The link-layer address of whoever has an address.
    fn mac(&self, address: &str) -> String {
        self.holder(address).mac_address.to_string()
    }

    /// The link-local address of whoever has an address.
    fn link_local(&self, address: &str) -> String {
        self.holder(address).mac_address.link_local().to_string()
    }

    /// What a connection is labelled with that one port began to another, by rules that name no groups.
    fn label(&self, initiator: &str, responder: &str) -> String {
        let [out, into] = [initiator, responder].map(|address| self.generation(address));
        format!("ct_label={:#x}", into << 96 | out << 64 | self.ends(initiator, responder))
    }

    /// The generation of the rules of a port, as labels keep it; 0 if the port is not here.
    fn generation(&self, address: &str) -> u128 {
        let (port, topology) = (self.holder(address), &self.cloud.topology);
        let is_here = topology.bound_host(port).is_some_and(|host| host.name.as_str() == "host1");
        let set = topology.set_of(port).filter(|_| is_here);
        set.and_then(|set| set.generation).map_or(0, |generation| 1 << 31 | u128::from(generation.0))
    }

    /// What a connection is labelled with, but for the rules that allowed it.
    fn ends(&self, initiator: &str, responder: &str) -> u128 {
        let [begun_by, begun_to] = [initiator, responder].map(|address| u128::from(self.holder(address).key.0));
        begun_to << 32 | begun_by
    }

    fn holder(&self, address: &str) -> &Port {
        let address: IpAddr = address.parse().expect("an address");
        let mut ports = self.cloud.topology.ports();
        let port = ports.find(|port| port.fixed_ips.iter().any(|fixed| fixed.ip_address == address));
        port.expect("a port has the address")
    }

    /// Follows a packet that enters br-int and that conntrack, if it is asked, finds in this state.
    fn trace(&self, packet: &str, ct_state: &str) -> Trace {
        let states = [ct_state];
        Trace::of(&self.ovs, packet, if ct_state.is_empty() { &[] } else { &states })
    }

    /// Follows a packet that is copied before conntrack is asked, once for each copy.
    fn copies(&self, packet: &str, ct_states: &[&str]) -> Trace {
        Trace::of(&self.ovs, packet, ct_states)
    }

    /// Whether the packet leaves by a VIF in the end.
    fn reaches(&self, trace: &Trace, tap: &str) -> bool {
        self.sends(trace.end(), tap)
    }

    /// Whether datapath actions send to a VIF.
    fn sends(&self, actions: &str, tap: &str) -> bool {
        let number = datapath_port(&self.ovs, tap);
        actions.split(',').any(|action| action == number)
    }
}

/// What `ofproto/trace` says of a packet that enters br-int.
struct Trace {
    /// One for each pass through the datapath.
    megaflows: Vec<String>,
    /// The datapath actions of each pass.
    actions: Vec<String>,
    /// All of it.
    told: String,
}

impl Trace {
    /// Follows a packet that conntrack finds in these states, one for each time that it is asked.
    fn of(ovs: &OpenVSwitch, packet: &str, ct_states: &[&str]) -> Self {
        let target = format!("--target={}", ovs.path("vswitchd.ctl"));
        let mut arguments = vec![&target[..], "ofproto/trace", "br-int", packet];
        arguments.extend(ct_states.iter().flat_map(|state| ["--ct-next", state]));
        let told = ovs.run("ovs-appctl", &arguments);
        let lines = |start: &str| {
            let found = told.lines().filter_map(|line| line.strip_prefix(start));
            found.map(|line| line.trim().to_owned()).collect::<Vec<_>>()
        };
        let (megaflows, actions) = (lines("Megaflow:"), lines("Datapath actions:"));
        assert!(!actions.is_empty() && megaflows.len() == actions.len(), "{told}");
        Self { megaflows, actions, told }
    }

    /// The datapath actions of the last pass.
    fn end(&self) -> &str {
        &self.actions[self.actions.len() - 1]
    }

    /// How often the rules of a set are asked, with the bit 24 set for its ingress rules.
    fn asked(&self, subject: u32) -> usize {
        let asked = self.told.lines().filter(|line| line.trim_start().starts_with("50. "));
        let of = |line: &str| {
            let (_, rest) = line.split_once("reg5=0x")?;
            u32::from_str_radix(&rest[..rest.find([',', '/'])?], 16).ok()
        };
        asked.filter(|line| of(line).is_some_and(|asked| asked & 0x1ff_ffff == subject)).count()
    }

    /// The zone in which conntrack is asked first.
    fn zone(&self) -> Option<&str> {
        let asked = self.actions.iter().find_map(|actions| actions.split("ct(zone=").nth(1));
        asked.and_then(|rest| rest.split(')').next())
    }

    /// The packet as the tables leave it in the end.
    fn left(&self) -> &str {
        self.told.lines().filter_map(|line| line.strip_prefix("Final flow:")).next_back().expect("a flow")
    }

    /// Whether nothing comes of the packet.
    fn drops(&self) -> bool {
        self.end() == "drop"
    }

    /// How often conntrack is asked.
    fn lookups(&self) -> usize {
        self.actions.iter().map(|actions| actions.matches("recirc(").count()).sum()
    }
}

/// The number of a port in the datapath.
fn datapath_port(ovs: &OpenVSwitch, name: &str) -> String {
    let target = format!("--target={}", ovs.path("vswitchd.ctl"));
    let shown = ovs.run("ovs-appctl", &[&target, "dpif/show"]);
    let line = shown.lines().find(|line| line.trim().starts_with(&format!("{name} "))).expect("the port is there");
    let number = line.split('/').nth(1).and_then(|rest| rest.split(':').next()).expect("NAME OFPORT/NUMBER: (KIND)");
    number.to_owned()
}
