//! Packets that security groups are asked about.

use super::{Stage, Trace};

const TCP: &str = "ct_nw_proto=6,ct_tp_src=40000,ct_tp_dst=80";
const EVERYBODY: &str = "01:00:5e:00:00:01";

/// What conntrack remembers of a connection's first packet.
fn tuple(source: &str, destination: &str, ports: &str) -> String {
    format!("ct_state=trk|est,ct_nw_src={source},ct_nw_dst={destination},{ports}")
}

impl Stage {
    /// The connection of two ports that the switch has seen begin.
    fn known(&self, source: &str, destination: &str, ports: &str) -> String {
        format!("{},{}", tuple(source, destination, ports), self.label(source, destination))
    }

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
    assert_eq!((let_in.asked(0x1), let_in.asked(0x1000001)), (1, 1), "{}", let_in.told);
    let of_stranger = stage.packet("tap2", "tcp", "10.0.0.13", "10.0.0.11");
    let refused = stage.on(&of_stranger, &tuple("10.0.0.13", "10.0.0.11", TCP), "trk,new");
    assert!(refused.drops() && refused.lookups() == 1, "{}", refused.told);
}

#[test]
fn a_reply_is_judged_by_the_rules_that_let_the_question_pass() {
    let stage = members();
    let reply = stage.packet("tap1", "tcp", "10.0.0.11", "10.0.0.14");
    let trace = stage.on(&reply, &stage.known("10.0.0.14", "10.0.0.11", TCP), "trk,est,rpl");
    assert!(stage.reaches(&trace, "tap3") && !trace.end().contains("commit"), "{}", trace.told);
    assert_eq!((trace.asked(0x1), trace.asked(0x1000001)), (1, 1), "{}", trace.told);
    // An error about the connection goes the same way, and so does nothing about a connection that may not be.
    let error = stage.packet("tap1", "icmp", "10.0.0.11", "10.0.0.14");
    let trace = stage.on(&error, &stage.known("10.0.0.14", "10.0.0.11", TCP), "trk,rel,rpl");
    assert!(stage.reaches(&trace, "tap3"), "{}", trace.told);
    let reply = stage.packet("tap1", "tcp", "10.0.0.11", "10.0.0.13");
    let known =
        format!("{},ct_label={:#x}", tuple("10.0.0.13", "10.0.0.11", TCP), stage.ends("10.0.0.13", "10.0.0.11"));
    let trace = stage.on(&reply, &known, "trk,est,rpl");
    assert!(trace.drops(), "{}", trace.told);
}

#[test]
fn a_reply_counts_for_the_ports_at_both_ends_only() {
    let stage = members();
    let reply = stage.packet("tap1", "tcp", "10.0.0.11", "10.0.0.14");
    let of = tuple("10.0.0.14", "10.0.0.11", TCP);
    let passes = |label: &str| {
        let trace = stage.on(&reply, &format!("{of},{label}"), "trk,est,rpl");
        assert!(stage.reaches(&trace, "tap3") != trace.drops(), "{}", trace.told);
        !trace.drops()
    };
    assert!(passes(&stage.label("10.0.0.14", "10.0.0.11")));
    // Somebody else began it, or it is another's to answer.
    assert!(!passes(&stage.label("10.0.0.13", "10.0.0.11")));
    assert!(!passes(&stage.label("10.0.0.14", "10.0.0.13")));
    // Nobody in particular was asked; somebody elsewhere did ask.
    let initiator = format!("ct_label={:#x}", stage.holder("10.0.0.14").key.0);
    assert!(passes(&initiator));
    assert!(!passes("ct_label=0"));
}

#[test]
fn connections_are_labelled_with_the_ports_at_both_ends() {
    let stage = members();
    let (client, server) = ("10.0.0.14", "10.0.0.11");
    let question = stage.packet("tap3", "tcp", client, server);
    let of = tuple(client, server, TCP);
    // A rule without groups let it out; that a rule with a group let it in is not remembered.
    let label = format!("{:#x}", stage.generation(client) << 64 | stage.ends(client, server));
    let begun = stage.on(&question, &of, "trk,new");
    assert!(begun.left().contains(&format!("label={label}")) || begun.end().contains(&label), "{}", begun.told);
    let known = stage.on(&question, &stage.known(client, server, TCP), "trk,est");
    assert!(stage.reaches(&known, "tap1") && !known.end().contains("commit"), "{}", known.told);
    // Who began it has moved here; the server has the address of another that had it before.
    for label in [format!("{:#x}", u64::from(stage.holder(server).key.0) << 32), stage.label(client, "10.0.0.13")] {
        let label = label.trim_start_matches("ct_label=");
        let moved = stage.on(&question, &format!("{of},ct_label={label}"), "trk,est");
        assert!(stage.reaches(&moved, "tap1") && moved.end().contains("commit"), "{}", moved.told);
    }
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

/// A connection between two ports of one hypervisor that the rules of the server let in.
struct Web(Stage);

impl Web {
    const CLIENT: &str = "10.0.0.14";
    const SERVER: &str = "10.0.0.11";

    /// Packets there and back, of a connection to a port with this label.
    fn packets(&self, port: u16, label: &str) -> [Trace; 2] {
        let of = tuple(Self::CLIENT, Self::SERVER, &format!("ct_nw_proto=6,ct_tp_src=40000,ct_tp_dst={port}"));
        let there = self.0.packet("tap3", "tcp", Self::CLIENT, Self::SERVER);
        let back = self.0.packet("tap1", "tcp", Self::SERVER, Self::CLIENT);
        [
            self.0.on(&format!("{there},tcp_src=40000,tcp_dst={port}"), &format!("{of},{label}"), "trk,est"),
            self.0.on(&format!("{back},tcp_src={port},tcp_dst=40000"), &format!("{of},{label}"), "trk,est,rpl"),
        ]
    }

    fn label(&self) -> String {
        self.0.label(Self::CLIENT, Self::SERVER)
    }

    /// Whether both packets pass, or neither of them.
    fn passes(&self, [there, back]: &[Trace; 2]) -> bool {
        let passes = self.0.reaches(there, "tap1");
        assert_eq!(passes, self.0.reaches(back, "tap3"), "{} {}", there.told, back.told);
        assert_eq!((!passes, !passes), (there.drops(), back.drops()), "{} {}", there.told, back.told);
        passes
    }
}

#[test]
fn a_connection_that_was_allowed_is_not_judged_again_until_a_rule_goes_which_takes_its_own_with_it() {
    let more = [
        "rule web egress v4",
        "port client blue host=host1 ip=10.0.0.14",
        "plug client host1 3",
        "rule web ingress v4 tcp 80",
    ];
    let web = Web(Stage::with("rule_removed", &more));
    let before = web.label();
    let known = web.packets(80, &before);
    assert!(web.passes(&known));
    for trace in &known {
        let megaflow = trace.megaflows.last().expect("a pass");
        assert!(["tp_", "nw_src=", "reg"].iter().all(|field| !megaflow.contains(field)), "{megaflow}");
        assert!(!trace.end().contains("commit"), "{}", trace.told);
    }
    let web = Web(web.0.then("rule_removed", &[&more[..], &["unrule web ingress v4 tcp 80"]].concat()));
    assert_ne!(before, web.label());
    assert!(!web.passes(&web.packets(80, &before)));
    // What other rules allow is judged until there is a reply, and has the new label from then on.
    let others = web.packets(443, &before);
    assert!(web.passes(&others));
    let [there, back] = others.each_ref().map(Trace::end);
    assert!(!there.contains("commit") && back.contains("commit"), "{there} {back}");
    assert!(!web.packets(443, &web.label()).iter().any(|trace| trace.end().contains("commit")));
}

#[test]
fn of_what_begins_a_switch_looks_at_no_more_bits_than_it_needs() {
    let more = ["rule web egress v4", "port client blue host=host1 ip=10.0.0.14", "plug client host1 3"];
    let stage = Stage::with("rule_removed", &more);
    let of = tuple("10.0.0.14", "10.0.0.11", "ct_nw_proto=6,ct_tp_src=40000,ct_tp_dst=40001");
    let question = format!("{},tcp_src=40000,tcp_dst=40001", stage.packet("tap3", "tcp", "10.0.0.14", "10.0.0.11"));
    let refused = stage.on(&question, &of, "trk,new");
    let megaflow = refused.megaflows.last().expect("a pass");
    assert!(refused.drops() && megaflow.contains("tp_dst=0x8000/0x8000"), "{megaflow}");
    assert!(!megaflow.contains("tp_src") && !megaflow.contains("ct_tp"), "{megaflow}");
}

#[test]
fn fragments_are_judged_by_the_connection_since_they_show_no_ports() {
    let more = ["rule web egress v4", "port client blue host=host1 ip=10.0.0.14", "plug client host1 3"];
    let stage = Stage::with("rule_removed", &more);
    let passes = |kind: &str, protocol: u8, ports: [u16; 2]| {
        let fragment =
            format!("{},nw_proto={protocol},nw_frag={kind}", stage.packet("tap3", "ip", "10.0.0.14", "10.0.0.11"));
        let ports = format!("ct_nw_proto={protocol},ct_tp_src={},ct_tp_dst={}", ports[0], ports[1]);
        let trace = stage.on(&fragment, &tuple("10.0.0.14", "10.0.0.11", &ports), "trk,new");
        assert_ne!(stage.reaches(&trace, "tap1"), trace.drops(), "{}", trace.told);
        !trace.drops()
    };
    assert!(passes("first", 6, [40000, 443]) && !passes("first", 6, [40000, 80]));
    // Of later ones conntrack may tell the ports or not.
    assert!(passes("later", 6, [40000, 443]) && !passes("later", 6, [40000, 80]));
    assert!(passes("later", 6, [0, 0]) && !passes("later", 17, [0, 0]) && !passes("first", 6, [0, 0]));
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
        assert_eq!((trace.zone(), trace.asked(0x1)), (Some("1"), 0), "{}", trace.told);
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
    assert_eq!((trace.lookups(), trace.asked(0x1), trace.asked(0x1000001)), (1, 1, 3), "{}", trace.told);
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
