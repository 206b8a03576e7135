//! A mirror kept by updates is the mirror of a fresh dump, and its facts tell the difference.

use crate::database::Database;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use uuid::Uuid;
use weir_ovsdb::{
    BridgeMapping, BridgeNames, Change, Datum, Fact, HostProblem, InterfaceFact, InterfaceProblem, Mirror, MirrorError,
    Row, RowChange,
};

const PORT: &str = "2f1c4c2e-5b43-4b8e-8e53-6c1d8e0a7f11";

fn mirror_of(database: &Database) -> Mirror {
    let mut mirror = Mirror::new(BridgeNames::default());
    mirror.replace(&database.dump()).expect("a dump");
    mirror
}

/// One step in the life of a database.
#[derive(Clone, Debug)]
enum Step {
    AddBridge(u8),
    DeleteBridge(u8),
    /// Adds an interface in a port of the same name.
    Plug {
        bridge: u8,
        name: u8,
        iface: u8,
    },
    Unplug(u8),
    /// Takes a port from its bridge to another one.
    Move {
        name: u8,
        bridge: u8,
    },
    /// Deletes a port and makes one of the same name within one transaction.
    Replug(u8),
    SetIface {
        name: u8,
        iface: u8,
    },
    SetOfport {
        name: u8,
        ofport: i64,
    },
    SetLink {
        name: u8,
        up: bool,
    },
    SetHost {
        key: u8,
        value: u8,
    },
    SetDatapathId {
        bridge: u8,
        value: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let bridge = 0_u8..3;
    let name = 0_u8..5;
    prop_oneof![
        bridge.clone().prop_map(Step::AddBridge),
        bridge.clone().prop_map(Step::DeleteBridge),
        (bridge.clone(), name.clone(), 0_u8..4).prop_map(|(bridge, name, iface)| Step::Plug { bridge, name, iface }),
        name.clone().prop_map(Step::Unplug),
        (name.clone(), bridge.clone()).prop_map(|(name, bridge)| Step::Move { name, bridge }),
        name.clone().prop_map(Step::Replug),
        (name.clone(), 0_u8..4).prop_map(|(name, iface)| Step::SetIface { name, iface }),
        (name.clone(), -1_i64..3).prop_map(|(name, ofport)| Step::SetOfport { name, ofport }),
        (name, any::<bool>()).prop_map(|(name, up)| Step::SetLink { name, up }),
        (0_u8..3, 0_u8..4).prop_map(|(key, value)| Step::SetHost { key, value }),
        (bridge, 0_u8..3).prop_map(|(bridge, value)| Step::SetDatapathId { bridge, value }),
    ]
}

fn bridge_name(number: u8) -> &'static str {
    ["br-int", "br-tun", "br-ex"][usize::from(number)]
}

fn iface(number: u8) -> Datum {
    match number {
        0 => Datum::empty_map(),
        1 => Datum::map([("iface-id", "bogus"), ("attached-mac", "xx")]),
        2 => Datum::map([("iface-id", PORT), ("attached-mac", "fa:16:3e:00:00:01")]),
        _ => Datum::map([("iface-id", "2f1c4c2e-5b43-4b8e-8e53-6c1d8e0a7f12")]),
    }
}

fn without(database: &mut Database, table: &str, column: &'static str, part: Uuid) {
    let owners: Vec<(Uuid, Row)> = database.table(table).map(|(uuid, row)| (uuid, row.clone())).collect();
    for (owner, row) in owners {
        let parts = row.uuids(column).expect("a set");
        let kept = parts.into_iter().filter(|uuid| *uuid != part);
        database.set(table, owner, column, Datum::set(kept));
    }
}

fn with(database: &mut Database, table: &str, owner: Uuid, column: &'static str, part: Uuid) {
    let (_, row) = database.table(table).find(|(uuid, _)| *uuid == owner).expect("a row");
    let mut parts = row.uuids(column).expect("a set");
    parts.insert(part);
    database.set(table, owner, column, Datum::set(parts));
}

fn plug(database: &mut Database, bridge: Uuid, name: &str, ids: Datum) {
    let interface = Row::new().with("name", name).with("external_ids", ids);
    let interface = database.put("Interface", interface);
    let port = Row::new().with("name", name).with("interfaces", interface);
    let port = database.put("Port", port);
    with(database, "Bridge", bridge, "ports", port);
}

fn carry_out(database: &mut Database, step: &Step) {
    let port_name = |number: u8| format!("tap{number}");
    let interface =
        |database: &Database, number: u8| database.named("Interface", &port_name(number)).map(|(uuid, _)| uuid);
    let root = database.root();
    match step {
        Step::AddBridge(number) => {
            let name = bridge_name(*number);
            if database.named("Bridge", name).is_none() {
                let bridge = database.put("Bridge", Row::new().with("name", name));
                with(database, "Open_vSwitch", root, "bridges", bridge);
            }
        }
        Step::DeleteBridge(number) => {
            if let Some((bridge, _)) = database.named("Bridge", bridge_name(*number)) {
                without(database, "Open_vSwitch", "bridges", bridge);
            }
        }
        Step::Plug { bridge, name, iface: ids } => {
            let bridge = database.named("Bridge", bridge_name(*bridge)).map(|(uuid, _)| uuid);
            if let (Some(bridge), None) = (bridge, interface(database, *name)) {
                plug(database, bridge, &port_name(*name), iface(*ids));
            }
        }
        Step::Unplug(name) => {
            if let Some((port, _)) = database.named("Port", &port_name(*name)) {
                without(database, "Bridge", "ports", port);
            }
        }
        Step::Move { name, bridge } => {
            let port = database.named("Port", &port_name(*name)).map(|(uuid, _)| uuid);
            let bridge = database.named("Bridge", bridge_name(*bridge)).map(|(uuid, _)| uuid);
            if let (Some(port), Some(bridge)) = (port, bridge) {
                without(database, "Bridge", "ports", port);
                with(database, "Bridge", bridge, "ports", port);
            }
        }
        Step::Replug(name) => {
            let port = database.named("Port", &port_name(*name)).map(|(uuid, _)| uuid);
            let bridge = database.table("Bridge").map(|(uuid, _)| uuid).next();
            if let (Some(port), Some(bridge)) = (port, bridge) {
                without(database, "Bridge", "ports", port);
                database.collect_garbage();
                plug(database, bridge, &port_name(*name), iface(2));
            }
        }
        Step::SetIface { name, iface: ids } => {
            if let Some(uuid) = interface(database, *name) {
                database.set("Interface", uuid, "external_ids", iface(*ids));
            }
        }
        Step::SetOfport { name, ofport } => {
            if let Some(uuid) = interface(database, *name) {
                let value = Datum::optional((*ofport != 0).then_some(*ofport));
                database.set("Interface", uuid, "ofport", value);
            }
        }
        Step::SetLink { name, up } => {
            if let Some(uuid) = interface(database, *name) {
                let state = if *up { "up" } else { "down" };
                database.set("Interface", uuid, "link_state", state.into());
            }
        }
        Step::SetHost { key, value } => {
            let key = ["hostname", "weir-encap-ip", "weir-bridge-mappings"][usize::from(*key)];
            let value = ["", "192.0.2.1", "a:b,c", "fd00::1"][usize::from(*value)];
            database.set("Open_vSwitch", root, "external_ids", Datum::map([(key, value)]));
        }
        Step::SetDatapathId { bridge, value } => {
            if let Some((bridge, _)) = database.named("Bridge", bridge_name(*bridge)) {
                let value = [None, Some("00000000000000ff"), Some("odd")][usize::from(*value)];
                database.set("Bridge", bridge, "datapath_id", Datum::optional(value));
            }
        }
    }
    database.collect_garbage();
}

/// Keeps a view of the interfaces from facts alone.
fn follow(view: &mut BTreeMap<String, InterfaceFact>, facts: &[Fact]) {
    for fact in facts {
        match fact {
            Fact::Host(_) => {}
            Fact::Appeared(after) => {
                assert_eq!(view.insert(after.name.clone(), after.clone()), None);
            }
            Fact::Changed { before, after } => {
                assert_ne!(before, after);
                let known = view.insert(after.name.clone(), after.clone());
                assert_eq!(known.as_ref(), Some(before));
            }
            Fact::Vanished(before) => {
                assert_eq!(view.remove(&before.name).as_ref(), Some(before));
            }
        }
    }
}

proptest! {
    #[test]
    fn updates_lead_where_a_fresh_dump_leads(
        batches in vec(vec(step(), 1..6), 1..30),
        reverse in any::<bool>(),
    ) {
        let mut database = Database::with_root(Row::new());
        let mut kept = mirror_of(&database);
        let first = kept.clone();
        let mut view = BTreeMap::new();
        let mut host = kept.host().cloned();
        for steps in &batches {
            let before = database.rows.clone();
            for step in steps {
                carry_out(&mut database, step);
            }
            let mut updates = database.updates_from(&before);
            if reverse {
                updates.reverse();
            }
            let facts = kept.apply(&updates).expect("updates that fit");
            follow(&mut view, &facts);
            for fact in facts {
                if let Fact::Host(after) = fact {
                    prop_assert_ne!(host.as_ref(), Some(&after));
                    host = Some(after);
                }
            }
            let fresh = mirror_of(&database);
            prop_assert_eq!(&kept, &fresh);
            prop_assert_eq!(host.as_ref(), fresh.host());
            prop_assert!(view.values().eq(fresh.interface_facts()));
        }
        // Coming back after all that tells the same difference at once.
        let mut view = first.interface_facts().map(|fact| (fact.name.clone(), fact.clone())).collect();
        let mut returned = first;
        follow(&mut view, &returned.replace(&database.dump()).expect("a dump"));
        prop_assert_eq!(&returned, &kept);
        prop_assert!(view.values().eq(kept.interface_facts()));
        prop_assert_eq!(returned.replace(&database.dump()), Ok(Vec::new()));
    }
}

fn host_with(ids: &[(&str, &str)]) -> weir_ovsdb::HostFact {
    let ids = Datum::map(ids.iter().copied());
    let database = Database::with_root(Row::new().with("external_ids", ids));
    mirror_of(&database).host().expect("a host").clone()
}

#[test]
fn a_host_is_read_with_its_problems() {
    let host = host_with(&[
        ("hostname", "compute-1"),
        ("system-id", "f00"),
        ("weir-encap-ip", "fd00::1"),
        ("weir-datapath-type", "netdev"),
        ("weir-bridge-mappings", "physnet2:br-b, physnet1:br-a"),
    ]);
    assert_eq!(host.name(), Some("compute-1"));
    assert_eq!(host.encap_ip, "fd00::1".parse().ok());
    assert_eq!(host.datapath_type.as_deref(), Some("netdev"));
    let mapping =
        |network: &str, bridge: &str| BridgeMapping { physical_network: network.to_owned(), bridge: bridge.to_owned() };
    assert_eq!(host.bridge_mappings, [mapping("physnet1", "br-a"), mapping("physnet2", "br-b")]);
    assert_eq!(host.problems, []);

    assert_eq!(host_with(&[]).problems, [HostProblem::NoName, HostProblem::NoEncapIp]);
    for text in ["x", "192.0.2", "0.0.0.0", "239.1.1.1", "255.255.255.255", "::", "ff02::1", "192.0.2.1/24"] {
        let host = host_with(&[("system-id", "f"), ("weir-encap-ip", text)]);
        assert_eq!(host.encap_ip, None);
        assert_eq!(host.name(), Some("f"));
        assert_eq!(host.problems, [HostProblem::BadEncapIp(text.to_owned())]);
    }
    let mappings = "a:b,a:c,:d,e,f:,g:h:i,,j:k";
    let host = host_with(&[("hostname", "h"), ("weir-encap-ip", "192.0.2.1"), ("weir-bridge-mappings", mappings)]);
    assert_eq!(host.bridge_mappings, [mapping("a", "b"), mapping("j", "k")]);
    let bad = |text: &str| HostProblem::BadBridgeMapping(text.to_owned());
    assert_eq!(
        host.problems,
        [HostProblem::DoubleBridgeMapping("a".to_owned()), bad(":d"), bad("e"), bad("f:"), bad("g:h:i")]
    );
    assert_eq!(host.problems[1].to_string(), "external_ids:weir-bridge-mappings has ':d', which is not NETWORK:BRIDGE");

    let mut empty = Mirror::default();
    let facts = empty.replace(&[]).expect("an empty dump");
    assert!(matches!(&facts[..], [Fact::Host(host)] if host.problems == [HostProblem::NoRoot]));
}

#[test]
fn an_interface_is_read_with_its_problems() {
    let mut database = Database::with_root(Row::new());
    let root = database.root();
    let bridge = database.put("Bridge", Row::new().with("name", "br-other"));
    with(&mut database, "Open_vSwitch", root, "bridges", bridge);
    let ids = Datum::map([
        ("iface-id", "{2f1c4c2e-5b43-4b8e-8e53-6c1d8e0a7f11}"),
        ("attached-mac", "fa:16:3e:0:0:1"),
        ("vm-id", "instance-1"),
    ]);
    plug(&mut database, bridge, "tap0", ids);
    let (tap, _) = database.named("Interface", "tap0").expect("plugged");
    database.set("Interface", tap, "ofport", Datum::from(-1_i64));
    database.set("Interface", tap, "error", Datum::from("could not open tap0"));
    database.set("Interface", tap, "admin_state", Datum::from("down"));
    let mirror = mirror_of(&database);
    let facts: Vec<&InterfaceFact> = mirror.interface_facts().collect();
    assert_eq!(facts.len(), 1);
    let fact = facts[0];
    assert_eq!(fact.iface_id, None);
    assert_eq!(fact.attached_mac, None);
    assert_eq!(fact.vm_uuid.as_deref(), Some("instance-1"));
    assert_eq!(fact.ofport, None);
    assert_eq!(fact.state.admin_up, Some(false));
    assert_eq!(fact.state.link_up, None);
    assert!(!fact.on_integration);
    assert_eq!(
        fact.problems,
        [
            InterfaceProblem::BadIfaceId("{2f1c4c2e-5b43-4b8e-8e53-6c1d8e0a7f11}".to_owned()),
            InterfaceProblem::BadMac("fa:16:3e:0:0:1".to_owned()),
            InterfaceProblem::Failed("could not open tap0".to_owned()),
            InterfaceProblem::OtherBridge { found: "br-other".to_owned(), expected: "br-int".to_owned() },
        ]
    );
    assert_eq!(
        fact.to_string(),
        "interface tap0 on br-other; external_ids:iface-id is \
         '{2f1c4c2e-5b43-4b8e-8e53-6c1d8e0a7f11}', which is not the id of a port; \
         external_ids:attached-mac is 'fa:16:3e:0:0:1', which is not a MAC address; \
         ovs-vswitchd reports: could not open tap0; it is plugged into bridge br-other, not into br-int"
    );
}

#[test]
fn updates_that_do_not_fit_are_refused() {
    let uuid = Uuid::from_u128(77);
    let change = |table, change| RowChange { table, uuid, change };
    let apply = |changes: &[RowChange]| Mirror::default().apply(changes);
    let unknown = MirrorError::Unknown { table: "Port", uuid };
    assert_eq!(apply(&[change("Port", Change::Delete)]), Err(unknown.clone()));
    assert_eq!(apply(&[change("Port", Change::Modify(Row::new()))]), Err(unknown));
    let insert = change("Port", Change::Insert(Row::new()));
    assert_eq!(apply(&[insert.clone(), insert]), Err(MirrorError::Twice { table: "Port", uuid }));
    assert_eq!(apply(&[change("Mirror", Change::Delete)]), Err(MirrorError::Table("Mirror")));
    let wrong = change("Port", Change::Insert(Row::new().with("interfaces", "x")));
    assert_eq!(
        apply(&[wrong]).map_err(|error| error.to_string()),
        Err(format!("row {uuid} of table Port, column interfaces: expected a uuid, found a string"))
    );
}
