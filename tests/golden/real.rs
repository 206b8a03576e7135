//! The cases on a real Open vSwitch: it accepts every flow and group, gives them back as they were, and caches packets
//! as coarsely as it should.

use crate::cloud::Cloud;
use crate::vswitchd::OpenVSwitch;
use crate::{CASES, text};
use std::fs;
use weir_compile::{Bridge, bridge};
use weir_openflow::{Flow, FlowTable, Group};

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

/// What `ofproto/trace` says of a packet that enters br-int: the megaflow and the datapath actions.
fn trace(ovs: &OpenVSwitch, packet: &str) -> (String, String) {
    let target = format!("--target={}", ovs.path("vswitchd.ctl"));
    let told = ovs.run("ovs-appctl", &[&target, "ofproto/trace", "br-int", packet]);
    let line = |start: &str| {
        let found = told.lines().find_map(|line| line.strip_prefix(start));
        found.unwrap_or_else(|| panic!("no '{start}' in {told}")).trim().to_owned()
    };
    (line("Megaflow:"), line("Datapath actions:"))
}

const WEB: &str = "dl_src=aa:00:00:00:00:01";
const TO_DB: &str = "dl_dst=aa:00:00:00:00:02";

fn dual_stack() -> OpenVSwitch {
    let ovs = hypervisor();
    let mut cloud = Cloud::new();
    cloud.play(&text("dual_stack"));
    for bridge in Bridge::ALL {
        install(&ovs, bridge, &cloud.desired("host1", bridge));
    }
    ovs
}

#[test]
fn connections_between_two_ports_share_one_datapath_flow() {
    let ovs = dual_stack();
    let packets = [
        format!("in_port=tap1,tcp,{WEB},{TO_DB},nw_src=10.0.0.11,nw_dst=10.0.0.12"),
        format!("in_port=tap1,tcp6,{WEB},{TO_DB},ipv6_src=fd00::11,ipv6_dst=fd00::12"),
    ];
    for packet in packets {
        let (megaflow, actions) = trace(&ovs, &format!("{packet},tcp_src=40000,tcp_dst=80"));
        assert!(!megaflow.contains("tp_") && !megaflow.contains("tcp_"), "{megaflow}");
        assert!(!megaflow.contains("_dst=10.") && !megaflow.contains("ipv6_dst"), "{megaflow}");
        assert!(!megaflow.contains("reg") && !megaflow.contains("mark"), "{megaflow}");
        assert!(actions.parse::<u32>().is_ok(), "one output and nothing else: {actions}");
    }
}

#[test]
fn what_a_port_may_not_say_is_dropped() {
    let ovs = dual_stack();
    let server = "ipv6_src=fe80::a800:ff:fe00:1,ipv6_dst=ff02::1";
    let refused = [
        format!("in_port=tap1,tcp,{WEB},{TO_DB},nw_src=10.0.0.12,nw_dst=10.0.0.11"),
        format!("in_port=tap1,tcp,dl_src=aa:00:00:00:00:02,{TO_DB},nw_src=10.0.0.11,nw_dst=10.0.0.12"),
        format!("in_port=tap1,udp,{WEB},{TO_DB},nw_src=10.0.0.11,nw_dst=10.0.0.12,udp_src=67,udp_dst=68"),
        format!("in_port=tap1,udp,{WEB},{TO_DB},nw_src=10.0.0.11,nw_dst=10.0.0.12,udp_src=9,udp_dst=68"),
        format!("in_port=tap1,udp6,{WEB},{TO_DB},{server},udp_src=547,udp_dst=546"),
        format!("in_port=tap1,icmp6,{WEB},dl_dst=33:33:00:00:00:01,{server},icmpv6_type=134,icmpv6_code=0"),
        format!("in_port=tap1,icmp6,{WEB},{TO_DB},ipv6_src=::,ipv6_dst=fd00::12,icmpv6_type=128,icmpv6_code=0"),
        format!("in_port=tap1,arp,{WEB},{TO_DB},arp_op=2,arp_spa=10.0.0.12,arp_sha=aa:00:00:00:00:01"),
        format!("in_port=tap1,arp,{WEB},{TO_DB},arp_op=2,arp_spa=10.0.0.11,arp_sha=aa:00:00:00:00:02"),
        format!("in_port=tap1,tcp,{WEB},{TO_DB},dl_vlan=5,nw_src=10.0.0.11,nw_dst=10.0.0.12"),
        format!("in_port=tap1,tcp,{WEB},dl_dst=aa:00:00:00:00:77,nw_src=10.0.0.11,nw_dst=10.0.0.12"),
        format!("in_port=tap3,tcp,{WEB},{TO_DB},nw_src=10.0.0.11,nw_dst=10.0.0.12"),
        neighbour(136, "fd00::12", "nd_tll=aa:00:00:00:00:01"),
        neighbour(136, "fd00::11", "nd_tll=aa:00:00:00:00:02"),
        neighbour(135, "fd00::12", "nd_sll=aa:00:00:00:00:02"),
    ];
    for packet in refused {
        assert_eq!(trace(&ovs, &packet).1, "drop", "{packet}");
    }
}

/// Neighbour discovery of the port web, to everyone.
fn neighbour(kind: u8, target: &str, option: &str) -> String {
    format!(
        "in_port=tap1,icmp6,{WEB},dl_dst=33:33:00:00:00:01,ipv6_src=fd00::11,ipv6_dst=ff02::1,nw_ttl=255,\
         icmpv6_type={kind},icmpv6_code=0,nd_target={target},{option}"
    )
}

#[test]
fn questions_are_answered_where_they_are_asked() {
    let ovs = dual_stack();
    let (_, arp) = trace(
        &ovs,
        &format!(
            "in_port=tap1,arp,{WEB},dl_dst=ff:ff:ff:ff:ff:ff,arp_op=1,arp_spa=10.0.0.11,arp_tpa=10.0.0.12,arp_sha=aa:00:00:00:00:01"
        ),
    );
    assert!(arp.contains("op=2,sha=aa:00:00:00:00:02"), "{arp}");
    let (_, solicited) = trace(&ovs, &neighbour(135, "fd00::12", "nd_sll=aa:00:00:00:00:01"));
    for part in ["nd_reserved=0x60000000", "tll=aa:00:00:00:00:02", "icmpv6(type=136", "dst=fd00::11"] {
        assert!(solicited.contains(part), "no {part} in {solicited}");
    }
    let detection = |target: &str| {
        format!(
            "in_port=tap1,icmp6,{WEB},dl_dst=33:33:ff:00:00:12,ipv6_src=::,ipv6_dst=ff02::1:ff00:12,nw_ttl=255,\
             icmpv6_type=135,icmpv6_code=0,nd_target={target}"
        )
    };
    let (_, duplicate) = trace(&ovs, &detection("fd00::12"));
    for part in ["nd_reserved=0x20000000", "icmpv6(type=136", "dst=ff02::1"] {
        assert!(duplicate.contains(part), "no {part} in {duplicate}");
    }
    let (_, own) = trace(&ovs, &detection("fd00::11"));
    assert!(!own.contains("icmpv6(type=136"), "nobody but the asker has it: {own}");
    assert_ne!(own, "drop");
}
