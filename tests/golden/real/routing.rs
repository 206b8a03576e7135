//! Packets that routers pass on, answer or hand to the controller.

use super::{Stage, Trace};

const WEB: &str = "in_port=tap1,dl_src=aa:00:00:00:00:01";

/// The kind of question that a packet goes to the controller with.
fn punted(trace: &Trace) -> Option<u32> {
    let mut kinds = trace
        .told
        .lines()
        .filter_map(|line| line.trim().strip_prefix("set_field:0x")?.strip_suffix("000000/0xff000000->reg2"));
    let kind = kinds.next_back().map(|kind| u32::from_str_radix(kind, 16).expect("a number"));
    kind.filter(|_| trace.end().contains("controller("))
}

#[test]
fn a_routed_packet_is_rewritten_tracked_once_and_delivered() {
    let stage = Stage::of("routed_two_networks");
    let (gateway, gateway6) = (stage.mac("10.0.0.1"), stage.mac("fd00:a::1"));
    let (from, from6) = (stage.mac("10.0.1.1"), stage.mac("fd00:b::1"));
    let tuple = "ct_state=trk|new,ct_nw_src=10.0.0.11,ct_nw_dst=10.0.1.12,ct_nw_proto=6";
    let v4 = format!("{WEB},tcp,dl_dst={gateway},nw_src=10.0.0.11,nw_dst=10.0.1.12,nw_ttl=64,{tuple}");
    let tuple = "ct_state=trk|new,ct_ipv6_src=fd00:a::11,ct_ipv6_dst=fd00:b::12,ct_nw_proto=6";
    let v6 = format!("{WEB},tcp6,dl_dst={gateway6},ipv6_src=fd00:a::11,ipv6_dst=fd00:b::12,nw_ttl=64,{tuple}");
    for (packet, from) in [(v4, from), (v6, from6)] {
        let trace = stage.trace(&packet, "trk,new");
        assert_eq!(trace.lookups(), 1, "{}", trace.told);
        assert!(stage.reaches(&trace, "tap2"), "{}", trace.told);
        let sent = format!("dl_src={from},dl_dst=aa:00:00:00:00:02");
        assert!(trace.left().contains(&sent) && trace.left().contains("nw_ttl=63"), "{}", trace.told);
    }
}

#[test]
fn a_port_elsewhere_is_reached_through_its_own_networks_tunnel() {
    let stage = Stage::of("routed_two_networks");
    let gateway = stage.mac("10.0.0.1");
    let trace =
        stage.trace(&format!("{WEB},udp,dl_dst={gateway},nw_src=10.0.0.11,nw_dst=10.0.1.13,nw_ttl=64"), "trk,new");
    assert_eq!(trace.lookups(), 1, "{}", trace.told);
    assert!(trace.told.contains("set_field:0x2->tun_id") && trace.told.contains("set_field:192.0.2.2->tun_dst"));
    assert!(trace.left().contains("dl_dst=aa:00:00:00:00:03") && trace.left().contains("nw_ttl=63"), "{}", trace.told);
    assert!(!trace.drops(), "{}", trace.told);
}

#[test]
fn what_a_router_cannot_pass_on_goes_to_the_controller() {
    let stage = Stage::of("routed_two_networks");
    let gateway = stage.mac("10.0.0.1");
    let to = |address: &str, ttl: u8| {
        let packet = format!("{WEB},udp,dl_dst={gateway},nw_src=10.0.0.11,nw_dst={address},nw_ttl={ttl}");
        let trace = stage.trace(&packet, "");
        assert_eq!(trace.lookups(), 0, "{}", trace.told);
        punted(&trace)
    };
    assert_eq!(to("10.0.1.12", 1), Some(4));
    assert_eq!(to("10.0.1.12", 0), Some(4));
    assert_eq!(to("192.0.2.99", 64), Some(5));
    assert_eq!(to("10.0.1.99", 64), Some(6));
}

#[test]
fn packets_into_a_network_with_a_smaller_mtu_are_measured() {
    let stage = Stage::of("smaller_mtu");
    let packet = |tap: &str, from: &str, gateway: &str, to: &str| {
        let (source, gateway) = (stage.mac(from), stage.mac(gateway));
        format!("in_port={tap},udp,dl_src={source},dl_dst={gateway},nw_src={from},nw_dst={to},nw_ttl=64")
    };
    let measured = stage.trace(&packet("tap1", "10.0.0.11", "10.0.0.1", "10.0.1.12"), "trk,new");
    assert!(measured.actions[0].contains("check_pkt_len(size=1314,gt(meter("), "{}", measured.told);
    assert_eq!(measured.lookups(), 1, "{}", measured.told);
    let back = stage.trace(&packet("tap2", "10.0.1.12", "10.0.1.1", "10.0.0.11"), "trk,est,rpl");
    assert!(!back.told.contains("check_pkt"), "{}", back.told);
}

#[test]
fn pings_to_routers_are_turned_around() {
    let stage = Stage::of("router_chain");
    let (gateway, web) = (stage.mac("10.0.0.1"), stage.mac("10.0.0.11"));
    for address in ["10.0.0.1", "10.0.1.1", "10.0.1.2", "10.0.2.1"] {
        let ping = format!(
            "in_port=tap1,icmp,dl_src={web},dl_dst={gateway},nw_src=10.0.0.11,nw_dst={address},nw_ttl=64,icmp_type=8,\
             icmp_code=0"
        );
        let trace = stage.trace(&ping, "trk,new");
        assert_eq!(trace.lookups(), 1, "{}", trace.told);
        assert!(stage.reaches(&trace, "tap1"), "{}", trace.told);
        let sent = format!("dl_src={gateway},dl_dst={web},nw_src={address},nw_dst=10.0.0.11");
        assert!(trace.left().contains(&sent), "no {sent} in {}", trace.told);
        assert!(trace.left().contains("nw_ttl=64") && trace.left().contains("icmp_type=0"), "{}", trace.told);
    }
}

#[test]
fn both_directions_are_tracked_in_one_zone_though_only_one_is_routed() {
    let stage = Stage::with("router_chain", &["port client middle host=host1 ip=10.0.1.21", "plug client host1 3"]);
    let (gateway, vpn, client) = (stage.mac("10.0.1.1"), stage.mac("10.0.1.9"), stage.mac("10.0.1.21"));
    let there =
        format!("in_port=tap3,udp,dl_src={client},dl_dst={gateway},nw_src=10.0.1.21,nw_dst=192.168.5.5,nw_ttl=64");
    let back = format!("in_port=tap2,udp,dl_src={vpn},dl_dst={client},nw_src=192.168.5.5,nw_dst=10.0.1.21,nw_ttl=64");
    let back = format!("{back},ct_state=trk|est,{}", stage.label("10.0.1.21", "10.0.1.9"));
    let (there, back) = (stage.trace(&there, "trk,new"), stage.trace(&back, "trk,est,rpl"));
    assert!(stage.reaches(&there, "tap2"), "{}", there.told);
    assert!(there.left().contains(&format!("dl_src={gateway},dl_dst={vpn}")), "{}", there.told);
    assert!(stage.reaches(&back, "tap3"), "{}", back.told);
    assert_eq!(there.zone(), back.zone());
}

/// Security groups let these pass whoever sends them, so no router may take them to another network.
#[test]
fn messages_about_a_link_stay_on_it() {
    let stage = Stage::of("routed_two_networks");
    let (gateway, gateway_v6) = (stage.mac("10.0.0.1"), stage.mac("fd00:a::1"));
    let v6 = format!("{WEB},icmp6,dl_dst={gateway_v6},ipv6_src=fd00:a::11,ipv6_dst=fd00:b::12,nw_ttl=64");
    for kind in [130, 134, 136, 143] {
        let trace = stage.trace(&format!("{v6},icmpv6_type={kind}"), "trk,new");
        assert!(trace.drops() && trace.lookups() == 0, "{}", trace.told);
    }
    let ping = stage.trace(&format!("{v6},icmpv6_type=128"), "trk,new");
    assert_eq!(ping.lookups(), 1, "{}", ping.told);
    let v4 = format!("{WEB},udp,dl_dst={gateway},nw_src=10.0.0.11,nw_dst=10.0.1.12,nw_ttl=64");
    let offer = stage.trace(&format!("{v4},udp_src=67,udp_dst=68"), "trk,new");
    assert!(offer.drops() && offer.lookups() == 0, "{}", offer.told);
}

#[test]
fn addresses_of_a_link_stay_on_it() {
    let stage = Stage::of("routed_two_networks");
    let gateway = stage.mac("fd00:a::1");
    let own = "fe80::a800:ff:fe00:1";
    let of_gateway = stage.link_local("fd00:a::1");
    let sent = |from: &str, to: &str| {
        let packet = format!("{WEB},icmp6,dl_dst={gateway},ipv6_src={from},ipv6_dst={to},nw_ttl=64,icmpv6_type=128");
        stage.trace(&packet, "trk,new")
    };
    for (from, to) in [(own, "fd00:b::12"), (own, "fe80::1"), ("fd00:a::11", "fe80::1")] {
        let trace = sent(from, to);
        assert!(trace.drops(), "{}", trace.told);
    }
    let answered = sent(own, &of_gateway);
    assert!(stage.reaches(&answered, "tap1"), "{}", answered.told);
    assert!(answered.left().contains(&format!("ipv6_src={of_gateway},ipv6_dst={own}")), "{}", answered.told);
}

/// Hypervisors know the addresses of the networks that they route to, but tell them to nobody who is not in there.
#[test]
fn questions_are_about_the_asking_ports_own_network() {
    let stage = Stage::of("routed_two_networks");
    let gateway = stage.mac("10.0.0.1");
    let arp = |to: &str| {
        format!("{WEB},arp,dl_dst={to},arp_op=1,arp_spa=10.0.0.11,arp_tpa=10.0.1.12,arp_sha=aa:00:00:00:00:01")
    };
    let solicitation = |to: &str, target: &str| {
        format!(
            "{WEB},icmp6,dl_dst={to},ipv6_src=fd00:a::11,ipv6_dst={target},nw_ttl=255,icmpv6_type=135,icmpv6_code=0,\
             nd_target={target},nd_sll=aa:00:00:00:00:01"
        )
    };
    for question in [arp("ff:ff:ff:ff:ff:ff"), solicitation("33:33:ff:00:00:12", "fd00:b::12")] {
        let trace = stage.trace(&question, "");
        assert!(["tap1", "tap2"].iter().all(|tap| !stage.reaches(&trace, tap)), "{}", trace.told);
    }
    for question in [arp(&gateway), solicitation(&gateway, "fd00:b::12")] {
        let trace = stage.trace(&question, "");
        assert!(trace.drops(), "no router passes a question on: {}", trace.told);
    }
    let held = stage.trace(&solicitation("33:33:ff:00:00:01", "fd00:a::1"), "");
    assert!(stage.reaches(&held, "tap1"), "{}", held.told);
    assert_eq!(held.end().matches("icmpv6(type=136").count(), 1, "the router answers once: {}", held.told);
}
