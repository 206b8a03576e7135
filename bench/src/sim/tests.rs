//! The simulated switch against what the product says of flows: what it was told, it tells back.

use super::agent::Agent;
use super::book::Book;
use super::database::Database;
use super::tables::{Change, Tables, refusal};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_openflow::session::SessionConfig;
use weir_openflow::{
    Action, Band, Bucket, BucketId, Cookie, Digest, EncodedEdit, Field, Flow, FlowEdit, Group, GroupId, GroupKind,
    Match, Meter, MeterFlags, MeterId, PortNo, TableId,
};
use weir_reconcile::{Desired, Order, Repair, SealPlace, Switch, SwitchConfig, SwitchEvent};

/// Where the switch's seal is.
const SEAL: SealPlace = SealPlace { table: TableId(250), cookie: Cookie(1) };

/// A controller's side and a simulated switch, without a socket between them.
struct Pair {
    switch: Switch,
    agent: Agent,
    to_controller: BytesMut,
}

/// What came out of a comparison.
#[derive(Debug, PartialEq)]
struct Outcome {
    edits: u64,
    repair: Option<Repair>,
    flows: u64,
}

impl Pair {
    fn connect(mut agent: Agent) -> Self {
        let config =
            SwitchConfig { session: SessionConfig::default(), audit_interval: Duration::from_secs(3600), seal: SEAL };
        let mut to_controller = BytesMut::new();
        agent.connect(&mut to_controller);
        Self { switch: Switch::new(config, Instant::now()), agent, to_controller }
    }

    /// Runs until the switch is known to hold `desired`, and has told how many flows it holds.
    fn reconcile(&mut self, desired: &[EncodedEdit]) -> Outcome {
        let now = Instant::now();
        let mut repaired = None;
        let before = self.agent.tally;
        for _ in 0..100 {
            let mut to_switch = BytesMut::new();
            self.switch.poll_transmit(now, &mut to_switch);
            self.agent.handle(&to_switch, &mut self.to_controller).expect("OpenFlow");
            self.switch.handle_bytes(now, &self.to_controller.split());
            while let Some(event) = self.switch.poll_event(now) {
                match event {
                    SwitchEvent::WantsDesired(_) => {
                        let digest = Digest::of(desired);
                        let desired = Desired { revision: 1, units: vec![desired.into()], digest };
                        self.switch.order(now, Order::Desired(desired));
                    }
                    SwitchEvent::Repaired(repair) => repaired = Some(repair),
                    SwitchEvent::Flows(flows) => {
                        let tally = self.agent.tally;
                        let edits = |tally: super::counts::Tally| tally.flow_mods + tally.group_mods + tally.meter_mods;
                        return Outcome { edits: edits(tally) - edits(before), repair: repaired, flows };
                    }
                    SwitchEvent::Refused(refusal) => panic!("{refusal:?}"),
                    SwitchEvent::Closed(reason) => panic!("{reason}"),
                    _ => {}
                }
            }
        }
        panic!("no end of the comparison");
    }
}

fn edit(edit: impl Into<FlowEdit>) -> EncodedEdit {
    EncodedEdit::encode(&edit.into()).expect("a small edit")
}

fn flow(table: u8, number: u32, port: u32) -> Flow {
    let matching = Match::new().with(Field::EthType, 0x0800).with(Field::Ipv4Src, number.into());
    Flow::new(TableId(table), 100, matching)
        .cookie(7_u64)
        .apply([Action::output(PortNo(port))])
        .goto(TableId(table + 1))
}

fn bucket(id: u32) -> Bucket {
    Bucket::new(BucketId(id), vec![Action::output(PortNo(id))])
}

fn group(buckets: std::ops::Range<u32>) -> Group {
    buckets.map(bucket).fold(Group::new(GroupId(1), GroupKind::All), Group::with)
}

fn meter() -> Meter {
    let flags = MeterFlags { pktps: true, ..MeterFlags::default() };
    Meter { id: MeterId(3), flags, bands: vec![Band { rate: 100, burst: 0 }] }
}

/// More flows than one part of a reply takes, a group and a meter.
fn desired() -> Vec<EncodedEdit> {
    let flows = (0..2_000).map(|number| edit(FlowEdit::AddFlow(flow((number % 3) as u8, number, 1))));
    let others = [FlowEdit::AddGroup(group(1..200)), FlowEdit::AddMeter(meter())].map(edit);
    flows.chain(others).collect()
}

#[test]
fn what_a_switch_was_told_it_tells_back_unchanged() {
    let desired = desired();
    let mut pair = Pair::connect(Agent::new(Tables::new(Arc::new(Book::default()))));
    let filled = pair.reconcile(&desired);
    // The seal is one more.
    assert_eq!((filled.edits, filled.flows), (desired.len() as u64 + 1, 2_001));
    pair.agent.disconnect();
    let mut again = Pair::connect(pair.agent);
    assert_eq!(again.reconcile(&desired), Outcome { edits: 0, repair: None, flows: 2_001 });
}

#[test]
fn a_difference_is_found_and_mended() {
    let desired = desired();
    let mut pair = Pair::connect(Agent::new(Tables::new(Arc::new(Book::default()))));
    pair.reconcile(&desired);
    pair.agent.disconnect();
    let mut wanted = desired;
    wanted[1_000] = edit(FlowEdit::AddFlow(flow(1, 1_000, 2)));
    wanted.drain(..10);
    let mut again = Pair::connect(pair.agent);
    let mended = again.reconcile(&wanted);
    assert_eq!(mended.repair, Some(Repair { missing: 0, altered: 1, foreign: 10, groups: 0 }));
    assert_eq!((mended.edits, mended.flows), (11 + 1, 1_990 + 1));
}

fn changes(book: &Book, edits: &[FlowEdit]) -> Vec<Change> {
    edits.iter().map(|each| Change::read(book, edit(each.clone()).message()).expect("a readable edit")).collect()
}

#[test]
fn flows_are_replaced_and_deleted_by_their_keys() {
    let book = Arc::new(Book::default());
    let mut tables = Tables::new(Arc::clone(&book));
    let (one, other) = (flow(2, 1, 1), flow(2, 1, 9));
    let edits = [FlowEdit::AddFlow(one.clone()), FlowEdit::AddFlow(other), FlowEdit::AddFlow(flow(2, 2, 1))];
    tables.commit(&changes(&book, &edits)).unwrap();
    assert_eq!((tables.flows(TableId::ALL).count(), tables.active(2)), (2, 2));
    // The priority is a part of the key, the cookie is not.
    let mut unlike = one.key.clone();
    unlike.priority = 99;
    let edits = [FlowEdit::DeleteFlow(unlike), FlowEdit::DeleteFlow(one.key)];
    tables.commit(&changes(&book, &edits)).unwrap();
    assert_eq!((tables.flows(TableId::ALL).count(), tables.active(2)), (1, 1));
}

#[test]
fn a_bundle_with_a_refused_bucket_changes_nothing() {
    let book = Arc::new(Book::default());
    let mut tables = Tables::new(Arc::clone(&book));
    let insert = |id| FlowEdit::InsertBucket { group: GroupId(1), bucket: bucket(id) };
    let remove = |id| FlowEdit::RemoveBucket { group: GroupId(1), bucket: BucketId(id) };
    assert_eq!(tables.commit(&changes(&book, &[insert(1)])), Err((0, refusal::UNKNOWN_GROUP)));
    tables.commit(&changes(&book, &[FlowEdit::AddGroup(group(1..3)), insert(3), remove(1)])).unwrap();
    let expected = group(2..4);
    assert_eq!(tables.groups().collect::<Vec<_>>(), [&expected]);
    let refused = [FlowEdit::AddFlow(flow(0, 1, 1)), insert(4), insert(3)];
    assert_eq!(tables.commit(&changes(&book, &refused)), Err((2, refusal::BUCKET_EXISTS)));
    assert_eq!(tables.commit(&changes(&book, &[remove(9)])), Err((0, refusal::UNKNOWN_BUCKET)));
    assert_eq!((tables.groups().collect::<Vec<_>>(), tables.flows(TableId::ALL).count()), (vec![&expected], 0));
    tables.commit(&changes(&book, &[FlowEdit::DeleteGroup(GroupId(1))])).unwrap();
    assert_eq!(tables.groups().count(), 0);
}

#[test]
fn a_meter_is_added_once_and_then_changed() {
    let mut tables = Tables::new(Arc::new(Book::default()));
    let add = edit(FlowEdit::AddMeter(meter()));
    assert_eq!(tables.change_meter(add.meter_change().message()), Err(refusal::UNKNOWN_METER));
    assert_eq!(tables.change_meter(add.message()), Ok(()));
    assert_eq!(tables.change_meter(add.message()), Err(refusal::METER_EXISTS));
    assert_eq!(tables.change_meter(add.meter_change().message()), Ok(()));
    assert_eq!(tables.meters().collect::<Vec<_>>(), [&meter()]);
    assert_eq!(tables.change_meter(add.withdrawal().message()), Ok(()));
    assert_eq!(tables.meters().count(), 0);
}

#[test]
fn switches_share_the_bytes_of_equal_flows() {
    let book = Book::default();
    let read = |edit: &EncodedEdit| match Change::read(&book, edit.message()) {
        Ok(Change::Add(key, flow, _)) => (key, flow),
        other => panic!("{other:?}"),
    };
    let one = edit(FlowEdit::AddFlow(flow(0, 1, 1)));
    let mut with_xid = one.message().to_vec();
    with_xid[4..8].copy_from_slice(&77_u32.to_be_bytes());
    let same = EncodedEdit::from_message(Bytes::from(with_xid)).unwrap();
    let unlike = edit(FlowEdit::AddFlow(flow(0, 1, 2)));
    assert_eq!(read(&one), read(&same));
    assert_eq!(read(&one).0, read(&unlike).0);
    assert_ne!(read(&one).1, read(&unlike).1);
}

#[test]
fn weir_sets_the_database_up_and_hears_of_vifs() {
    use weir_ovsdb::{BridgeNames, Event, Mirror, Session, SessionConfig, Wanted, plan};
    let now = Instant::now();
    let mut database = Database::new(4, "h4", "10.100.0.5");
    let port = "11111111-2222-4333-8444-555555555555";
    assert_eq!(database.plug("tap1", port, &mut Vec::new()), 1);
    let wanted = Wanted {
        controller: "tcp:127.0.0.1:6653".to_owned(),
        inactivity_probe: None,
        max_backoff: Some(1000),
        integration_tables: [(0, "first".to_owned())].into(),
        tunnel_tables: [(0, "first".to_owned())].into(),
    };
    let mut session = Session::new(now, SessionConfig::default());
    let mut mirror = Mirror::new(BridgeNames::default());
    let mut plans = 0;
    database.connect();
    for _ in 0..10 {
        let mut answers = Vec::new();
        while let Some(bytes) = session.poll_transmit() {
            database.handle(&bytes, &mut answers).unwrap();
        }
        session.handle_bytes(now, &answers);
        while let Some(event) = session.poll_event() {
            match event {
                Event::Rows { rows, .. } => drop(mirror.replace(&rows).unwrap()),
                Event::Update(rows) => drop(mirror.apply(&rows).unwrap()),
                Event::Transacted { outcome, .. } => drop(outcome.unwrap()),
                Event::Closed(reason) => panic!("{reason}"),
            }
        }
        let todo = plan(&mirror, &wanted);
        if mirror.root().is_some() && !todo.is_empty() && plans == 0 {
            plans += 1;
            session.transact(now, &todo.operations).unwrap();
        }
    }
    let left = plan(&mirror, &wanted);
    assert!(left.is_empty() && left.problems.is_empty(), "{left:?}");
    assert_eq!(database.controller_of("br-tun"), Some("tcp:127.0.0.1:6653"));
    assert_ne!(database.datapath_of("br-int"), database.datapath_of("br-tun"));
    let mut notices = Vec::new();
    assert_eq!(database.plug("tap2", port, &mut notices), 2);
    session.handle_bytes(now, &notices);
    while let Some(event) = session.poll_event() {
        if let Event::Update(rows) = event {
            mirror.apply(&rows).unwrap();
        }
    }
    let vifs: Vec<_> = mirror.interface_facts().map(|fact| (fact.name.as_str(), fact.ofport)).collect();
    assert_eq!(vifs, [("tap1", Some(1)), ("tap2", Some(2))]);
}
