//! The simulated database under the real session, mirror and plan.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::time::Instant;
use uuid::Uuid;
use weir_openflow::PortNo;
use weir_ovsdb::{BridgeNames, Event, Fact, Mirror, Operation, Session, SessionConfig, Wanted, plan};
use weir_sim::ovsdb_server::{ClientId, OvsdbServer};
use weir_sim::switch::{Datapath, PortKind};

struct Pair {
    server: OvsdbServer,
    client: ClientId,
    session: Session,
    mirror: Mirror,
    now: Instant,
}

impl Pair {
    fn new() -> Self {
        let ids = [("hostname", "compute-1"), ("system-id", "one"), ("weir-encap-ip", "192.0.2.11")];
        let mut server = OvsdbServer::new(1, &ids);
        let client = server.connect();
        let now = Instant::now();
        let session = Session::new(now, SessionConfig::default());
        Self { server, client, session, mirror: Mirror::new(BridgeNames::default()), now }
    }

    /// Carries bytes both ways until neither side has any; the facts, and the fate of transactions.
    fn pump(&mut self) -> (Vec<Fact>, Vec<Event>) {
        let (mut facts, mut others) = (Vec::new(), Vec::new());
        loop {
            let mut moved = false;
            while let Some(bytes) = self.session.poll_transmit() {
                // One byte at a time would do as well; two halves show that the cut does not matter.
                let (first, second) = bytes.split_at(bytes.len() / 2);
                self.server.handle(self.client, first).unwrap();
                self.server.handle(self.client, second).unwrap();
                moved = true;
            }
            let back = self.server.poll_transmit(self.client);
            moved |= !back.is_empty();
            self.session.handle_bytes(self.now, &back);
            while let Some(event) = self.session.poll_event() {
                match event {
                    Event::Rows { rows, .. } => facts.extend(self.mirror.replace(&rows).unwrap()),
                    Event::Update(rows) => facts.extend(self.mirror.apply(&rows).unwrap()),
                    other => others.push(other),
                }
            }
            if !moved {
                return (facts, others);
            }
        }
    }

    fn transact(&mut self, operations: &[Operation]) -> Vec<Event> {
        self.session.transact(self.now, operations).unwrap();
        self.pump().1
    }
}

fn wanted() -> Wanted {
    Wanted {
        controller: "tcp:192.0.2.1:6653".to_owned(),
        inactivity_probe: Some(10_000),
        max_backoff: None,
        integration_tables: BTreeMap::from([(0, "classify".to_owned()), (60, "deliver".to_owned())]),
        tunnel_tables: BTreeMap::from([(0, "classify".to_owned())]),
    }
}

#[test]
fn the_plan_is_carried_out_once() {
    let mut pair = Pair::new();
    let (facts, _) = pair.pump();
    assert!(
        facts.iter().any(|fact| matches!(fact, Fact::Host(host) if host.hostname.as_deref() == Some("compute-1"))),
        "{facts:?}"
    );
    let first = plan(&pair.mirror, &wanted());
    assert_eq!(first.problems, []);
    let events = pair.transact(&first.operations);
    let [Event::Transacted { outcome: Ok(results), .. }] = &events[..] else {
        panic!("{events:?}");
    };
    let next_cfg = first.next_cfg(results).unwrap();
    assert!(pair.mirror.has_applied(next_cfg));
    let second = plan(&pair.mirror, &wanted());
    assert_eq!((second.operations, second.problems), (Vec::new(), Vec::new()), "{:?}", second.explanation);
    assert_eq!(pair.server.controllers_of("br-int"), ["tcp:192.0.2.1:6653"]);

    let mut datapath = Datapath::new();
    pair.server.configure(&mut datapath);
    let tunnel = datapath.bridge("br-tun").unwrap();
    assert_eq!(tunnel.port(PortNo(65003)).map(|port| &port.kind), Some(&PortKind::Tunnel));
    let patch = datapath.bridge("br-int").unwrap().port_named("patch-tun").unwrap();
    assert_eq!((patch.number, &patch.kind), (PortNo(65001), &PortKind::Patch { peer: "patch-int".to_owned() }));
}

#[test]
fn a_vif_is_seen_while_it_is_plugged() {
    let mut pair = Pair::new();
    pair.pump();
    let operations = plan(&pair.mirror, &wanted()).operations;
    pair.transact(&operations);
    let port = Uuid::from_u128(7);
    assert_eq!(pair.server.plug("br-int", "tap7", port), Some(1));
    let (facts, _) = pair.pump();
    let appeared = facts.iter().find_map(|fact| match fact {
        Fact::Appeared(interface) => Some(interface),
        _ => None,
    });
    assert_eq!(appeared.map(|interface| interface.name.as_str()), Some("tap7"), "{facts:?}");
    let mut datapath = Datapath::new();
    pair.server.configure(&mut datapath);
    assert!(datapath.bridge("br-int").unwrap().port_named("tap7").is_some());
    assert!(pair.server.unplug("tap7"));
    assert!(pair.server.row_named("Interface", "tap7").is_none(), "nobody names the interface any more");
    let (facts, _) = pair.pump();
    assert!(facts.iter().any(|fact| matches!(fact, Fact::Vanished(_))), "{facts:?}");
    pair.server.configure(&mut datapath);
    assert!(datapath.bridge("br-int").unwrap().port_named("tap7").is_none());
}

#[test]
fn a_transaction_is_done_whole_or_not_at_all() {
    let mut pair = Pair::new();
    pair.pump();
    let ask = |pair: &mut Pair, operations: &str| {
        let request = format!("{{\"method\":\"transact\",\"params\":[\"Open_vSwitch\",{operations}],\"id\":1}}");
        let client = pair.server.connect();
        pair.server.handle(client, request.as_bytes()).unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&pair.server.poll_transmit(client)).unwrap();
        answer["result"].clone()
    };
    let root = pair.server.rows("Open_vSwitch").next().map(|(uuid, _)| *uuid).unwrap();
    let bridge = r#"{"op":"insert","table":"Bridge","row":{"name":"br0"},"uuid-name":"b"}"#;
    let hook = format!(
        r#"{{"op":"mutate","table":"Open_vSwitch","where":[["_uuid","==",["uuid","{root}"]]],"mutations":[["bridges","insert",["named-uuid","b"]]]}}"#
    );
    let answer = ask(&mut pair, &format!(r#"{bridge},{{"op":"insert","table":"Port","row":{{"nonsense":1}}}}"#));
    assert_eq!(answer[1]["error"], "unknown column");
    assert!(pair.server.row_named("Bridge", "br0").is_none());
    let answer = ask(&mut pair, bridge);
    assert!(answer[0]["uuid"].is_array());
    assert!(pair.server.row_named("Bridge", "br0").is_none(), "a bridge that nobody names goes at once");
    let answer = ask(&mut pair, &format!("{bridge},{hook}"));
    assert_eq!(answer[1]["count"], 1);
    let (_, row) = pair.server.row_named("Bridge", "br0").unwrap();
    assert_eq!(row["datapath_id"].text().map(str::len), Some(16), "ovs-vswitchd numbered it");
    let answer = ask(&mut pair, &format!("{bridge},{hook}"));
    assert_eq!(answer[2]["error"], "constraint violation", "two bridges of one name: {answer}");
    let guard = r#"{"op":"wait","table":"Bridge","where":[["name","==","br0"]],"columns":["name"],"until":"!=","rows":[{"name":"br0"}],"timeout":0}"#;
    assert_eq!(ask(&mut pair, guard)[0]["error"], "timed out");
    let mode = r#"{"op":"update","table":"Bridge","where":[["name","==","br0"]],"row":{"fail_mode":"odd"}}"#;
    assert!(ask(&mut pair, mode)[0]["error"].is_string(), "a value that the schema does not list");
}
