//! Packets that security groups are asked about.

use super::Stage;

const WEB: &str = "aa:00:00:00:00:01";
const DB: &str = "aa:00:00:00:00:02";
const EVERYBODY: &str = "01:00:5e:00:00:01";

/// What conntrack remembers of a connection's first packet.
fn tuple(source: &str, destination: &str, ports: &str) -> String {
    format!("ct_state=trk|est,ct_nw_src={source},ct_nw_dst={destination},{ports}")
}

#[test]
fn multicast_passes_the_senders_rules_once_and_the_receivers_for_each_copy() {
    let more = ["port cache blue host=host1 ip=10.0.0.14,fd00::14", "plug cache host1 3"];
    let stage = Stage::with("dual_stack", &more);
    let packet = format!("in_port=tap1,udp,dl_src={WEB},dl_dst={EVERYBODY},nw_src=10.0.0.11,nw_dst=224.0.0.1");
    let packet = format!("{packet},{}", tuple("10.0.0.11", "224.0.0.1", "ct_nw_proto=17"));
    let trace = stage.trace(&packet, "trk,new");
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
