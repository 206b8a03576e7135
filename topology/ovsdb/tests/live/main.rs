//! The session, the mirror and the plan against a real ovsdb-server and ovs-vswitchd.

mod connection;
mod hypervisor;

use connection::Connection;
use hypervisor::Hypervisor;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::Duration;
use weir_ovsdb::{
    CloseReason, Condition, Fact, Function, InterfaceProblem, Mirror, Operation, OperationResult, Problem, Row,
    SchemaError, SessionConfig, Timing, TransactError, Wanted, plan, unprovision,
};

const PORT: &str = "2f1c4c2e-5b43-4b8e-8e53-6c1d8e0a7f11";

fn wanted() -> Wanted {
    let names = |names: &[(u8, &str)]| -> BTreeMap<u8, String> {
        names.iter().map(|(id, name)| (*id, (*name).to_owned())).collect()
    };
    Wanted {
        controller: "tcp:127.0.0.1:6653".to_owned(),
        inactivity_probe: Some(10_000),
        max_backoff: Some(1000),
        integration_tables: names(&[(0, "classify"), (5, "admission"), (60, "deliver")]),
        tunnel_tables: names(&[(0, "classify"), (20, "tunnel_output")]),
    }
}

#[test]
fn an_accepted_session_provisions_once_and_keeps_what_is_foreign() {
    let hypervisor = Hypervisor::start();
    hypervisor.vsctl("add-br br-ex -- set bridge br-ex datapath_type=dummy fail_mode=standalone");
    hypervisor.vsctl("set bridge br-ex other_config:hwaddr=00:11:22:33:44:55");
    hypervisor.vsctl("set-controller br-ex tcp:127.0.0.1:1");
    hypervisor.vsctl("set open_vswitch . external_ids:ovn-encap-type=geneve other_config:x=y");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    hypervisor.vsctl(&format!("set-manager tcp:127.0.0.1:{port}"));
    let mut connection = Connection::accept(&listener);
    connection.until_ready();

    let foreign = |hypervisor: &Hypervisor| {
        [
            "list bridge br-ex",
            "get-controller br-ex",
            "list-ports br-ex",
            "get open_vswitch . external_ids other_config manager_options",
        ]
        .map(|command| hypervisor.vsctl(command))
    };
    let before = foreign(&hypervisor);
    let first = connection.provision(&wanted());
    assert_eq!(first.problems, []);
    assert!(first.explanation.iter().any(|line| line.contains("create bridge br-int")));

    let second = plan(&connection.mirror, &wanted());
    assert_eq!(second.operations, []);
    assert_eq!(second.explanation, Vec::<String>::new());
    assert_eq!(second.problems, []);
    assert_eq!(foreign(&hypervisor), before);

    let get = |command: &str| hypervisor.vsctl(command);
    for bridge in ["br-int", "br-tun"] {
        assert_eq!(
            get(&format!("get bridge {bridge} fail_mode datapath_type protocols other_config")),
            "secure\ndummy\n[OpenFlow10, OpenFlow11, OpenFlow12, OpenFlow13, OpenFlow14, \
             OpenFlow15]\n{disable-in-band=\"true\"}"
        );
        assert_eq!(get(&format!("get-controller {bridge}")), "tcp:127.0.0.1:6653");
        assert_eq!(
            get(&format!("get controller {bridge} connection_mode inactivity_probe max_backoff external_ids")),
            "out-of-band\n10000\n1000\n{weir=controller}"
        );
    }
    assert_eq!(get("list-ports br-int"), "patch-tun");
    assert_eq!(get("list-ports br-tun"), "patch-int\nweir-vxlan");
    assert_eq!(get("get interface patch-tun type options ofport"), "patch\n{peer=patch-int}\n65001");
    assert_eq!(get("get interface patch-int type options ofport"), "patch\n{peer=patch-tun}\n65002");
    assert_eq!(
        get("get interface weir-vxlan type options ofport error"),
        "vxlan\n{key=flow, local_ip=\"192.0.2.11\", remote_ip=flow}\n65003\n[]"
    );
    assert_eq!(connection.mirror.bridges().count(), 3);
    let (_, tunnel) = connection.mirror.bridge("br-tun").expect("the bridge");
    let named: Vec<(i64, Option<String>)> = tunnel
        .flow_tables
        .iter()
        .map(|(id, uuid)| (*id, connection.mirror.flow_table(*uuid).and_then(|table| table.name.clone())))
        .collect();
    assert_eq!(named, [(0, Some("classify".to_owned())), (20, Some("tunnel_output".to_owned()))]);

    let host = connection.mirror.host().expect("a host").clone();
    assert_eq!(host.name(), Some("compute-1"));
    assert_eq!(host.encap_ip, Some([192, 0, 2, 11].into()));
    let datapath = get("get bridge br-int datapath_id");
    assert_eq!(format!("{:016x}", host.integration_datapath.expect("made")), datapath.trim_matches('"'));
    assert!(host.tunnel_datapath.is_some());
    assert_eq!(host.ovs_version.as_deref(), Some("3.1.0"));

    // The other way: only the foreign things are left.
    connection.carry_out(&unprovision(&connection.mirror));
    assert_eq!(get("list-br"), "br-ex");
    assert_eq!(foreign(&hypervisor), before);
    assert_eq!(get("--columns=name --bare list flow_table"), "");
    assert!(unprovision(&connection.mirror).is_empty());
}

#[test]
fn an_existing_bridge_is_repaired_and_foreign_parts_are_reported() {
    let hypervisor = Hypervisor::start();
    hypervisor.vsctl(
        "add-br br-int -- set bridge br-int datapath_type=dummy protocols=OpenFlow13 \
         other_config:disable-in-band=false other_config:forward-bpdu=true",
    );
    hypervisor.vsctl("add-port br-int vnet0 -- set interface vnet0 type=dummy");
    hypervisor.vsctl("set-controller br-int tcp:127.0.0.1:1");
    hypervisor.vsctl("add-br br-tun -- set bridge br-tun datapath_type=dummy");
    hypervisor.vsctl("add-port br-tun weir-vxlan -- set interface weir-vxlan type=dummy");
    let mut connection = Connection::dial(&hypervisor.socket());
    connection.until_ready();

    let first = connection.provision(&wanted());
    let second = plan(&connection.mirror, &wanted());
    assert_eq!(second.operations, [], "{:?}", second.explanation);
    assert_eq!(first.problems, second.problems);
    assert_eq!(
        second.problems,
        [
            Problem::ForeignController { bridge: "br-int".to_owned(), target: "tcp:127.0.0.1:1".to_owned() },
            Problem::NameTaken {
                name: "weir-vxlan".to_owned(),
                purpose: "a port of type vxlan".to_owned(),
                found: "an interface of type 'dummy' that is not Weir's".to_owned(),
            },
        ]
    );
    assert_eq!(
        hypervisor.vsctl("get bridge br-int other_config fail_mode"),
        "{disable-in-band=\"true\", forward-bpdu=\"true\"}\nsecure"
    );
    assert!(hypervisor.vsctl("get bridge br-int protocols").contains("OpenFlow15"));
    assert_eq!(hypervisor.vsctl("list-ports br-int"), "patch-tun\nvnet0");

    // Drift in what is Weir's own is repaired in place.
    let controller = hypervisor.vsctl("--bare --columns=_uuid find controller external_ids:weir!=x");
    hypervisor.vsctl("set interface patch-tun options:peer=elsewhere ofport_request=7");
    hypervisor.vsctl("clear bridge br-tun fail_mode -- remove bridge br-tun flow_tables 20");
    let mut moved = wanted();
    moved.controller = "tcp:127.0.0.1:6654".to_owned();
    moved.integration_tables = BTreeMap::from([(0, "entry".to_owned())]);
    connection.until("the drift", |connection| {
        let (_, bridge) = connection.mirror.bridge("br-tun")?;
        bridge.fail_mode.is_none().then_some(())
    });
    connection.provision(&moved);
    assert_eq!(plan(&connection.mirror, &moved).operations, []);
    assert_eq!(hypervisor.vsctl("get interface patch-tun options ofport"), "{peer=patch-int}\n65001");
    assert_eq!(hypervisor.vsctl("get-controller br-int"), "tcp:127.0.0.1:1\ntcp:127.0.0.1:6654");
    assert_eq!(
        hypervisor.vsctl("--bare --columns=_uuid find controller external_ids:weir!=x"),
        controller,
        "a controller row is never replaced"
    );
    assert_eq!(hypervisor.vsctl("--bare --columns=name list flow_table").split_whitespace().count(), 3);

    // Weir did not make these bridges, so they stay.
    let removal = unprovision(&connection.mirror);
    connection.carry_out(&removal);
    assert_eq!(hypervisor.vsctl("list-br"), "br-int\nbr-tun");
    assert_eq!(hypervisor.vsctl("list-ports br-int"), "vnet0");
    assert_eq!(hypervisor.vsctl("get-controller br-int"), "tcp:127.0.0.1:1");
}

#[test]
fn interfaces_appear_change_and_vanish_and_a_restart_resyncs_by_difference() {
    let mut hypervisor = Hypervisor::start();
    let mut connection = Connection::dial(&hypervisor.socket());
    connection.until_ready();
    connection.provision(&wanted());
    connection.facts.clear();

    hypervisor.vsctl(&format!(
        "add-port br-int tap0 -- set interface tap0 type=dummy external_ids:iface-id={PORT} \
         external_ids:attached-mac=fa:16:3e:00:00:01 external_ids:iface-status=active \
         external_ids:vm-uuid=vm-1"
    ));
    let plugged = connection.until("the plugged interface", |connection| {
        connection.facts.drain(..).find_map(|fact| match fact {
            Fact::Appeared(after) | Fact::Changed { after, .. } if after.ofport.is_some() => Some(after),
            _ => None,
        })
    });
    assert_eq!(plugged.name, "tap0");
    assert_eq!(plugged.iface_id, PORT.parse().ok());
    assert_eq!(plugged.attached_mac, Some([0xfa, 0x16, 0x3e, 0, 0, 1]));
    assert_eq!(plugged.iface_status.as_deref(), Some("active"));
    assert_eq!(plugged.vm_uuid.as_deref(), Some("vm-1"));
    assert!(plugged.on_integration);
    assert_eq!(plugged.problems, []);
    let ofport = hypervisor.vsctl("get interface tap0 ofport");
    assert_eq!(plugged.ofport, ofport.parse().ok());

    hypervisor.vsctl("set interface tap0 external_ids:iface-id=bogus");
    let renamed = connection.until("the renamed interface", |connection| {
        connection.facts.drain(..).find_map(|fact| match fact {
            Fact::Changed { after, .. } if after.iface_id.is_none() => Some(after),
            _ => None,
        })
    });
    assert_eq!(renamed.problems, [InterfaceProblem::BadIfaceId("bogus".to_owned())]);

    // What happens while nobody looks is found by comparing the dumps.
    hypervisor.restart_database();
    connection.until("the end", |connection| connection.ended.then_some(()));
    hypervisor.vsctl(&format!(
        "--no-wait add-port br-int tap1 -- set interface tap1 type=dummy external_ids:iface-id={PORT}"
    ));
    hypervisor.vsctl("--no-wait del-port tap0");
    let former: Mirror = connection.mirror;
    let config = SessionConfig::default();
    let mut connection = Connection::dial_with(&hypervisor.socket(), former, config);
    connection.until_ready();
    let summary: Vec<String> = connection
        .facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Appeared(after) => Some(format!("+{}", after.name)),
            Fact::Vanished(before) => Some(format!("-{}", before.name)),
            Fact::Changed { .. } => Some("changed".to_owned()),
            Fact::Host(_) => None,
        })
        .collect();
    assert_eq!(summary, ["-tap0", "+tap1"]);
    assert_eq!(plan(&connection.mirror, &wanted()).operations, []);

    connection.facts.clear();
    hypervisor.vsctl("del-port tap1");
    connection.until("the unplugged interface", |connection| {
        connection.facts.drain(..).find(|fact| matches!(fact, Fact::Vanished(before) if before.name == "tap1"))
    });
}

#[test]
fn a_plan_made_too_late_changes_nothing() {
    let hypervisor = Hypervisor::start();
    hypervisor.vsctl("add-br br-int -- set bridge br-int datapath_type=dummy");
    let mut connection = Connection::dial(&hypervisor.socket());
    connection.until_ready();
    let late = plan(&connection.mirror, &wanted());
    hypervisor.vsctl("set bridge br-int other_config:someone=else");
    let failure = connection.transact(&late.operations).expect_err("a race");
    assert!(failure.is_race(), "{failure}");
    assert_eq!(hypervisor.vsctl("list-br"), "br-int");
    connection.provision(&wanted());

    // Two that create the same bridge: one of them fails as a whole.
    connection.carry_out(&unprovision(&connection.mirror));
    hypervisor.vsctl("del-br br-int");
    connection.until("the deletion", |connection| connection.mirror.bridge("br-int").is_none().then_some(()));
    let late = plan(&connection.mirror, &wanted());
    let ids = [connection.send(&late.operations), connection.send(&late.operations)];
    let [first, second] = ids.map(|id| connection.outcome(id));
    assert!(first.is_ok(), "{first:?}");
    let failure = second.expect_err("a name taken");
    assert!(failure.is_race(), "{failure}");
    assert_eq!(plan(&connection.mirror, &wanted()).operations, []);
}

#[test]
fn every_operation_is_understood_by_the_server() {
    let hypervisor = Hypervisor::database_only(|schema| schema);
    hypervisor.vsctl("--no-wait init");
    let mut connection = Connection::dial(&hypervisor.socket());
    connection.until_ready();
    let root = || "Open_vSwitch".into();
    let all = vec![Condition::new("next_cfg", Function::GreaterOrEqual, 0_i64)];
    let results = connection
        .transact(&[
            Operation::Update { table: root(), conditions: all.clone(), row: Row::new().with("next_cfg", 5_i64) },
            Operation::Select { table: root(), conditions: all.clone(), columns: Some(vec!["next_cfg".into()]) },
            Operation::Comment { comment: "a \"note\"".to_owned() },
            Operation::Delete { table: "Manager".into(), conditions: Vec::new() },
            Operation::Commit { durable: true },
        ])
        .expect("it is carried out");
    assert_eq!(
        results,
        [
            OperationResult::Count(1),
            OperationResult::Rows(vec![Row::new().with("next_cfg", 5_i64)]),
            OperationResult::Done,
            OperationResult::Count(0),
            OperationResult::Done,
        ]
    );
    let failing = [
        (Operation::Abort, "aborted"),
        (Operation::Assert { lock: "weir".to_owned() }, "not owner"),
        (Operation::Select { table: "Nothing".into(), conditions: Vec::new(), columns: None }, "syntax error"),
    ];
    for (operation, expected) in failing {
        let note = Operation::Comment { comment: "first".to_owned() };
        let name = operation.name();
        let after = Operation::Commit { durable: false };
        let outcome = connection.transact(&[note, operation, after]);
        match outcome {
            Err(TransactError::Operation { index: 1, operation, error, .. }) => {
                assert_eq!((operation, error.as_str()), (name, expected));
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn probes_go_both_ways() {
    let hypervisor = Hypervisor::database_only(|schema| schema);
    hypervisor.vsctl("--no-wait init");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    // The shortest probe interval that Open vSwitch takes is one second.
    hypervisor.vsctl(&format!("--no-wait set-manager tcp:127.0.0.1:{port}"));
    hypervisor.vsctl("--no-wait set manager . inactivity_probe=1000");
    let mut connection = Connection::accept(&listener);
    connection.until("two probes of the server", |connection| (connection.echoes_asked >= 2).then_some(()));
    connection.transact(&[Operation::Commit { durable: false }]).expect("still connected");

    let config = SessionConfig {
        timing: Timing { probe: Duration::from_millis(50), ..Timing::default() },
        ..SessionConfig::default()
    };
    let mut connection = Connection::dial_with(&hypervisor.socket(), Mirror::default(), config);
    connection.until("answers to three probes", |connection| (connection.echoes_answered >= 3).then_some(()));
}

#[test]
fn a_schema_without_a_needed_column_is_refused() {
    let hypervisor = Hypervisor::database_only(|schema| {
        schema.replace("\"ofport_request\"", "\"ofport_wish\"").replace("8.3.1", "7.0.1")
    });
    let mut connection = Connection::dial(&hypervisor.socket());
    let reason = connection.until("the refusal", |connection| connection.closed.take());
    match &reason {
        CloseReason::Schema(SchemaError::MissingColumn { table, column, .. }) => {
            assert_eq!((*table, *column), ("Interface", "ofport_request"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        reason.to_string(),
        "the database schema, version 7.0.1, has no column ofport_request in table Interface, \
         which Weir needs"
    );
}
