//! Packets within one network.

use super::Stage;

const WEB: &str = "dl_src=aa:00:00:00:00:01";
const TO_DB: &str = "dl_dst=aa:00:00:00:00:02";

#[test]
fn connections_between_two_ports_share_one_datapath_flow_for_each_direction() {
    let stage = Stage::of("dual_stack");
    let packets = [
        (
            format!("in_port=tap1,tcp,{WEB},{TO_DB},nw_src=10.0.0.11,nw_dst=10.0.0.12"),
            "ct_nw_src=10.0.0.11,ct_nw_dst=10.0.0.12,ct_nw_proto=6",
        ),
        (
            format!("in_port=tap1,tcp6,{WEB},{TO_DB},ipv6_src=fd00::11,ipv6_dst=fd00::12"),
            "ct_ipv6_src=fd00::11,ct_ipv6_dst=fd00::12,ct_nw_proto=6",
        ),
    ];
    for (packet, tuple) in packets {
        let tuple = format!("ct_state=trk|est,{tuple},ct_tp_src=40000,ct_tp_dst=80");
        let trace = stage.trace(&format!("{packet},tcp_src=40000,tcp_dst=80,{tuple}"), "trk,est");
        assert_eq!(trace.lookups(), 1, "{}", trace.told);
        assert!(stage.reaches(&trace, "tap2"), "{}", trace.told);
        for megaflow in &trace.megaflows {
            assert!(!megaflow.contains("tp_") && !megaflow.contains("tcp_"), "{megaflow}");
            assert!(!megaflow.contains(",nw_dst") && !megaflow.contains(",ipv6_dst"), "{megaflow}");
            assert!(!megaflow.contains("reg") && !megaflow.contains("mark"), "{megaflow}");
        }
    }
}

#[test]
fn ports_without_port_security_are_not_tracked() {
    let stage = Stage::with("no_groups", &["port open blue host=host1 ip=10.0.0.13 security=off", "plug open host1 3"]);
    let packet = "in_port=tap2,tcp,dl_src=aa:00:00:00:00:02,dl_dst=aa:00:00:00:00:03,nw_src=10.0.0.12,nw_dst=10.0.0.13";
    let trace = stage.trace(packet, "");
    assert!(stage.reaches(&trace, "tap3") && trace.lookups() == 0, "{}", trace.told);
    assert!(trace.end().parse::<u32>().is_ok(), "one output and nothing else: {}", trace.end());
}

#[test]
fn what_a_port_may_not_say_is_dropped() {
    let stage = Stage::of("dual_stack");
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
        assert!(stage.trace(&packet, "").drops(), "{packet}");
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
    let stage = Stage::of("dual_stack");
    let answer = |packet: &str| stage.trace(packet, "").end().to_owned();
    let arp = answer(&format!(
        "in_port=tap1,arp,{WEB},dl_dst=ff:ff:ff:ff:ff:ff,arp_op=1,arp_spa=10.0.0.11,arp_tpa=10.0.0.12,\
         arp_sha=aa:00:00:00:00:01"
    ));
    assert!(arp.contains("op=2,sha=aa:00:00:00:00:02"), "{arp}");
    let solicited = answer(&neighbour(135, "fd00::12", "nd_sll=aa:00:00:00:00:01"));
    for part in ["nd_reserved=0x60000000", "tll=aa:00:00:00:00:02", "icmpv6(type=136", "dst=fd00::11"] {
        assert!(solicited.contains(part), "no {part} in {solicited}");
    }
    let detection = |target: &str| {
        format!(
            "in_port=tap1,icmp6,{WEB},dl_dst=33:33:ff:00:00:12,ipv6_src=::,ipv6_dst=ff02::1:ff00:12,nw_ttl=255,\
             icmpv6_type=135,icmpv6_code=0,nd_target={target}"
        )
    };
    let duplicate = answer(&detection("fd00::12"));
    for part in ["nd_reserved=0x20000000", "icmpv6(type=136", "dst=ff02::1"] {
        assert!(duplicate.contains(part), "no {part} in {duplicate}");
    }
    let own = answer(&detection("fd00::11"));
    assert!(!own.contains("icmpv6(type=136"), "nobody but the asker has it: {own}");
    assert_ne!(own, "drop");
}

#[test]
fn what_no_bound_port_has_everyone_is_asked_for() {
    let stage = Stage::with("dual_stack", &["port idle blue ip=10.0.0.14,fd00::14"]);
    let arp = format!(
        "in_port=tap1,arp,{WEB},dl_dst=ff:ff:ff:ff:ff:ff,arp_op=1,arp_spa=10.0.0.11,arp_tpa=10.0.0.14,\
         arp_sha=aa:00:00:00:00:01"
    );
    let detection = format!(
        "in_port=tap1,icmp6,{WEB},dl_dst=33:33:ff:00:00:14,ipv6_src=::,ipv6_dst=ff02::1:ff00:14,nw_ttl=255,\
         icmpv6_type=135,icmpv6_code=0,nd_target=fd00::14"
    );
    let solicitation = neighbour(135, "fd00::14", "nd_sll=aa:00:00:00:00:01");
    for (question, asked) in [
        (arp, "dl_dst=ff:ff:ff:ff:ff:ff"),
        (detection, "dl_dst=33:33:ff:00:00:14"),
        (solicitation, "dl_dst=33:33:00:00:00:01"),
    ] {
        let trace = stage.trace(&question, "");
        assert!(stage.reaches(&trace, "tap2") && !stage.reaches(&trace, "tap1"), "{}", trace.told);
        assert!(trace.told.contains("set_field:192.0.2.2->tun_dst"), "{}", trace.told);
        assert!(trace.left().contains(asked), "the question stays as it was: {}", trace.told);
    }
}
