//! ML2/OVS: the flows that its agent with the Open vSwitch firewall writes for the same ports, as its documentation lays
//! them out, without the agent. What its router namespaces do is the kernel's work and not here.
//!
//! `br-int`: 0, 60 where from; 71 the sender's addresses, 72 its rules, 73 whether the receiver is here; 81 the
//! receiver's basics, 82 its rules; 94 on to the others. `br-tun`: 4 from the tunnel, 10 learn, 20 unicast, 22 flood.

use std::net::IpAddr;

use weir::cli::lab::{Hypervisor, Interrupt, Lab, Manager, Tool};

use super::layout::{ABSENT_MEMBERS, FIRST_ABSENT, Policy, Seat, address};
use super::rule::RULES;
use super::site::Site;
use crate::Failure;

/// What a VXLAN tunnel leaves of the underlay's 1,500 bytes.
const MTU: u16 = 1_450;

/// The conjunction of established connections from a group's members; the next number is that of new ones.
const MEMBERS: u8 = 8;

/// Lets a new connection be known.
const COMMIT: &str = "ct(commit,zone=NXM_NX_REG6[0..15])";

/// Established in the direction of its first packet, and new: a rule is written for both.
const STATES: [&str; 2] = ["+est-rel-rpl", "+new-est"];

/// Builds it.
///
/// # Errors
/// Open vSwitch or the lab fails.
pub fn build(interrupt: &Interrupt) -> Result<Site, Failure> {
    let mut lab = Site::lab("ml2", Manager::None, interrupt)?;
    let [one, other] = lab.state().hypervisors.as_slice() else { return Err("a site has two hypervisors".into()) };
    for (hypervisor, peer) in [(one, other), (other, one)] {
        let remote = format!("options:remote_ip={}", peer.tunnel_address());
        for bridge in ["br-int", "br-tun"] {
            hypervisor.vsctl(["add-br", bridge, "--", "set", "Bridge", bridge, "datapath_type=netdev"])?;
            hypervisor.vsctl(["set", "Bridge", bridge, "fail_mode=secure"])?;
        }
        for (bridge, port, its_peer) in [("br-int", "patch-tun", "patch-int"), ("br-tun", "patch-int", "patch-tun")] {
            let peer = format!("options:peer={its_peer}");
            hypervisor.vsctl(["add-port", bridge, port, "--", "set", "Interface", port, "type=patch", &peer])?;
        }
        hypervisor.vsctl(["add-port", "br-tun", "vxlan"])?;
        hypervisor.vsctl(["set", "Interface", "vxlan", "type=vxlan", &remote, "options:key=flow"])?;
    }
    for policy in Policy::ALL {
        for seat in Seat::all() {
            let vm = lab.boot(&seat.vm_name(policy), seat.host, seat.guest(policy, MTU))?;
            let tag = format!("tag={}", tag(policy, seat.network));
            lab.host(seat.host)?.vsctl(["set", "Port", &vm.tap(), &tag])?;
        }
    }
    for hypervisor in &lab.state().hypervisors {
        write(&lab, hypervisor)?;
    }
    Site::open("ML2/OVS", lab, |policy, course| {
        (!course.is_routed()).then(|| (Seat::CLIENT.vm_name(policy), course.server().vm_name(policy)))
    })
}

/// The local VLAN of a network, its conntrack zone, and its VNI.
fn tag(policy: Policy, network: u8) -> u8 {
    2 * policy.number() + network + 1
}

/// Writes the flows of a hypervisor.
fn write(lab: &Lab, hypervisor: &Hypervisor) -> Result<(), Failure> {
    let mut integration: Vec<String> = [
        "table=0,priority=0 actions=resubmit(,60)",
        "table=60,priority=0 actions=NORMAL",
        "table=71,priority=110,ct_state=+trk actions=ct_clear,resubmit(,71)",
        "table=72,priority=50,ct_state=+inv+trk actions=drop",
        "table=82,priority=50,ct_state=+inv+trk actions=drop",
        "table=94,priority=0 actions=NORMAL",
    ]
    .map(str::to_owned)
    .into();
    let number = |port: &str| hypervisor.vsctl(["get", "Interface", port, "ofport"]).map(|text| text.trim().to_owned());
    for policy in [Policy::DefaultGroup, Policy::Rules] {
        for seat in Seat::all().filter(|seat| seat.host == hypervisor.name()) {
            let port = number(&lab.vm(&seat.vm_name(policy))?.tap())?;
            protect(&mut integration, policy, seat, &port);
            let ingress = ingress(policy, &port);
            integration.extend(ingress.into_iter().map(|flow| format!("table=82,{flow}")));
        }
    }
    for member in members() {
        let zone = tag(Policy::DefaultGroup, 0);
        for (state, conjunction) in STATES.iter().zip(MEMBERS..) {
            integration.push(format!(
                "table=82,priority=71,ct_state={state},ip,reg6={zone},nw_src={member} actions=conjunction({conjunction},1/2)"
            ));
        }
    }
    add_flows(hypervisor, "br-int", &integration)?;
    add_flows(hypervisor, "br-tun", &tunnel(&number("patch-int")?, &number("vxlan")?))
}

fn add_flows(hypervisor: &Hypervisor, bridge: &str, flows: &[String]) -> Result<(), Failure> {
    Tool::new("ovs-ofctl")
        .args(["-O", "OpenFlow15", "--bundle", "add-flows"])
        .arg(format!("unix:{}", hypervisor.bridge_socket(bridge).display()))
        .arg("-")
        .input(flows.join("\n"))
        .run()?;
    Ok(())
}

/// The addresses of the default group's members.
fn members() -> impl Iterator<Item = IpAddr> {
    let absent = (0..ABSENT_MEMBERS).map(|number| address(Policy::DefaultGroup, 0, FIRST_ABSENT + number));
    Seat::all().map(|seat| seat.address(Policy::DefaultGroup)).chain(absent)
}

/// What a port with port security has whatever its group is, with rules that let everything out.
fn protect(flows: &mut Vec<String>, policy: Policy, seat: Seat, port: &str) {
    let zone = tag(policy, seat.network);
    let guest = seat.guest(policy, MTU);
    let (mac, ip) = (guest.mac, seat.address(policy));
    let load = format!("set_field:{port}->reg5,set_field:{zone}->reg6");
    flows.extend([
        format!("table=60,priority=100,in_port={port} actions={load},resubmit(,71)"),
        format!("table=60,priority=90,dl_vlan={zone},dl_dst={mac} actions={load},pop_vlan,resubmit(,81)"),
        format!("table=71,priority=95,arp,reg5={port},in_port={port},dl_src={mac},arp_spa={ip} actions=resubmit(,94)"),
        format!("table=71,priority=80,udp,reg5={port},in_port={port},tp_src=68,tp_dst=67 actions=resubmit(,73)"),
        format!("table=71,priority=70,udp,reg5={port},in_port={port},tp_src=67,tp_dst=68 actions=drop"),
        format!(
            "table=71,priority=65,ip,reg5={port},in_port={port},dl_src={mac},nw_src={ip} \
             actions=ct(table=72,zone=NXM_NX_REG6[0..15])"
        ),
        format!("table=73,priority=100,reg6={zone},dl_dst={mac} actions=set_field:{port}->reg5,resubmit(,81)"),
        format!("table=73,priority=90,ct_state=+new-est,ip,reg5={port} actions={COMMIT},resubmit(,94)"),
        format!("table=73,priority=80,reg5={port} actions=resubmit(,94)"),
        format!("table=81,priority=100,arp,reg5={port} actions=output:{port}"),
        format!("table=81,priority=95,udp,reg5={port},tp_src=67,tp_dst=68 actions=output:{port}"),
        format!("table=81,priority=90,ct_state=-trk,ip,reg5={port} actions=ct(table=82,zone=NXM_NX_REG6[0..15])"),
        format!("table=81,priority=80,ct_state=+trk,reg5={port} actions=resubmit(,82)"),
    ]);
    flows.extend(
        STATES.map(|state| format!("table=72,priority=73,ct_state={state},ip,reg5={port} actions=resubmit(,73)")),
    );
    // What is established already, its replies and errors pass, unless its mark says that no rule lets it any more.
    for (table, onward) in [(72, "resubmit(,94)".to_owned()), (82, format!("output:{port}"))] {
        let marked = "exec(set_field:1->ct_mark)";
        flows.extend([
            format!("table={table},priority=50,ct_mark=1,reg5={port} actions=drop"),
            format!("table={table},priority=50,ct_state=+est-rel+rpl,ct_zone={zone},ct_mark=0,reg5={port} actions={onward}"),
            format!("table={table},priority=50,ct_state=-new-est+rel-inv,ct_zone={zone},ct_mark=0,reg5={port} actions={onward}"),
            format!("table={table},priority=40,ct_state=-est,reg5={port} actions=drop"),
            format!("table={table},priority=40,ct_state=+est,ip,reg5={port} actions=ct(commit,zone=NXM_NX_REG6[0..15],{marked})"),
        ]);
    }
}

/// The flows of table 82 for a port's ingress rules.
fn ingress(policy: Policy, port: &str) -> Vec<String> {
    let accept = [format!("output:{port}"), format!("{COMMIT},output:{port}")];
    let mut flows = Vec::new();
    for ((state, accept), conjunction) in STATES.iter().zip(accept).zip(MEMBERS..) {
        if policy == Policy::DefaultGroup {
            flows.push(format!("priority=71,ct_state={state},ip,reg5={port} actions=conjunction({conjunction},2/2)"));
            flows.push(format!("priority=71,conj_id={conjunction},ct_state={state},ip,reg5={port} actions={accept}"));
            continue;
        }
        for rule in &RULES {
            let prefix = rule.prefix.map(|prefix| format!(",nw_src={prefix}")).unwrap_or_default();
            let condition = format!("priority=77,ct_state={state},{},reg5={port}{prefix}", rule.protocol);
            match rule.ports {
                None => flows.push(format!("{condition} actions={accept}")),
                Some((first, last)) => flows.extend(
                    masked(first, last)
                        .into_iter()
                        .map(|(value, mask)| format!("{condition},tp_dst={value:#x}/{mask:#x} actions={accept}")),
                ),
            }
        }
    }
    flows
}

/// A range of ports as values with masks.
fn masked(first: u16, last: u16) -> Vec<(u16, u16)> {
    let (mut next, end) = (u32::from(first), u32::from(last) + 1);
    let mut out = Vec::new();
    while next < end {
        // The largest block that begins here and does not go beyond the end.
        let aligned = if next == 0 { 1 << 16 } else { next & next.wrapping_neg() };
        let fitting = 1 << (end - next).ilog2();
        let size = aligned.min(fitting);
        out.push((next as u16, (0x1_0000 - size) as u16));
        next += size;
    }
    out
}

/// The flows of br-tun.
fn tunnel(patch: &str, vxlan: &str) -> Vec<String> {
    let mut flows = vec![
        format!("table=0,priority=1,in_port={patch} actions=resubmit(,2)"),
        format!("table=0,priority=1,in_port={vxlan} actions=resubmit(,4)"),
        "table=2,priority=0,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=resubmit(,20)".to_owned(),
        "table=2,priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=resubmit(,22)".to_owned(),
        format!(
            "table=10,priority=1 actions=learn(table=20,hard_timeout=300,priority=1,NXM_OF_VLAN_TCI[0..11],\
             NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],\
             output:OXM_OF_IN_PORT[]),output:{patch}"
        ),
        "table=20,priority=0 actions=resubmit(,22)".to_owned(),
    ];
    for policy in Policy::ALL {
        for network in [0, 1] {
            let tag = tag(policy, network);
            flows.push(format!(
                "table=4,priority=1,tun_id={tag} actions=push_vlan:0x8100,set_field:{vlan}->vlan_vid,resubmit(,10)",
                vlan = 0x1000 | u16::from(tag)
            ));
            flows.push(format!(
                "table=22,priority=1,dl_vlan={tag} actions=pop_vlan,set_field:{tag}->tun_id,output:{vxlan}"
            ));
        }
    }
    flows
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn masks_cover_a_range_and_nothing_else() {
        for (first, last) in [(0, u16::MAX), (5_000, 5_999), (22, 22), (1, 65_534), (65_535, 65_535)] {
            let masks = masked(first, last);
            for port in 0..=u16::MAX {
                let covering = masks.iter().filter(|(value, mask)| port & mask == *value).count();
                assert_eq!(covering, usize::from((first..=last).contains(&port)), "{port} of {first}-{last}");
            }
        }
    }
}
