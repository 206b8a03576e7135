//! The simulated switch against what the product says of flows: what it was told, it tells back.

use super::agent::Agent;
use super::book::Book;
use super::client::plugging;
use super::counts::{Counts, Tally};
use super::database::Database;
use super::held::Held;
use super::hypervisor::Kind;
use super::ledger::Bookmark;
use super::real::flow_count;
use super::tables::{Change, Tables, refusal};
use super::tap::Tap;
use super::wire::{Side, Wire};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_openflow::message::{BundleControl, BundleControlKind, BundleFlags, BundleId, FlowFilter, MultipartRequest};
use weir_openflow::session::SessionConfig;
use weir_openflow::{
    Action, Band, Bucket, BucketId, Cookie, Digest, EncodedEdit, Field, Flow, FlowEdit, Frame, Group, GroupId,
    GroupKind, Match, Message, MessageKind, Meter, MeterFlags, MeterId, PortNo, TableId, Xid, split_frame,
};
use weir_reconcile::{Desired, Order, Repair, SealPlace, Switch, SwitchConfig, SwitchEvent};

/// Where the switch's seal is.
const SEAL: SealPlace = SealPlace { table: TableId(250), cookie: Cookie(1) };

/// A controller's side and a simulated switch, without a socket between them.
struct Pair {
    switch: Switch,
    agent: Agent,
    to_controller: BytesMut,
    /// What a tap between the two counts.
    tapped: Counts,
    wires: [Wire; 2],
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
        let mut pair = Self {
            switch: Switch::new(config, Instant::now()),
            agent,
            to_controller,
            tapped: Counts::new(),
            wires: [Side::Controller, Side::Switch].map(Wire::new),
        };
        pair.tap(0, &[]);
        pair
    }

    /// Hands bytes to the switch, past the tap as what it answers.
    fn pass(&mut self, to_switch: &[u8]) {
        let before = self.to_controller.len();
        self.agent.handle(to_switch, &mut self.to_controller).expect("OpenFlow");
        self.tap(before, to_switch);
    }

    fn tap(&mut self, before: usize, to_switch: &[u8]) {
        for (wire, bytes) in self.wires.iter_mut().zip([to_switch, &self.to_controller[before..]]) {
            // Messages are cut as they are on their way.
            bytes.chunks(1_000).for_each(|piece| self.tapped.add(&wire.take(piece).expect("OpenFlow")));
        }
    }

    /// Runs until the switch is known to hold `desired`, and has told how many flows it holds.
    fn reconcile(&mut self, desired: &[EncodedEdit]) -> Outcome {
        let now = Instant::now();
        let mut repaired = None;
        let before = self.agent.tally;
        for _ in 0..100 {
            let mut to_switch = BytesMut::new();
            self.switch.poll_transmit(now, &mut to_switch);
            self.pass(&to_switch);
            self.switch.handle_bytes(now, &self.to_controller.split());
            while let Some(event) = self.switch.poll_event(now) {
                match event {
                    SwitchEvent::WantsDesired(_) => {
                        let digest = Digest::of(desired);
                        let desired = Desired { revision: 1, additions: vec![desired.to_vec().into()], digest };
                        self.switch.order(now, Order::Desired(desired));
                    }
                    SwitchEvent::Repaired(repair) => repaired = Some(repair),
                    SwitchEvent::Flows(flows) => {
                        let tally = self.agent.tally;
                        let edits = |tally: Tally| tally.flow_mods + tally.group_mods + tally.meter_mods;
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

#[test]
fn a_tap_counts_what_a_switch_counts() {
    let mut pair = Pair::connect(Agent::new(Tables::new(Arc::new(Book::default()))));
    // It is said before a switch counts anything, and the tap alone sees that a connection was made.
    let hello = pair.to_controller.len() as u64;
    pair.reconcile(&desired());
    pair.pass(edit(FlowEdit::RemoveBucket { group: GroupId(9), bucket: BucketId(1) }).message());
    let counted = pair.agent.tally;
    assert_eq!(pair.tapped.now(), Tally { told_bytes: counted.told_bytes + hello, connections: 1, ..counted });
    let edits = (counted.flow_mods, counted.group_mods, counted.meter_mods, counted.refusals);
    // The seal is one more flow.
    assert_eq!(edits, (2_001, 2, 1, 1));
    assert!(counted.commits > 0 && counted.reads > 0 && counted.inspections > 0);
}

fn changes(book: &Book, edits: &[FlowEdit]) -> Vec<Change> {
    let mut bookmark = Bookmark::default();
    let mut read = |each: &FlowEdit| Change::read(&mut book.open(), &mut bookmark, edit(each.clone()).message());
    edits.iter().map(|each| read(each).expect("a readable edit")).collect()
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

/// What a switch tells of all its flows, sorted.
fn told(agent: &mut Agent) -> Vec<Bytes> {
    let filter = FlowFilter { table: TableId::ALL, ..FlowFilter::default() };
    let (mut question, mut answer) = (BytesMut::new(), BytesMut::new());
    let request = MultipartRequest::Flows(filter);
    Message::MultipartRequest { request, more: false }.encode(Xid(5), &mut question).unwrap();
    agent.handle(&question, &mut answer).unwrap();
    let mut entries = Vec::new();
    while let Some(Frame { mut body, .. }) = split_frame(&mut answer).unwrap() {
        body.advance(8);
        while !body.is_empty() {
            entries.push(body.split_to(usize::from(u16::from_be_bytes([body[0], body[1]]))));
        }
    }
    entries.sort();
    entries
}

/// Messages one after the other, in a bundle.
fn bundle(edits: &[FlowEdit]) -> BytesMut {
    let mut bytes = BytesMut::new();
    let control =
        |kind| Message::BundleControl(BundleControl { bundle: BundleId(1), kind, flags: BundleFlags::default() });
    control(BundleControlKind::OpenRequest).encode(Xid(1), &mut bytes).unwrap();
    for (number, each) in edits.iter().enumerate() {
        let edit = edit(each.clone());
        bytes.put_slice(&[6, MessageKind::BUNDLE_ADD_MESSAGE.0]);
        bytes.put_u16(u16::try_from(16 + edit.message().len()).unwrap());
        bytes.put_slice(&[0, 0, 0, number as u8, 0, 0, 0, 1, 0, 0, 0, 3]);
        bytes.put_slice(edit.message());
    }
    control(BundleControlKind::CommitRequest).encode(Xid(2), &mut bytes).unwrap();
    bytes
}

#[test]
fn flows_are_told_as_they_are_whatever_other_switches_were_told() {
    let book = Arc::new(Book::default());
    let switch = || Agent::new(Tables::new(Arc::clone(&book)));
    let hand = |agent: &mut Agent, edits: &[FlowEdit]| agent.handle(&bundle(edits), &mut BytesMut::new()).unwrap();
    let add = |number, port| FlowEdit::AddFlow(flow(1, number, port));
    let delete = |number| FlowEdit::DeleteFlow(flow(1, number, 1).key);
    // Some switch told alone holds the same as one that is told after others, to which its flows are hinted.
    let alone = |edits: &[FlowEdit]| {
        let mut agent = Agent::new(Tables::new(Arc::new(Book::default())));
        hand(&mut agent, edits);
        told(&mut agent)
    };
    let (mut first, mut other, mut last) = (switch(), switch(), switch());
    // Nobody was told this flow when it is deleted, and then it is added.
    hand(&mut first, &[delete(1), add(1, 1), add(2, 1), add(3, 1)]);
    // One is replaced, one deleted, one added again.
    hand(&mut other, &[add(1, 1), add(2, 1), add(3, 1), add(2, 2), delete(1), delete(3), add(3, 1)]);
    hand(&mut last, &[add(1, 1), add(2, 2), add(3, 1), delete(2), add(2, 1)]);
    assert_eq!(told(&mut first), alone(&[add(3, 1), add(2, 1), add(1, 1)]));
    assert_eq!(told(&mut other), alone(&[add(2, 2), add(3, 1)]));
    assert_eq!(told(&mut last), told(&mut first));
    assert_eq!((first.flows(), other.flows(), last.flows()), (3, 2, 3));
}

#[test]
fn a_message_in_pieces_is_the_same_message() {
    let edits = [FlowEdit::AddFlow(flow(0, 1, 1)), FlowEdit::AddGroup(group(1..4)), FlowEdit::AddFlow(flow(0, 2, 1))];
    let bytes = bundle(&edits);
    let run = |pieces: &[&[u8]]| {
        let mut agent = Agent::new(Tables::new(Arc::new(Book::default())));
        let mut out = BytesMut::new();
        pieces.iter().for_each(|piece| agent.handle(piece, &mut out).unwrap());
        (told(&mut agent), agent.tally, out)
    };
    let whole = run(&[&bytes]);
    assert_eq!((whole.0.len(), whole.1.group_mods), (2, 1));
    for cut in 0..=bytes.len() {
        let (start, end) = bytes.split_at(cut);
        assert_eq!(run(&[start, end]), whole, "cut at {cut}");
    }
    assert_eq!(run(&bytes.chunks(1).collect::<Vec<_>>()), whole);
}

#[test]
fn a_length_that_no_message_can_have_ends_the_connection_after_what_came_before() {
    for pieces in [1, 3, 100] {
        let mut agent = Agent::new(Tables::new(Arc::new(Book::default())));
        let mut out = BytesMut::new();
        let mut bytes = edit(FlowEdit::AddFlow(flow(0, 1, 1))).message().to_vec();
        bytes.extend_from_slice(&[6, 2, 0, 7, 0, 0, 0, 0]);
        let ended = bytes.chunks(pieces).try_for_each(|piece| agent.handle(piece, &mut out));
        assert!(ended.is_err());
        assert_eq!((agent.flows(), agent.tally.messages), (1, 1));
    }
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
    assert_eq!(tables.groups(), std::slice::from_ref(&expected));
    let refused = [FlowEdit::AddFlow(flow(0, 1, 1)), insert(4), insert(3)];
    assert_eq!(tables.commit(&changes(&book, &refused)), Err((2, refusal::BUCKET_EXISTS)));
    assert_eq!(tables.commit(&changes(&book, &[remove(9)])), Err((0, refusal::UNKNOWN_BUCKET)));
    let undone = [insert(4), remove(2), FlowEdit::DeleteGroup(GroupId(1)), FlowEdit::AddGroup(group(7..9)), remove(2)];
    assert_eq!(tables.commit(&changes(&book, &undone)), Err((4, refusal::UNKNOWN_BUCKET)));
    let other = Group { id: GroupId(2), ..group(1..2) };
    assert_eq!(
        tables.commit(&changes(&book, &[FlowEdit::AddGroup(other), remove(9)])),
        Err((1, refusal::UNKNOWN_BUCKET))
    );
    assert_eq!((tables.groups(), tables.flows(TableId::ALL).count()), (vec![expected], 0));
    tables.commit(&changes(&book, &[FlowEdit::DeleteGroup(GroupId(1))])).unwrap();
    assert_eq!(tables.groups().len(), 0);
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
    let read = |edit: &EncodedEdit| match Change::read(&mut book.open(), &mut Bookmark::default(), edit.message()) {
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
    let vif = |name: &str| [(name.to_owned(), port.to_owned())];
    assert_eq!(database.plug(&vif("tap1"), &mut Vec::new()), [1]);
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
    assert_eq!(database.plug(&vif("tap2"), &mut notices), [2]);
    session.handle_bytes(now, &notices);
    while let Some(event) = session.poll_event() {
        if let Event::Update(rows) = event {
            mirror.apply(&rows).unwrap();
        }
    }
    let vifs: Vec<_> = mirror.interface_facts().map(|fact| (fact.name.as_str(), fact.ofport)).collect();
    assert_eq!(vifs, [("tap1", Some(1)), ("tap2", Some(2))]);
}

#[test]
fn a_tap_passes_on_what_is_said_and_can_be_cut() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let controller = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = controller.local_addr().unwrap();
    let counts = Arc::new(Counts::new());
    let tap = Tap::start(&runtime, address, &counts).unwrap();
    let mut switch = TcpStream::connect((super::tap::ADDRESS, address.port())).unwrap();
    let (mut passed, _) = controller.accept().unwrap();
    // An echo request and an error.
    let (question, complaint) = ([6, 2, 0, 8, 0, 0, 0, 1], [6, 1, 0, 12, 0, 0, 0, 2, 0, 1, 0, 1]);
    let mut heard = [0; 12];
    passed.write_all(&question).unwrap();
    switch.read_exact(&mut heard[..8]).unwrap();
    assert_eq!(heard[..8], question);
    switch.write_all(&complaint).unwrap();
    passed.read_exact(&mut heard).unwrap();
    assert_eq!(heard, complaint);
    let expected = Tally { bytes: 8, messages: 1, told_bytes: 12, refusals: 1, ..Tally::default() };
    assert_eq!(counts.now(), expected);
    tap.cut();
    assert_eq!((switch.read(&mut heard).unwrap(), passed.read(&mut heard).unwrap()), (0, 0));
}

#[test]
fn vifs_are_plugged_in_by_one_transaction() {
    let ports = ["11111111-2222-4333-8444-555555555555", "21111111-2222-4333-8444-555555555555"].map(str::to_owned);
    let operations = plugging(&ports);
    let made = |table: &str| operations.iter().filter(|each| each["op"] == "insert" && each["table"] == table).count();
    assert_eq!((made("Interface"), made("Port")), (2, 2));
    assert_eq!(operations[0]["row"]["name"], "tap11111111-22");
    assert_eq!(operations[0]["row"]["external_ids"][1][0], serde_json::json!(["iface-id", ports[0]]));
    assert_eq!(operations[4]["mutations"][0][2][1].as_array().map(Vec::len), Some(2));
}

#[test]
fn ovs_ofctl_tells_how_many_flows_there_are() {
    let told = "OFPST_AGGREGATE reply (OF1.5) (xid=0x2): packet_count=0 byte_count=0 flow_count=17\n";
    assert_eq!(flow_count(told), Some(17));
    assert_eq!(flow_count("OFPT_ERROR (OF1.5) (xid=0x2): OFPBRC_BAD_TYPE\n"), None);
}

#[test]
fn switches_that_hold_something_else_are_named() {
    let held = |kind, flows: &[[u64; 2]]| Held { kind, flows: flows.to_vec() };
    let simulated = held(Kind::Simulated, &[[1, 2], [3, 4]]);
    assert!(simulated.compare(&held(Kind::Real, &[[1, 2], [3, 4]])).is_ok());
    let error = simulated.compare(&held(Kind::Real, &[[1, 2], [3, 5]])).unwrap_err().to_string();
    assert!(error.contains("h1 br-tun: simulated 4, real 5") && !error.contains("h0"), "{error}");
    assert!(simulated.compare(&held(Kind::Real, &[[1, 2]])).is_err());
}
