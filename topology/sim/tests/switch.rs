//! The simulated switch through its public face: tables, time, groups, meters, and the OpenFlow connection.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use bytes::{Bytes, BytesMut};
use std::time::Duration;
use weir_model::MacAddress;
use weir_openflow::message::{
    BundleAdd, BundleControl, BundleControlKind, BundleFlags, BundleId, CtFlush, FlowRemovedReason, FlowUpdate,
    MonitorCommand, MonitorFlags, MonitorRequest, MultipartReply, MultipartRequest, PacketInFormat, PacketOut, Resume,
    Role, RoleClaim,
};
use weir_openflow::{
    Action, Band, Bucket, BucketId, Controller, Cookie, Ct, CtFlags, DatapathId, Field, Flow, FlowEdit, Group, GroupId,
    GroupKind, Learn, LearnSource, LearnSpec, LearnTarget, Match, Message, Meter, MeterFlags, MeterId, PortNo,
    Subfield, TableId, Xid, ZoneSource, split_frame,
};
use weir_sim::intern::Interner;
use weir_sim::packet::{Frame, Packet, Tunnel};
use weir_sim::switch::agent::{Agent, ConnectionId};
use weir_sim::switch::{Bridge, Datapath, FlowChange, PortKind, SwitchPort};

const SECOND: Duration = Duration::from_secs(1);

/// A datapath with one bridge `br0` of three ports, and its agent.
struct Rig {
    datapath: Datapath,
    interner: Interner,
    agent: Agent,
    now: Duration,
}

fn packet() -> Packet {
    let (src, dst) = (MacAddress([2, 0, 0, 0, 0, 1]), MacAddress([2, 0, 0, 0, 0, 2]));
    Frame::new(src, dst).udp([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), 1000, 53, b"data")
}

fn flow(table: u8, priority: u16, matching: Match, actions: impl IntoIterator<Item = Action>) -> Flow {
    Flow::new(TableId(table), priority, matching).apply(actions)
}

fn to(port: u32) -> Action {
    Action::output(PortNo(port))
}

impl Rig {
    fn new() -> Self {
        let mut bridge = Bridge::new("br0", DatapathId(0xb0));
        for number in 1..=3 {
            bridge.set_port(SwitchPort::new(PortNo(number), &format!("p{number}"), PortKind::Device));
        }
        bridge.take_port_changes();
        let mut datapath = Datapath::new();
        datapath.add_bridge(bridge);
        Self { datapath, interner: Interner::default(), agent: Agent::new("br0"), now: Duration::ZERO }
    }

    fn bridge(&mut self) -> &mut Bridge {
        self.datapath.bridge_mut("br0").unwrap()
    }

    fn apply(&mut self, edit: FlowEdit) {
        let (now, bridge) = (self.now, self.datapath.bridge_mut("br0").unwrap());
        bridge.apply(&edit, now, &mut self.interner).unwrap();
    }

    fn add(&mut self, flow: Flow) {
        self.apply(FlowEdit::AddFlow(flow));
    }

    /// The ports that the packet leaves by when it comes in on port 1.
    fn send(&mut self) -> Vec<u32> {
        self.send_packet(1, packet())
    }

    fn send_packet(&mut self, port: u32, packet: Packet) -> Vec<u32> {
        let outcome = self.datapath.receive(self.now, "br0", PortNo(port), packet, Tunnel::default());
        self.agent.tell_of(&outcome);
        outcome.outputs.iter().map(|output| output.port.0).collect()
    }

    fn connect(&mut self) -> ConnectionId {
        let id = self.agent.connect();
        let hello = Message::Hello(weir_openflow::message::Hello { version: 6, versions: Some(vec![6]) });
        assert!(matches!(self.say(id, &[hello])[..], [Message::Hello(_)]));
        id
    }

    /// Sends messages, numbered from 100, and gives what comes back.
    fn say(&mut self, id: ConnectionId, messages: &[Message]) -> Vec<Message> {
        let mut bytes = BytesMut::new();
        for (number, message) in (100..).zip(messages) {
            message.encode(Xid(number), &mut bytes).unwrap();
        }
        self.agent.handle(id, &bytes, self.now, &mut self.datapath, &mut self.interner).unwrap();
        self.heard(id)
    }

    fn heard(&mut self, id: ConnectionId) -> Vec<Message> {
        let mut back = BytesMut::from(&self.agent.poll_transmit(id)[..]);
        let mut messages = Vec::new();
        while let Some(frame) = split_frame(&mut back).unwrap() {
            messages.push(Message::decode(frame.header, frame.body).unwrap());
        }
        messages
    }
}

fn error_of(message: &Message) -> (u16, u16) {
    match message {
        Message::Error(error) => (error.code.kind, error.code.code),
        other => panic!("{other:?} is no error"),
    }
}

#[test]
fn a_patch_port_lets_the_mark_through_and_nothing_else() {
    let mut rig = Rig::new();
    let patch = |name: &str, peer: &str| SwitchPort::new(PortNo(9), name, PortKind::Patch { peer: peer.to_owned() });
    rig.bridge().set_port(patch("here", "there"));
    let mut other = Bridge::new("br1", DatapathId(0xb1));
    other.set_port(patch("there", "here"));
    other.set_port(SwitchPort::new(PortNo(4), "q4", PortKind::Device));
    rig.datapath.add_bridge(other);
    let noted = [Action::set(Field::Reg0, 7), Action::set(Field::Metadata, 7), Action::set(Field::TunId, 7)];
    let actions =
        noted.into_iter().chain([Action::set(Field::PktMark, 7), to(9), Action::set(Field::PktMark, 0), to(2)]);
    rig.add(flow(0, 1, Match::new(), actions));
    let clean = Match::new().reg(0, 0).metadata(0).with(Field::TunId, 0).with(Field::PktMark, 7);
    let passing = FlowEdit::AddFlow(flow(0, 1, clean, [to(4)]));
    rig.datapath.bridge_mut("br1").unwrap().apply(&passing, Duration::ZERO, &mut Interner::default()).unwrap();
    let outcome = rig.datapath.receive(rig.now, "br0", PortNo(1), packet(), Tunnel::default());
    let seen: Vec<_> =
        outcome.outputs.iter().map(|output| (output.bridge.as_str(), output.port.0, output.mark)).collect();
    assert_eq!(seen, [("br1", 4, 7), ("br0", 2, 0)]);
}

#[test]
fn groups_choose_their_buckets() {
    let mut rig = Rig::new();
    let bucket = |id: u32, port: u32| Bucket { watch_port: PortNo(port), ..Bucket::new(BucketId(id), vec![to(port)]) };
    let group = Group::new(GroupId(1), GroupKind::FastFailover).with(bucket(1, 2)).with(bucket(2, 3));
    rig.apply(FlowEdit::AddGroup(group));
    rig.add(flow(0, 1, Match::new(), [Action::Group(GroupId(1))]));
    assert_eq!(rig.send(), [2]);
    let down = SwitchPort { up: false, ..rig.bridge().port(PortNo(2)).unwrap().clone() };
    rig.bridge().set_port(down);
    assert_eq!(rig.send(), [3], "the watched port has no link");
    rig.apply(FlowEdit::AddGroup(Group::new(GroupId(1), GroupKind::All)));
    assert_eq!(rig.send(), [0; 0]);
    for port in [1, 2, 3] {
        let bucket = Bucket::new(BucketId(port), vec![to(port)]);
        rig.apply(FlowEdit::InsertBucket { group: GroupId(1), bucket });
    }
    assert_eq!(rig.send(), [2, 3], "never back to where it came from");
    rig.apply(FlowEdit::RemoveBucket { group: GroupId(1), bucket: BucketId(2) });
    assert_eq!(rig.send(), [3]);
    rig.apply(FlowEdit::DeleteGroup(GroupId(1)));
    assert_eq!(rig.bridge().flow_count(), 0, "flows that name a group go with it");
}

#[test]
fn a_meter_passes_its_rate_and_its_burst() {
    let mut rig = Rig::new();
    let flags = MeterFlags { pktps: true, burst: true, ..MeterFlags::default() };
    rig.apply(FlowEdit::AddMeter(Meter { id: MeterId(1), flags, bands: vec![Band { rate: 2, burst: 3 }] }));
    rig.add(flow(0, 1, Match::new(), [Action::Meter(MeterId(1)), to(2)]));
    let passed = |rig: &mut Rig| (0..10).filter(|_| rig.send() == [2]).count();
    assert_eq!(passed(&mut rig), 3, "the burst");
    rig.now += SECOND;
    assert_eq!(passed(&mut rig), 2, "one second at the rate");
    rig.now += 10 * SECOND;
    assert_eq!(passed(&mut rig), 3, "no more than the burst is saved");
}

#[test]
fn connections_end_with_their_time_or_by_request() {
    let mut rig = Rig::new();
    let ct = |commit| {
        let flags = CtFlags { commit, force: false };
        let zone = ZoneSource::Constant(5);
        Action::Ct(Ct { flags, zone, table: Some(TableId(1)), alg: 0, nat: None, exec: Vec::new() })
    };
    rig.add(flow(0, 1, Match::new(), [ct(false)]));
    let state = |value| Match::new().ip().with_masked(Field::CtState, value, value);
    rig.add(flow(1, 1, state(0x21), [to(2)]));
    rig.add(flow(1, 2, state(0x22), [to(3)]));
    rig.add(flow(0, 2, Match::new().in_port(PortNo(2)), [ct(true)]));
    let (src, dst) = (MacAddress([2, 0, 0, 0, 0, 2]), MacAddress([2, 0, 0, 0, 0, 1]));
    let opening = Frame::new(src, dst).udp([10, 0, 0, 2].into(), [10, 0, 0, 1].into(), 53, 1000, b"open");
    assert_eq!(rig.send(), [2], "new");
    let open = |rig: &mut Rig| rig.send_packet(2, opening.clone());
    open(&mut rig);
    assert_eq!(rig.send(), [3], "the answer makes it established");
    rig.now += 31 * SECOND;
    assert_eq!(rig.send(), [2], "forgotten after 30 seconds");
    open(&mut rig);
    rig.datapath.conntrack_mut().flush_zone(4);
    assert_eq!(rig.send(), [3]);
    rig.datapath.conntrack_mut().flush_zone(5);
    assert_eq!(rig.send(), [2]);
    open(&mut rig);
    let mut flush = CtFlush { zone: Some(5), protocol: 17, ..CtFlush::default() };
    flush.original.dst = Some([10, 0, 0, 9].into());
    rig.datapath.conntrack_mut().flush(&flush);
    assert_eq!(rig.send(), [3], "another tuple");
    flush.original.dst = Some([10, 0, 0, 1].into());
    rig.datapath.conntrack_mut().flush(&flush);
    assert_eq!(rig.send(), [2]);
}

#[test]
fn a_learned_flow_lasts_while_it_is_used() {
    let mut rig = Rig::new();
    let part = |source, target, bits| LearnSpec { source, target, bits };
    let from = |field| LearnSource::Field { field, offset: 0 };
    let learn = Learn {
        idle_timeout: 10,
        hard_timeout: 0,
        priority: 5,
        cookie: 77,
        table: TableId(1),
        flags: 0,
        fin_idle_timeout: 0,
        fin_hard_timeout: 0,
        limit: 0,
        result: None,
        specs: vec![
            part(from(Field::EthSrc), LearnTarget::Match { field: Field::EthDst, offset: 0 }, 48),
            part(from(Field::InPort), LearnTarget::Output, 16),
        ],
    };
    rig.add(flow(0, 2, Match::new().in_port(PortNo(2)), [Action::Learn(learn)]));
    rig.add(flow(0, 1, Match::new(), [Action::resubmit(TableId(1))]));
    assert_eq!(rig.send(), [0; 0]);
    let (src, dst) = (MacAddress([2, 0, 0, 0, 0, 2]), MacAddress([2, 0, 0, 0, 0, 1]));
    rig.send_packet(2, Frame::new(src, dst).raw(0x88b5, &[0; 46]));
    assert_eq!(rig.send(), [2], "the way back was learned");
    rig.now += 9 * SECOND;
    assert_eq!(rig.send(), [2]);
    rig.now += 9 * SECOND;
    assert!(rig.datapath.expire(rig.now).is_empty());
    rig.now += SECOND;
    let gone = rig.datapath.expire(rig.now);
    let [(_, FlowChange::Removed { flow, reason, .. })] = &gone[..] else {
        panic!("{gone:?}");
    };
    assert_eq!((flow.cookie, *reason), (Cookie(77), FlowRemovedReason::IdleTimeout));
}

#[test]
fn a_paused_packet_goes_on_where_it_stopped() {
    let mut rig = Rig::new();
    let id = rig.connect();
    let pause = Action::Controller(Controller {
        max_len: 0xffff,
        controller: 0,
        reason: 1,
        userdata: b"ask".to_vec(),
        pause: true,
        meter: None,
    });
    let first = [Action::set(Field::Reg3, 9), Action::resubmit(TableId(1)), to(3)];
    rig.add(flow(0, 1, Match::new(), first).cookie(Cookie(4)));
    rig.add(flow(1, 1, Match::new(), [pause, Action::resubmit(TableId(2))]).cookie(Cookie(5)));
    rig.add(flow(2, 1, Match::new().reg(3, 9), [to(2)]));
    rig.say(id, &[Message::SetPacketInFormat(PacketInFormat::Nicira2)]);
    assert_eq!(rig.send(), [0; 0]);
    let heard = rig.heard(id);
    let [Message::PacketIn2(asked)] = &heard[..] else {
        panic!("{heard:?}");
    };
    assert_eq!((&asked.userdata[..], asked.cookie), (&b"ask"[..], Some(Cookie(4))), "the flow met first");
    assert_eq!(asked.metadata.exact(Field::Reg3), Some(9));
    let mut bytes = BytesMut::new();
    let resume = Resume {
        packet: asked.packet.clone(),
        metadata: asked.metadata.clone(),
        continuation: asked.continuation.clone().unwrap(),
    };
    Message::Resume(resume).encode(Xid(1), &mut bytes).unwrap();
    let outcomes = rig.agent.handle(id, &bytes, rig.now, &mut rig.datapath, &mut rig.interner).unwrap();
    let ports: Vec<u32> = outcomes[0].outputs.iter().map(|output| output.port.0).collect();
    assert_eq!(ports, [2, 3], "the rest of the table and of the one before");
    let again = rig.agent.handle(id, &bytes, rig.now, &mut rig.datapath, &mut rig.interner).unwrap();
    assert!(again.is_empty());
    assert_eq!(rig.heard(id).iter().map(error_of).collect::<Vec<_>>(), [(2, 5)], "a continuation is good for once");
}

#[test]
fn a_bundle_is_done_whole_or_not_at_all() {
    let mut rig = Rig::new();
    let id = rig.connect();
    rig.add(flow(0, 1, Match::new(), [to(2)]).cookie(Cookie(1)));
    let before = rig.bridge().content();
    let flags = BundleFlags { atomic: true, ordered: true };
    let control = |kind| Message::BundleControl(BundleControl { bundle: BundleId(4), kind, flags });
    let add = |edit: FlowEdit| {
        let message = Box::new(Message::Edit(edit));
        Message::BundleAdd(BundleAdd { bundle: BundleId(4), flags, xid: Xid(777), message })
    };
    let group = FlowEdit::AddGroup(Group::new(GroupId(3), GroupKind::All));
    let replaced = FlowEdit::AddFlow(flow(0, 1, Match::new(), [Action::Group(GroupId(3))]).cookie(Cookie(2)));
    let refused = FlowEdit::AddFlow(flow(5, 1, Match::new(), []).goto(TableId(5)));
    use BundleControlKind::{CommitRequest, OpenRequest};
    let heard = rig.say(
        id,
        &[control(OpenRequest), add(group.clone()), add(replaced.clone()), add(refused), control(CommitRequest)],
    );
    assert!(matches!(heard[0], Message::BundleControl(_)));
    assert_eq!(heard[1..].iter().map(error_of).collect::<Vec<_>>(), [(3, 2), (17, 13)]);
    assert_eq!(rig.bridge().content(), before);
    let heard = rig.say(id, &[control(OpenRequest), add(group), add(replaced), control(CommitRequest)]);
    assert!(heard.iter().all(|message| matches!(message, Message::BundleControl(_))), "{heard:?}");
    assert_eq!(rig.bridge().content().flows.len(), 1);
    let heard = rig.say(id, &[control(CommitRequest), add(FlowEdit::DeleteMeter(MeterId(1)))]);
    assert_eq!(heard.iter().map(error_of).collect::<Vec<_>>(), [(17, 2), (17, 10)], "gone, and no meters in bundles");
}

#[test]
fn only_a_master_or_an_equal_changes_anything() {
    let mut rig = Rig::new();
    let (first, second) = (rig.connect(), rig.connect());
    let claim = |role, generation| Message::RoleRequest(RoleClaim { role, generation });
    assert!(matches!(rig.say(first, &[claim(Role::Master, 5)])[..], [Message::RoleReply(_)]));
    assert!(matches!(rig.say(second, &[claim(Role::Master, 6)])[..], [Message::RoleReply(_)]));
    let heard = rig.heard(first);
    assert!(matches!(&heard[..], [Message::RoleStatus(status)] if status.role == Role::Slave), "{heard:?}");
    let edit = Message::Edit(FlowEdit::AddFlow(flow(0, 1, Match::new(), [to(2)])));
    assert_eq!(error_of(&rig.say(first, std::slice::from_ref(&edit))[0]), (1, 10));
    assert_eq!(error_of(&rig.say(first, &[claim(Role::Master, 5)])[0]), (11, 0), "an older election");
    assert!(rig.say(second, &[edit]).is_empty());
    assert_eq!(rig.bridge().flow_count(), 1);
}

#[test]
fn controllers_are_told_what_they_asked_for() {
    let mut rig = Rig::new();
    let (watcher, changer) = (rig.connect(), rig.connect());
    let request = MonitorRequest {
        id: 1,
        command: MonitorCommand::Add,
        flags: MonitorFlags { initial: true, added: true, removed: true, ..MonitorFlags::default() },
        table: TableId::ALL,
        out_port: PortNo::ANY,
        out_group: GroupId::ANY,
        matching: Match::new(),
    };
    let monitor = Message::MultipartRequest { request: MultipartRequest::Monitor(vec![request]), more: false };
    rig.say(watcher, &[monitor]);
    let mut wanted = flow(0, 1, Match::new(), [to(2)]).cookie(Cookie(8));
    wanted.flags.send_flow_removed = true;
    rig.say(changer, &[Message::Edit(FlowEdit::AddFlow(wanted.clone()))]);
    let heard = rig.heard(watcher);
    let told = |message: &Message| match message {
        Message::MultipartReply { reply: MultipartReply::Monitor(updates), .. } => updates.clone(),
        _ => Vec::new(),
    };
    assert!(matches!(&told(&heard[0])[..], [FlowUpdate::Added(flow)] if flow.cookie == Cookie(8)), "{heard:?}");
    rig.send();
    rig.now += 3 * SECOND;
    rig.say(changer, &[Message::Edit(FlowEdit::DeleteFlow(wanted.key))]);
    let heard = rig.heard(watcher);
    let Message::FlowRemoved(removed) = &heard[0] else {
        panic!("{heard:?}");
    };
    assert_eq!((removed.packets, removed.duration, removed.reason), (1, 3 * SECOND, FlowRemovedReason::Delete));
    assert!(matches!(&told(&heard[1])[..], [FlowUpdate::Removed { .. }]), "{heard:?}");
}

#[test]
fn a_dump_gives_back_what_was_put_in_however_much_that_is() {
    let mut rig = Rig::new();
    let id = rig.connect();
    for number in 0..3000_u32 {
        rig.add(flow(1, 1, Match::new().reg(0, number), vec![to(2); 20]).cookie(u64::from(number)));
    }
    let request = MultipartRequest::Flows(weir_openflow::message::FlowFilter::default());
    let heard = rig.say(id, &[Message::MultipartRequest { request, more: false }]);
    let parts: Vec<_> = heard
        .iter()
        .map(|message| match message {
            Message::MultipartReply { reply: MultipartReply::Flows(flows), more } => (flows.decode().unwrap(), *more),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(parts.len() > 1);
    let last = parts.len() - 1;
    assert!(parts.iter().enumerate().all(|(place, (_, more))| *more == (place != last)));
    let flows: Vec<Flow> = parts.into_iter().flat_map(|(flows, _)| flows).map(|stats| stats.flow).collect();
    let present: Vec<Flow> = rig.bridge().flows().map(|flow| Flow::clone(flow)).collect();
    assert_eq!(flows, present);
}

#[test]
fn a_packet_out_runs_through_the_tables_if_it_says_so() {
    let mut rig = Rig::new();
    rig.add(flow(0, 1, Match::new().in_port(PortNo(3)), [to(1)]));
    let request = |actions: Vec<Action>| PacketOut {
        metadata: Match::new().in_port(PortNo(3)),
        actions,
        packet: Bytes::copy_from_slice(packet().bytes()),
    };
    let ports = |rig: &mut Rig, actions| -> Vec<u32> {
        let outcome = rig.datapath.packet_out(rig.now, "br0", &request(actions)).unwrap();
        outcome.outputs.iter().map(|output| output.port.0).collect()
    };
    assert_eq!(ports(&mut rig, vec![to(2)]), [2]);
    assert_eq!(ports(&mut rig, vec![Action::output(PortNo::TABLE), to(2)]), [1, 2]);
}

#[test]
fn many_switches_share_the_flows_that_they_have_in_common() {
    let mut interner = Interner::default();
    let mut bridges: Vec<Bridge> = (0..50).map(|number| Bridge::new("br0", DatapathId(number))).collect();
    for number in 0..100 {
        let edit = FlowEdit::AddFlow(flow(0, 1, Match::new().reg(0, number), [to(2)]));
        for bridge in &mut bridges {
            bridge.apply(&edit, Duration::ZERO, &mut interner).unwrap();
        }
    }
    assert_eq!(interner.len(), 100);
    drop(bridges);
    interner.sweep();
    assert!(interner.is_empty());
}

#[test]
fn a_subfield_names_the_bits_it_says() {
    let mut rig = Rig::new();
    let low = Subfield::bits(Field::Reg1, 4, 8);
    let actions = [Action::Load { value: 0xab, dst: low }, Action::resubmit(TableId(1))];
    rig.add(flow(0, 1, Match::new(), actions));
    rig.add(flow(1, 1, Match::new().reg(1, 0xab0), [to(2)]));
    assert_eq!(rig.send(), [2]);
}
