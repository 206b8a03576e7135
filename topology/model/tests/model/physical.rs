//! Hypervisors and interfaces.

use crate::cloud::{Cloud, fact, host, prt};
use std::net::IpAddr;
use weir_model::{BridgeMapping, Change, Command, HostKey, Liveness, Outcome, PortPatch, PortStatus, Vif, VifType};

fn vif(name: &str, port: u128, ofport: u32) -> Vif {
    Vif { host: host(name), port: prt(port), interface: format!("tap{port}"), ofport }
}

#[test]
fn a_hypervisor_keeps_its_number_and_what_was_known() {
    let mut cloud = Cloud::default();
    let mut seen = fact("h1", 1);
    seen.integration_datapath = Some(7);
    cloud.done(Command::ObserveHypervisor(seen));
    cloud.hypervisor("h2", 2);
    let mut again = fact("h1", 1);
    again.tunnel_datapath = Some(8);
    let mapping = BridgeMapping { physical_network: "physnet1".into(), bridge: "br-ex".into() };
    again.bridge_mappings = vec![mapping.clone()];
    cloud.done(Command::ObserveHypervisor(again.clone()));
    let one = cloud.topology.hypervisor(&host("h1")).expect("seen").clone();
    assert_eq!(one.key, HostKey(1));
    assert_eq!((one.integration_datapath, one.tunnel_datapath), (Some(7), Some(8)));
    assert_eq!(one.bridge_mappings, [mapping]);
    again.integration_datapath = Some(7);
    cloud.done(Command::ObserveHypervisor(again));
    assert!(cloud.commit.changes.is_empty());
    let topology = &cloud.topology;
    assert_eq!(topology.hypervisor_by_key(HostKey(1)), Some(&one));
    assert_eq!(topology.hypervisor_by_name_or_system_id("h1"), Some(&one));
    assert_eq!(topology.hypervisor_by_name_or_system_id("id-of-h1"), Some(&one));
    assert_eq!(topology.hypervisor_by_encap_ip(IpAddr::from([192, 0, 2, 1])), Some(&one));
    cloud.done(Command::ForgetHypervisor(host("h2")));
    cloud.hypervisor("h3", 3);
    let three = cloud.topology.hypervisor(&host("h3")).expect("seen");
    assert_eq!(three.key, HostKey(3), "a freed number is not given again at once");
}

#[test]
fn two_hypervisors_do_not_go_by_one_name_or_endpoint() {
    let mut cloud = Cloud::default();
    cloud.hypervisor("h1", 1);
    let mut same_name = fact("h1", 2);
    same_name.system_id = "other".into();
    assert_eq!(
        cloud.refused(Command::ObserveHypervisor(same_name)),
        (
            "HypervisorNameInUse",
            409,
            "Hypervisor h1 with system-id other is refused: h1 already goes by that name or \
             system-id. Give it another, or remove h1 first."
                .to_owned()
        )
    );
    let mut crossed = fact("id-of-h1", 2);
    crossed.system_id = "other".into();
    assert_eq!(cloud.refused(Command::ObserveHypervisor(crossed)).0, "HypervisorNameInUse");
    assert_eq!(
        cloud.refused(Command::ObserveHypervisor(fact("h2", 1))),
        (
            "EncapIpInUse",
            409,
            "Hypervisor h2 is refused: its weir-encap-ip 192.0.2.1 is already that of h1. Give it \
             another, or remove h1 first."
                .to_owned()
        )
    );
    let mut nowhere = fact("h2", 2);
    nowhere.encap_ip = IpAddr::from([0, 0, 0, 0]);
    assert_eq!(
        cloud.refused(Command::ObserveHypervisor(nowhere)),
        (
            "InvalidInput",
            400,
            "Invalid input for operation: weir-encap-ip 0.0.0.0 of hypervisor h2 is no host's \
             address."
                .to_owned()
        )
    );
    assert_eq!(cloud.refused(Command::ObserveHypervisor(fact("", 2))).0, "InvalidInput");
}

#[test]
fn a_renamed_hypervisor_keeps_number_interfaces_and_liveness() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    cloud.hypervisor("old", 1);
    let mut by_name = cloud.new_port(network);
    by_name.binding_host = Some(host("old"));
    let by_name = cloud.create_port(by_name);
    let mut by_id = cloud.new_port(network);
    by_id.binding_host = Some(host("id-of-old"));
    let by_id = cloud.create_port(by_id);
    cloud.done(Command::SetPortStatus(vec![(by_name.id, PortStatus::Active), (by_id.id, PortStatus::Active)]));
    cloud.done(Command::ObserveVif(Vif { port: by_id.id, ..vif("old", 0, 5) }));
    cloud.done(Command::SetLiveness(host("old"), Liveness::Alive));
    let mut renamed = fact("new", 1);
    renamed.system_id = "id-of-old".into();
    cloud.done(Command::ObserveHypervisor(renamed));
    let topology = &cloud.topology;
    assert_eq!(topology.hypervisor(&host("old")), None);
    assert_eq!(topology.hypervisor(&host("new")).expect("renamed").key, HostKey(1));
    assert_eq!(topology.liveness(&host("new")), Liveness::Alive);
    assert_eq!(topology.liveness(&host("old")), Liveness::Gone);
    assert_eq!(topology.vif(by_id.id).map(|vif| vif.host.as_str()), Some("new"));
    assert_eq!(topology.vifs_on(&host("old")).count(), 0);
    let status = |port| topology.port(port).map(|port| port.status);
    assert_eq!(status(by_name.id), Some(PortStatus::Down), "nobody goes by that name now");
    assert_eq!(status(by_id.id), Some(PortStatus::Active));
    assert_eq!(topology.vif_type(&by_name), VifType::BindingFailed);
    let hosts: Vec<_> = topology.hosts_of(network).collect();
    assert_eq!(hosts, [(&host("new"), 1)]);
    let moved = cloud.commit.changes.iter().find_map(|change| match change {
        Change::Hypervisor(diff) => Some(diff.clone()),
        _ => None,
    });
    let moved = moved.expect("the change is told");
    let names = [moved.before, moved.after].map(|it| it.map(|it| it.name.clone()));
    assert_eq!(names, [Some(host("old")), Some(host("new"))]);
}

#[test]
fn a_forgotten_hypervisor_takes_its_facts_along() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    cloud.hypervisor("h1", 1);
    let mut new = cloud.new_port(network);
    new.binding_host = Some(host("h1"));
    let port = cloud.create_port(new);
    cloud.done(Command::SetPortStatus(vec![(port.id, PortStatus::Build)]));
    cloud.done(Command::ObserveVif(Vif { port: port.id, ..vif("h1", 0, 5) }));
    cloud.done(Command::SetLiveness(host("h1"), Liveness::Alive));
    assert_eq!(cloud.topology.networks_on(&host("h1")).collect::<Vec<_>>(), [(network, 1)]);
    cloud.done(Command::ForgetHypervisor(host("h1")));
    let topology = &cloud.topology;
    assert_eq!(topology.port(port.id).expect("stays").status, PortStatus::Down);
    assert_eq!(topology.vifs_of(port.id).count(), 0);
    assert_eq!(topology.hosts_of(network).count(), 0);
    assert_eq!(topology.networks_on(&host("h1")).count(), 0);
    assert_eq!(topology.liveness(&host("h1")), Liveness::Gone);
    let missing = ("HypervisorNotFound", 404, "Hypervisor h1 could not be found.".to_owned());
    assert_eq!(cloud.refused(Command::ForgetHypervisor(host("h1"))), missing);
    assert_eq!(cloud.refused(Command::ObserveVif(vif("h1", 1, 1))), missing);
    assert_eq!(cloud.refused(Command::SetLiveness(host("h1"), Liveness::Alive)), missing);
}

#[test]
fn an_interface_may_come_before_its_port_and_counts_where_the_port_is_bound() {
    let mut cloud = Cloud::default();
    cloud.hypervisor("h1", 1);
    cloud.hypervisor("h2", 2);
    cloud.done(Command::ObserveVif(vif("h1", 70, 5)));
    cloud.done(Command::ObserveVif(vif("h2", 70, 6)));
    assert_eq!(cloud.commit.changes[0].record(), None, "a fact, not a record");
    assert_eq!(cloud.topology.vif(prt(70)), None);
    assert_eq!(cloud.topology.vifs_of(prt(70)).count(), 2);
    let network = cloud.network();
    let mut new = cloud.new_port(network);
    new.id = prt(70);
    new.binding_host = Some(host("h2"));
    cloud.create_port(new);
    assert_eq!(cloud.topology.vif(prt(70)).map(|vif| vif.ofport), Some(6));
    let patch = PortPatch { binding_host: Some(Some(host("id-of-h1"))), ..PortPatch::default() };
    cloud.update_port(prt(70), patch);
    assert_eq!(cloud.topology.vif(prt(70)).map(|vif| vif.ofport), Some(5));
    cloud.done(Command::ObserveVif(vif("h1", 70, 9)));
    assert_eq!(cloud.topology.vifs_on(&host("h1")).count(), 1, "one of a port and host");
    assert_eq!(cloud.topology.vif(prt(70)).map(|vif| vif.ofport), Some(9));
    let forget = Command::ForgetVif { host: host("h1"), port: prt(70) };
    assert_eq!(cloud.done(forget.clone()), Outcome::Done);
    assert_eq!(cloud.topology.vif(prt(70)), None);
    cloud.done(forget);
    assert!(cloud.commit.changes.is_empty());
}
