//! Packets that security groups are asked about.

use super::{Stage, Trace};

const TCP: &str = "ct_nw_proto=6,ct_tp_src=40000,ct_tp_dst=80";
const EVERYBODY: &str = "01:00:5e:00:00:01";

/// What conntrack remembers of a connection's first packet.
fn tuple(source: &str, destination: &str, ports: &str) -> String {
    format!("ct_state=trk|est,ct_nw_src={source},ct_nw_dst={destination},{ports}")
}

impl Stage {
    /// A packet between two ports of one network, as the sender's VIF gets it.
    fn packet(&self, tap: &str, kind: &str, from: &str, to: &str) -> String {
        let (source, destination) = (self.mac(from), self.mac(to));
        format!("in_port={tap},{kind},dl_src={source},dl_dst={destination},nw_src={from},nw_dst={to},nw_ttl=64")
    }

    /// Follows a packet of a connection from one address to another, which has its own direction in the connection.
    fn on(&self, packet: &str, tuple: &str, ct_state: &str) -> Trace {
        self.trace(&format!("{packet},{tuple}"), ct_state)
    }
}

/// The default group with another member here.
fn members() -> Stage {
    Stage::with("default_group", &["port peer blue host=host1 ip=10.0.0.14,fd00::14", "plug peer host1 3"])
}

#[test]
fn a_member_comes_in_and_a_stranger_does_not() {
    let stage = members();
    let of_peer = stage.packet("tap3", "tcp", "10.0.0.14", "10.0.0.11");
    let let_in = stage.on(&of_peer, &tuple("10.0.0.14", "10.0.0.11", TCP), "trk,new");
    assert!(stage.reaches(&let_in, "tap1") && let_in.end().contains("ct(commit"), "{}", let_in.told);
    assert_eq!((let_in.asked("0x1"), let_in.asked("0x1000001")), (1, 1), "{}", let_in.told);
    let of_stranger = stage.packet("tap2", "tcp", "10.0.0.13", "10.0.0.11");
    let refused = stage.on(&of_stranger, &tuple("10.0.0.13", "10.0.0.11", TCP), "trk,new");
    assert!(refused.drops() && refused.lookups() == 1, "{}", refused.told);
}

#[test]
fn a_reply_is_judged_by_the_rules_that_let_the_question_pass() {
    let stage = members();
    let reply = stage.packet("tap1", "tcp", "10.0.0.11", "10.0.0.14");
    let trace = stage.on(&reply, &tuple("10.0.0.14", "10.0.0.11", TCP), "trk,est,rpl");
    assert!(stage.reaches(&trace, "tap3") && !trace.end().contains("commit"), "{}", trace.told);
    assert_eq!((trace.asked("0x1"), trace.asked("0x1000001")), (1, 1), "{}", trace.told);
    // An error about the connection goes the same way, and so does nothing about a connection that may not be.
    let error = stage.packet("tap1", "icmp", "10.0.0.11", "10.0.0.14");
    let trace = stage.on(&error, &tuple("10.0.0.14", "10.0.0.11", TCP), "trk,rel,rpl");
    assert!(stage.reaches(&trace, "tap3"), "{}", trace.told);
    let reply = stage.packet("tap1", "tcp", "10.0.0.11", "10.0.0.13");
    let trace = stage.on(&reply, &tuple("10.0.0.13", "10.0.0.11", TCP), "trk,est,rpl");
    assert!(trace.drops(), "{}", trace.told);
}

#[test]
fn any_protocol_is_followed_and_what_cannot_be_is_dropped() {
    let stage = members();
    let vrrp = stage.packet("tap3", "ip", "10.0.0.14", "10.0.0.11");
    let (vrrp, of) = (format!("{vrrp},nw_proto=112"), tuple("10.0.0.14", "10.0.0.11", "ct_nw_proto=112"));
    let trace = stage.on(&vrrp, &of, "trk,new");
    assert!(stage.reaches(&trace, "tap1"), "{}", trace.told);
    let trace = stage.on(&vrrp, &of, "trk,inv");
    assert!(trace.drops(), "{}", trace.told);
}

#[test]
fn a_rule_that_goes_takes_its_connections_with_it() {
    let client = ["rule web egress v4", "port client blue host=host1 ip=10.0.0.14", "plug client host1 3"];
    let again = [&client[..], &["rule web ingress v4 tcp 80"]].concat();
    let passes = |stage: &Stage, port: u16| {
        let of = tuple("10.0.0.14", "10.0.0.11", &format!("ct_nw_proto=6,ct_tp_src=40000,ct_tp_dst={port}"));
        let there = format!("{},tcp_src=40000,tcp_dst={port}", stage.packet("tap3", "tcp", "10.0.0.14", "10.0.0.11"));
        let back = format!("{},tcp_src={port},tcp_dst=40000", stage.packet("tap1", "tcp", "10.0.0.11", "10.0.0.14"));
        let (there, back) = (stage.on(&there, &of, "trk,est"), stage.on(&back, &of, "trk,est,rpl"));
        for megaflow in there.megaflows.iter().chain(&back.megaflows) {
            let own = megaflow.replace("ct_tp_dst", "");
            assert!(!own.contains("tp_") && !own.contains("tcp_"), "{megaflow}");
            assert!(!megaflow.contains("reg") && !megaflow.contains("40000"), "{megaflow}");
        }
        (stage.reaches(&there, "tap1"), stage.reaches(&back, "tap3"), there.drops(), back.drops())
    };
    let stage = Stage::with("rule_removed", &again);
    assert_eq!(passes(&stage, 80), (true, true, false, false));
    let stage = stage.then("rule_removed", &client);
    assert_eq!(passes(&stage, 80), (false, false, true, true));
    assert_eq!(passes(&stage, 443), (true, true, false, false));
}

#[test]
fn stateless_groups_judge_each_packet_by_itself() {
    let stage = Stage::of("stateless_group");
    let question = stage.packet("tap1", "udp", "10.0.0.11", "10.0.0.12");
    let asked = stage.trace(&format!("{question},udp_src=40000,udp_dst=53"), "");
    assert!(stage.reaches(&asked, "tap2") && asked.lookups() == 0, "{}", asked.told);
    assert!(!asked.told.contains("ct("), "{}", asked.told);
    let answer = stage.packet("tap2", "udp", "10.0.0.12", "10.0.0.11");
    let answered = stage.trace(&format!("{answer},udp_src=53,udp_dst=40000"), "");
    assert!(answered.drops(), "{}", answered.told);
}

#[test]
fn a_port_without_groups_has_its_link_and_nothing_else() {
    let stage = Stage::of("no_groups");
    let packets = [
        stage.packet("tap1", "tcp", "10.0.0.11", "10.0.0.12"),
        stage.packet("tap2", "tcp", "10.0.0.12", "10.0.0.11"),
        format!("in_port=tap2,dl_type=0x88cc,dl_src={},dl_dst={}", stage.mac("10.0.0.12"), stage.mac("10.0.0.11")),
        format!("in_port=tap2,dl_type=0x88cc,dl_src={},dl_dst={EVERYBODY}", stage.mac("10.0.0.12")),
    ];
    for packet in packets {
        let trace = stage.trace(&packet, if packet.contains("0x88cc") { "" } else { "trk,new" });
        assert!(!stage.reaches(&trace, "tap1") && !stage.reaches(&trace, "tap2"), "{}", trace.told);
    }
    let mac = stage.mac("10.0.0.11");
    let asked = format!("in_port=tap1,arp,dl_src={mac},dl_dst=ff:ff:ff:ff:ff:ff,arp_op=1,arp_spa=10.0.0.11");
    let asked = stage.trace(&format!("{asked},arp_tpa=10.0.0.77,arp_sha={mac}"), "");
    assert!(stage.reaches(&asked, "tap2"), "{}", asked.told);
    let joined = format!("in_port=tap2,icmp6,dl_src={},dl_dst=33:33:00:00:00:16", stage.mac("10.0.0.12"));
    let joined = format!("{joined},ipv6_src=fe80::1,ipv6_dst=ff02::16,icmpv6_type=143,icmpv6_code=0");
    let joined = stage.trace(&joined, "");
    assert!(stage.reaches(&joined, "tap1") && joined.lookups() == 0, "{}", joined.told);
}

#[test]
fn copies_for_a_shared_address_are_judged_one_by_one() {
    let shared = "pair=10.0.0.100/32@00:00:5e:00:01:01";
    let more = [
        &format!("port four blue host=host1 ip=10.0.0.14 {shared}")[..],
        &format!("port five blue host=host1 ip=10.0.0.15 {shared} groups=none"),
        "plug four host1 2",
        "plug five host1 3",
    ];
    let stage = Stage::with("address_pairs", &more);
    let packet = format!(
        "in_port=tap1,udp,dl_src={},dl_dst=00:00:5e:00:01:01,nw_src=10.0.0.11,nw_dst=10.0.0.100,nw_ttl=64",
        stage.mac("10.0.0.11")
    );
    let target = ["trk,new"; 5];
    let trace = stage.copies(&format!("{packet},{}", tuple("10.0.0.11", "10.0.0.100", "ct_nw_proto=17")), &target);
    let reached = |tap: &str| trace.actions.iter().filter(|actions| stage.sends(actions, tap)).count();
    assert_eq!((reached("tap2"), reached("tap3")), (1, 0), "{}", trace.told);
    assert_eq!(trace.told.matches("set_field:192.0.2.2->tun_dst").count(), 1, "{}", trace.told);
}

#[test]
fn the_tunnel_brings_nothing_past_the_receivers_rules() {
    let stage = members();
    let arrived = |kind: &str, to: &str, source: &str| {
        format!("in_port=65001,pkt_mark=1,{kind},dl_src=aa:00:00:00:00:02,dl_dst={to},nw_src={source},nw_dst=10.0.0.11")
    };
    let web = stage.mac("10.0.0.11");
    for (source, comes_in) in [("10.0.0.12", true), ("10.0.0.99", false)] {
        let of = tuple(source, "10.0.0.11", TCP);
        let trace = stage.on(&arrived("tcp", &web, source), &of, "trk,new");
        assert_eq!(stage.reaches(&trace, "tap1"), comes_in, "{}", trace.told);
        assert_eq!((trace.zone(), trace.asked("0x1")), (Some("1"), 0), "{}", trace.told);
        let trace = stage.on(&arrived("tcp", EVERYBODY, source), &of, "trk,new");
        assert_eq!(stage.reaches(&trace, "tap1"), comes_in, "{}", trace.told);
        assert!(!trace.told.contains("tun_dst"), "nothing goes back: {}", trace.told);
    }
    let far = stage.mac("10.0.0.12");
    assert!(stage.trace(&arrived("tcp", &far, "10.0.0.12"), "").drops());
    let stage = Stage::of("routed_two_networks");
    let gateway = stage.mac("10.0.0.1");
    assert!(stage.trace(&arrived("tcp", &gateway, "10.0.0.12"), "").drops());
}

#[test]
fn multicast_passes_the_senders_rules_once_and_the_receivers_for_each_copy() {
    let more = ["port cache blue host=host1 ip=10.0.0.14,fd00::14", "plug cache host1 3"];
    let stage = Stage::with("dual_stack", &more);
    let sender = stage.mac("10.0.0.11");
    let packet = format!("in_port=tap1,udp,dl_src={sender},dl_dst={EVERYBODY},nw_src=10.0.0.11,nw_dst=224.0.0.1");
    let trace = stage.on(&packet, &tuple("10.0.0.11", "224.0.0.1", "ct_nw_proto=17"), "trk,new");
    assert_eq!((trace.lookups(), trace.asked("0x1"), trace.asked("0x1000001")), (1, 1, 3), "{}", trace.told);
    assert!(stage.reaches(&trace, "tap2") && stage.reaches(&trace, "tap3"), "{}", trace.told);
    assert!(!stage.reaches(&trace, "tap1") && !trace.end().contains("commit"), "{}", trace.told);
}

#[test]
fn a_connection_is_no_way_to_send_to_everybody() {
    // The sender takes what comes, so that its rules do not stand in the way of what looks like a reply.
    let more = [
        "project owner-of-blue",
        "group open",
        "rule open ingress v4",
        "port open blue host=host1 ip=10.0.0.14,fd00::14 groups=open",
        "plug open host1 3",
    ];
    let stage = Stage::with("dual_stack", &more);
    let packet = format!(
        "in_port=tap3,udp,dl_src={},dl_dst={EVERYBODY},nw_src=10.0.0.14,nw_dst=224.0.0.1",
        stage.mac("10.0.0.14")
    );
    let packet = format!("{packet},{}", tuple("224.0.0.1", "10.0.0.14", "ct_nw_proto=17"));
    for state in ["trk,est,rpl", "trk,rel", "trk,rel,rpl"] {
        let trace = stage.trace(&packet, state);
        assert!(trace.drops(), "{}", trace.told);
    }
}
