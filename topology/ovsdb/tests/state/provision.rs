//! Plans: carried out once they leave nothing to do, and nothing of others' is touched.

use crate::database::{Database, Failed};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;
use weir_ovsdb::{BridgeNames, Datum, MARK, Mirror, Operation, Plan, Problem, Row, VXLAN, Wanted, plan, unprovision};

fn wanted() -> Wanted {
    Wanted {
        controller: "tcp:192.0.2.9:6653".to_owned(),
        inactivity_probe: Some(10_000),
        max_backoff: None,
        integration_tables: BTreeMap::from([(0, "classify".to_owned()), (5, "admission".to_owned())]),
        tunnel_tables: BTreeMap::from([(0, "classify".to_owned())]),
    }
}

fn mirror_of(database: &Database) -> Mirror {
    let mut mirror = Mirror::new(BridgeNames::default());
    mirror.replace(&database.dump()).expect("a dump");
    mirror
}

fn carry_out(database: &mut Database, plan: &Plan) {
    if !plan.is_empty() {
        let before = database.root_integer("next_cfg");
        let results = database.transact(&plan.operations).expect("it fits");
        assert_eq!(plan.next_cfg(&results), Some(before + 1));
    }
}

fn provision(database: &mut Database) {
    let plan = plan(&mirror_of(database), &wanted());
    carry_out(database, &plan);
}

impl Database {
    fn root_integer(&self, column: &str) -> i64 {
        let (_, root) = self.table("Open_vSwitch").next().expect("the root");
        root.integer(column).expect("an integer")
    }
}

fn host(ids: &[(&str, &str)]) -> Database {
    Database::with_root(
        Row::new()
            .with("external_ids", Datum::map(ids.iter().copied()))
            .with("datapath_types", Datum::set(["netdev", "system"])),
    )
}

const ENCAP: (&str, &str) = ("weir-encap-ip", "192.0.2.1");

/// A bridge with its own port and more.
fn add_bridge(database: &mut Database, bridge: Row, ports: &[(&str, &str)]) -> Uuid {
    let name = bridge.string("name").expect("a name").to_owned();
    let own = [(name.as_str(), "internal")];
    let ports: Vec<Uuid> = own
        .iter()
        .chain(ports)
        .map(|(name, kind)| {
            let interface = Row::new().with("name", *name).with("type", *kind);
            let interface = database.put("Interface", interface);
            let port = Row::new().with("name", *name).with("interfaces", interface);
            database.put("Port", port)
        })
        .collect();
    let bridge = database.put("Bridge", bridge.with("ports", Datum::set(ports)));
    let root = database.root();
    let (_, row) = database.table("Open_vSwitch").next().expect("the root");
    let mut bridges = row.uuids("bridges").expect("a set");
    bridges.insert(bridge);
    database.set("Open_vSwitch", root, "bridges", Datum::set(bridges));
    bridge
}

fn options(database: &Database, name: &str) -> BTreeMap<String, String> {
    let (_, row) = database.named("Interface", name).expect("an interface");
    let options = row.strings("options").expect("a map");
    options.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[test]
fn nothing_is_planned_without_a_root_row() {
    let mut mirror = Mirror::default();
    mirror.replace(&[]).expect("an empty dump");
    let plan = plan(&mirror, &wanted());
    assert!(plan.is_empty());
    assert_eq!(plan.problems, [Problem::NoRoot]);
    assert_eq!(unprovision(&mirror), Plan::default());
}

#[test]
fn the_tunnel_port_follows_the_tunnel_endpoint() {
    let mut database = host(&[]);
    let first = plan(&mirror_of(&database), &wanted());
    assert_eq!(first.problems, [Problem::NoEncapIp]);
    assert!(first.problems[0].is_severe());
    carry_out(&mut database, &first);
    assert_eq!(options(&database, VXLAN).get("local_ip"), None);
    for address in ["192.0.2.1", "fd00::1", "192.0.2.2"] {
        let root = database.root();
        let ids = Datum::map([("weir-encap-ip", address)]);
        database.set("Open_vSwitch", root, "external_ids", ids);
        let next = plan(&mirror_of(&database), &wanted());
        assert_eq!(next.explanation, ["correct the options of port weir-vxlan"]);
        carry_out(&mut database, &next);
        assert_eq!(options(&database, VXLAN)["local_ip"], address);
    }
    let root = database.root();
    database.set("Open_vSwitch", root, "external_ids", Datum::map([("weir-encap-ip", "none")]));
    let last = plan(&mirror_of(&database), &wanted());
    assert_eq!(last.problems, [Problem::NoEncapIp]);
    carry_out(&mut database, &last);
    let expected = BTreeMap::from([("key", "flow"), ("remote_ip", "flow")]);
    let found = options(&database, VXLAN);
    assert!(found.iter().map(|(k, v)| (k.as_str(), v.as_str())).eq(expected));
}

#[test]
fn a_datapath_type_that_does_not_exist_stops_the_plan() {
    let database = host(&[ENCAP, ("weir-datapath-type", "dpdk")]);
    let plan = plan(&mirror_of(&database), &wanted());
    assert!(plan.is_empty());
    let unsupported = Problem::UnsupportedDatapathType {
        wanted: "dpdk".to_owned(),
        supported: vec!["netdev".to_owned(), "system".to_owned()],
    };
    assert_eq!(plan.problems, [unsupported]);
    assert_eq!(
        plan.problems[0].to_string(),
        "external_ids:weir-datapath-type is 'dpdk', but ovs-vswitchd supports only: netdev, system"
    );
}

#[test]
fn the_datapath_type_changes_only_where_no_one_else_is_connected() {
    let netdev = [ENCAP, ("weir-datapath-type", "netdev")];
    let bridge = Row::new().with("name", "br-int");
    let mut alone = host(&netdev);
    add_bridge(&mut alone, bridge.clone(), &[]);
    let first = plan(&mirror_of(&alone), &wanted());
    assert_eq!(first.problems, []);
    carry_out(&mut alone, &first);
    for name in ["br-int", "br-tun"] {
        let (_, row) = alone.named("Bridge", name).expect("a bridge");
        assert_eq!(row.string("datapath_type"), Ok("netdev"));
    }

    let mut shared = host(&netdev);
    add_bridge(&mut shared, bridge.clone(), &[("vnet0", "")]);
    let first = plan(&mirror_of(&shared), &wanted());
    let differs =
        Problem::DatapathType { bridge: "br-int".to_owned(), found: "system".to_owned(), wanted: "netdev".to_owned() };
    assert_eq!(first.problems, [differs]);
    carry_out(&mut shared, &first);
    let (_, row) = shared.named("Bridge", "br-int").expect("a bridge");
    assert_eq!(row.string("datapath_type"), Ok(""));

    // Without a wish the tunnel bridge goes with the integration bridge.
    let mut free = host(&[ENCAP]);
    add_bridge(&mut free, bridge.with("datapath_type", "netdev"), &[("vnet0", "")]);
    let first = plan(&mirror_of(&free), &wanted());
    assert_eq!(first.problems, []);
    carry_out(&mut free, &first);
    let (_, row) = free.named("Bridge", "br-tun").expect("a bridge");
    assert_eq!(row.string("datapath_type"), Ok("netdev"));
}

#[test]
fn names_that_others_have_are_reported() {
    let mut database = host(&[ENCAP]);
    add_bridge(&mut database, Row::new().with("name", "br-ex"), &[("br-tun", "internal"), ("patch-tun", "patch")]);
    let first = plan(&mirror_of(&database), &wanted());
    let taken = |name: &str, purpose: &str| Problem::NameTaken {
        name: name.to_owned(),
        purpose: purpose.to_owned(),
        found: "a port of bridge br-ex".to_owned(),
    };
    assert_eq!(first.problems, [taken("patch-tun", "a port of type patch"), taken("br-tun", "a bridge")]);
    assert_eq!(
        first.problems[1].to_string(),
        "br-tun is needed for a bridge, but the name belongs to a port of bridge br-ex"
    );
    carry_out(&mut database, &first);
    assert!(database.named("Bridge", "br-int").is_some());
    assert!(database.named("Bridge", "br-tun").is_none());
}

#[test]
fn what_ovs_vswitchd_could_not_do_is_reported() {
    let mut database = host(&[ENCAP]);
    provision(&mut database);
    let (patch, _) = database.named("Interface", "patch-tun").expect("made");
    database.set("Interface", patch, "ofport", Datum::from(7_i64));
    let (vxlan, _) = database.named("Interface", VXLAN).expect("made");
    database.set("Interface", vxlan, "ofport", Datum::from(-1_i64));
    database.set("Interface", vxlan, "error", Datum::from("File exists"));
    let second = plan(&mirror_of(&database), &wanted());
    assert!(second.is_empty());
    let problems: Vec<String> = second.problems.iter().map(Problem::to_string).collect();
    assert_eq!(
        problems,
        [
            "port patch-tun has OpenFlow port number 7 instead of 65001",
            "port weir-vxlan could not be made: File exists",
        ]
    );
}

#[test]
fn a_controller_that_is_already_weir_is_not_set_twice() {
    let mut database = host(&[ENCAP]);
    let set_by_hand = database.put("Controller", Row::new().with("target", "tcp:192.0.2.9:6653"));
    let bridge = Row::new().with("name", "br-int").with("controller", set_by_hand);
    add_bridge(&mut database, bridge, &[]);
    provision(&mut database);
    let (_, bridge) = database.named("Bridge", "br-int").expect("a bridge");
    assert_eq!(bridge.uuids("controller"), Ok(BTreeSet::from([set_by_hand])));
    let (_, row) = database.table("Controller").find(|(uuid, _)| *uuid == set_by_hand).expect("kept");
    assert_eq!(row.string("connection_mode"), Ok("out-of-band"));
    assert_eq!(row.integer("inactivity_probe"), Ok(10_000));
    // Weir did not make it, so it stays.
    let removal = unprovision(&mirror_of(&database));
    carry_out(&mut database, &removal);
    assert_eq!(database.table("Controller").count(), 1);
}

#[test]
fn a_plan_fails_as_a_whole_when_the_database_has_changed() {
    let mut database = host(&[ENCAP]);
    let bridge = add_bridge(&mut database, Row::new().with("name", "br-int"), &[]);
    let late = plan(&mirror_of(&database), &wanted());
    let untouched = database.clone();

    database.set("Bridge", bridge, "fail_mode", Datum::from("standalone"));
    assert!(matches!(database.transact(&late.operations), Err(Failed(_))));
    database = untouched.clone();
    let root = database.root();
    database.set("Open_vSwitch", root, "external_ids", Datum::empty_map());
    assert!(matches!(database.transact(&late.operations), Err(Failed(_))));
    database = untouched.clone();
    add_bridge(&mut database, Row::new().with("name", "br-tun"), &[]);
    assert_eq!(database.transact(&late.operations), Err(Failed(late.operations.len())));
    assert_eq!(database.table("Controller").count(), 0);

    // A VIF that comes in between is no reason to fail.
    database = untouched;
    let interface = database.put("Interface", Row::new().with("name", "vnet0"));
    let port = Row::new().with("name", "vnet0").with("interfaces", interface);
    let port = database.put("Port", port);
    let (_, row) = database.named("Bridge", "br-int").expect("a bridge");
    let mut ports = row.uuids("ports").expect("a set");
    ports.insert(port);
    database.set("Bridge", bridge, "ports", Datum::set(ports));
    assert!(database.transact(&late.operations).is_ok());
    assert!(database.named("Port", "vnet0").is_some());
}

#[test]
fn a_bridge_with_foreign_ports_outlives_its_maker() {
    let mut database = host(&[ENCAP]);
    provision(&mut database);
    let (bridge, row) = database.named("Bridge", "br-int").expect("made");
    let mut ports = row.uuids("ports").expect("a set");
    let interface = database.put("Interface", Row::new().with("name", "vnet0"));
    let port = Row::new().with("name", "vnet0").with("interfaces", interface);
    ports.insert(database.put("Port", port));
    database.set("Bridge", bridge, "ports", Datum::set(ports));

    let removal = unprovision(&mirror_of(&database));
    let in_use = Problem::BridgeInUse { bridge: "br-int".to_owned(), ports: vec!["vnet0".to_owned()] };
    assert_eq!(removal.problems, [in_use]);
    carry_out(&mut database, &removal);
    let names: Vec<&str> = database.table("Port").filter_map(|(_, row)| row.string("name").ok()).collect();
    assert_eq!(names, ["br-int", "vnet0"]);
    assert_eq!(database.table("Controller").count(), 0);
    assert_eq!(database.table("Flow_Table").count(), 0);
    assert!(unprovision(&mirror_of(&database)).is_empty());
    // And it can be taken into service again.
    provision(&mut database);
    assert!(plan(&mirror_of(&database), &wanted()).is_empty());
}

/// Some state that operators, other software or an older Weir may have left behind.
#[derive(Clone, Debug)]
struct Leftover {
    name: usize,
    datapath: usize,
    fail_mode: usize,
    protocols: BTreeSet<usize>,
    config: usize,
    marked: bool,
    ports: Vec<(usize, usize, bool, usize)>,
    controllers: Vec<(usize, bool)>,
    tables: Vec<(i64, usize, bool)>,
}

fn leftover() -> impl Strategy<Value = Leftover> {
    (
        (0_usize..3, 0_usize..3, 0_usize..3),
        btree_set(0_usize..6, 0..6),
        (0_usize..4, any::<bool>()),
        vec((0_usize..6, 0_usize..5, any::<bool>(), 0_usize..4), 0..4),
        vec((0_usize..3, any::<bool>()), 0..3),
        vec((0_i64..7, 0_usize..3, any::<bool>()), 0..3),
    )
        .prop_map(|((name, datapath, fail_mode), protocols, (config, marked), ports, controllers, tables)| {
            Leftover { name, datapath, fail_mode, protocols, config, marked, ports, controllers, tables }
        })
}

fn marks(marked: bool) -> Datum {
    if marked { Datum::map([(MARK, "x"), ("other", "kept")]) } else { Datum::map([("other", "kept")]) }
}

fn leave(database: &mut Database, left: &Leftover) {
    let name = ["br-int", "br-tun", "br-ex"][left.name];
    if database.named("Bridge", name).is_some() || database.named("Port", name).is_some() {
        return;
    }
    let config = [
        Datum::empty_map(),
        Datum::map([("disable-in-band", "false"), ("hwaddr", "x")]),
        Datum::map([("disable-in-band", "true")]),
        Datum::map([("hwaddr", "x")]),
    ];
    let protocols = left.protocols.iter().map(|version| format!("OpenFlow1{version}"));
    let controllers: Vec<Uuid> = left
        .controllers
        .iter()
        .map(|(target, marked)| {
            let target = ["tcp:192.0.2.9:6653", "tcp:192.0.2.8:6653", "ptcp:6633"][*target];
            let row = Row::new().with("target", target).with("external_ids", marks(*marked));
            database.put("Controller", row)
        })
        .collect();
    let tables: Vec<(i64, Uuid)> = left
        .tables
        .iter()
        .map(|(id, name, marked)| {
            let name = [None, Some("classify"), Some("theirs")][*name];
            let row = Row::new().with("name", Datum::optional(name)).with("external_ids", marks(*marked));
            (*id, database.put("Flow_Table", row))
        })
        .collect();
    let row = Row::new()
        .with("name", name)
        .with("datapath_type", ["", "netdev", "system"][left.datapath])
        .with("fail_mode", Datum::optional([None, Some("secure"), Some("standalone")][left.fail_mode]))
        .with("protocols", Datum::set(protocols))
        .with("other_config", config[left.config].clone())
        .with("external_ids", marks(left.marked))
        .with("controller", Datum::set(controllers))
        .with("flow_tables", Datum::map(tables));
    let bridge = add_bridge(database, row, &[]);
    for (name, kind, marked, settings) in &left.ports {
        let name = ["patch-tun", "patch-int", VXLAN, "vnet0", "vnet1", "br-tun"][*name];
        if database.named("Port", name).is_some() || database.named("Interface", name).is_some() {
            continue;
        }
        let kind = ["", "internal", "patch", "vxlan", "geneve"][*kind];
        let options = [
            Datum::empty_map(),
            Datum::map([("peer", "patch-int"), ("local_ip", "192.0.2.77")]),
            Datum::map([("remote_ip", "flow"), ("key", "5"), ("dst_port", "8472")]),
            Datum::map([("peer", "elsewhere")]),
        ];
        let interface = Row::new()
            .with("name", name)
            .with("type", kind)
            .with("options", options[*settings].clone())
            .with("external_ids", marks(*marked));
        let interface = database.put("Interface", interface);
        let port = Row::new().with("name", name).with("interfaces", interface).with("external_ids", marks(*marked));
        let port = database.put("Port", port);
        let (_, row) = database.table("Bridge").find(|(uuid, _)| *uuid == bridge).expect("it");
        let mut ports = row.uuids("ports").expect("a set");
        ports.insert(port);
        database.set("Bridge", bridge, "ports", Datum::set(ports));
    }
}

/// The rows that a plan has no business with.
fn foreign(database: &Database) -> BTreeMap<(&'static str, Uuid), Row> {
    let theirs = |row: &Row| !row.strings("external_ids").is_ok_and(|ids| ids.contains_key(MARK));
    let ours = ["br-int", "br-tun", "patch-tun", "patch-int", VXLAN];
    database
        .rows
        .iter()
        .filter(|((table, _), row)| match *table {
            "Open_vSwitch" => false,
            "Controller" => theirs(row) && row.string("target") != Ok("tcp:192.0.2.9:6653"),
            "Bridge" => !ours.contains(&row.string("name").unwrap_or_default()),
            "Port" | "Interface" => theirs(row) && !ours.contains(&row.string("name").unwrap_or_default()),
            _ => theirs(row),
        })
        .map(|(key, row)| (*key, row.clone()))
        .collect()
}

/// The keys of others in a map of one of the two bridges.
fn foreign_keys(database: &Database) -> Vec<(Uuid, String, String)> {
    database
        .table("Bridge")
        .flat_map(|(uuid, row)| {
            ["other_config", "external_ids"].into_iter().flat_map(move |column| {
                row.strings(column)
                    .unwrap_or_default()
                    .into_iter()
                    .filter(|(key, _)| *key != "disable-in-band" && *key != MARK)
                    .map(move |(key, value)| (uuid, key.to_owned(), value.to_owned()))
            })
        })
        .collect()
}

/// Nothing names a row twice or refers to a row that is not there.
fn is_sound(database: &Database) -> bool {
    let mut swept = database.clone();
    swept.collect_garbage();
    swept.rows == database.rows
}

proptest! {
    #[test]
    fn any_state_is_repaired_by_one_transaction(
        leftovers in vec(leftover(), 0..5),
        encap in 0_usize..3,
        datapath in 0_usize..3,
    ) {
        let ids: Vec<(&str, &str)> = [None, Some(ENCAP), Some(("weir-encap-ip", "fd00::5"))][encap]
            .into_iter()
            .chain([None, Some(("weir-datapath-type", "netdev")), Some(("weir-datapath-type", "system"))][datapath])
            .collect();
        let mut database = host(&ids);
        for left in &leftovers {
            leave(&mut database, left);
        }
        database.collect_garbage();
        let before = foreign(&database);
        let keys: BTreeSet<_> = foreign_keys(&database).into_iter().collect();

        let first = plan(&mirror_of(&database), &wanted());
        prop_assert_eq!(first.is_empty(), first.explanation.is_empty());
        carry_out(&mut database, &first);
        prop_assert!(is_sound(&database));
        let second = plan(&mirror_of(&database), &wanted());
        prop_assert!(second.is_empty(), "{:?}", second.explanation);
        prop_assert_eq!(&second.problems, &first.problems);
        let after = foreign(&database);
        for (key, row) in &before {
            prop_assert_eq!(after.get(key), Some(row));
        }
        let kept: BTreeSet<_> = foreign_keys(&database).into_iter().collect();
        prop_assert!(keys.is_subset(&kept));

        let removal = unprovision(&mirror_of(&database));
        // What is in the way of the removal of a bridge goes with it only if it is Weir's.
        carry_out(&mut database, &removal);
        prop_assert!(is_sound(&database));
        let second = unprovision(&mirror_of(&database));
        prop_assert!(second.is_empty(), "{:?}", second.explanation);
        for (key, row) in &before {
            if matches!(key.0, "Bridge" | "Port" | "Interface") {
                prop_assert_eq!(database.rows.get(key), Some(row));
            }
        }
    }
}

#[test]
fn the_comment_tells_what_is_done() {
    let plan = plan(&mirror_of(&host(&[ENCAP])), &wanted());
    let comment = plan.operations.iter().find_map(|operation| match operation {
        Operation::Comment { comment } => Some(comment.as_str()),
        _ => None,
    });
    assert_eq!(
        comment,
        Some(
            "weir: create bridge br-int (datapath type system, fail mode secure, controller \
             tcp:192.0.2.9:6653, 2 named tables); create patch port patch-tun; create bridge br-tun \
             (datapath type system, fail mode secure, controller tcp:192.0.2.9:6653, 1 named \
             tables); create patch port patch-int; create vxlan port weir-vxlan"
        )
    );
}
